/* How the page looks: serif for what is read, sans for what is looked up; one column; light, dark, and on paper. */
#include "report/parts.h"

static const char colours[] =
    ":root{--ground:#fff;--panel:#f6f7f9;--rule:#d5dbe1;--link:#0b57a4;--warn:#fff4e0;--warn-rule:#d98e1a;--shade:#0003}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ground:#15181c;--panel:#1d2126;--rule:#3a424b;--link:#7fb7ff;--warn:#33270f;"
    "--warn-rule:#b5791b;--shade:#000c}}\n";

static const char text[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0;background:var(--ground);color:var(--text);font:1.0625rem/1.55 Charter,\"Bitstream Charter\",\"Sitka Text\",Cambria,"
    "Georgia,serif;overflow-wrap:anywhere}\n"
    "header,main{max-width:76rem;margin:0 auto;padding:0 1rem}\n"
    "h1,h2,h3,h4,nav,table,figcaption,dl,.by,.facts,.tag,.files,svg text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"Helvetica Neue\",Arial,sans-serif}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:2.2rem 0 .3rem;letter-spacing:-.01em}\n"
    "h2{font-size:1.35rem;line-height:1.25;margin:3rem 0 .8rem;padding-bottom:.35rem;border-bottom:2px solid var(--text)}\n"
    "h3{font-size:1.08rem;line-height:1.35;margin:0 0 .35rem}\n"
    "section>h3{margin-top:1.9rem}section>h2+h3{margin-top:0}\n"
    "h4{font-size:.95rem;margin:1.1rem 0 .4rem}\n"
    "p{margin:.6rem 0;max-width:44rem}\n"
    "a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:.22em}\n"
    "sup{font-size:.75em;line-height:0}\n"
    "a:focus-visible,.box:focus-visible{outline:2px solid var(--link);outline-offset:2px}\n"
    ".by{color:var(--muted);font-size:.9rem;margin:0}\n"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0 0;padding:.6rem 0;border-top:1px solid "
    "var(--rule);"
    "border-bottom:1px solid var(--rule);font-size:.9rem}\n"
    ".lede{font-size:1.15rem;max-width:48rem}\n"
    ".note{background:var(--warn);border-left:4px solid var(--warn-rule);padding:.6rem .9rem;margin:.8rem 0;max-width:48rem}\n"
    ".empty{color:var(--muted);border:1px dashed var(--rule);border-radius:6px;padding:1rem 1.1rem;max-width:48rem}\n"
    ".facts{color:var(--muted);font-size:.9rem;margin:.1rem 0 .6rem;max-width:none}\n"
    "code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;font-size:.86rem}\n"
    "pre{margin:0;padding:.8rem 1rem;background:var(--panel);border-radius:6px;white-space:pre-wrap}\n";

static const char figures[] = "svg{display:block;max-width:100%;height:auto;overflow:hidden}\n"
                              "svg.defs{position:absolute}\n"
                              /* text stays readable where a line runs behind it */
                              "svg text{paint-order:stroke;stroke:var(--ground);stroke-width:3px;stroke-linejoin:round}\n"
                              "figure{margin:1.2rem 0 1.6rem}\n"
                              ".panels{display:flex;flex-wrap:wrap;gap:1rem 1.5rem;align-items:flex-start}\n"
                              ".panel{max-width:100%;min-width:0}\n"
                              ".tag{display:block;font-weight:700;font-size:.95rem;line-height:1.2;padding-bottom:.2rem}\n"
                              "figcaption{font-size:.88rem;line-height:1.5;margin-top:.55rem;max-width:48rem;color:var(--text)}\n"
                              ".files{white-space:nowrap;font-size:.92em}\n"
                              /* the shade at an edge says that there is more; it goes away at the end */
                              ".box{overflow-x:auto;max-width:100%;padding-bottom:.3rem;background:"
                              "linear-gradient(to right,var(--ground) 50%,transparent) local 0 0/2rem 100%,"
                              "linear-gradient(to left,var(--ground) 50%,transparent) local 100% 0/2rem 100%,"
                              "linear-gradient(to right,var(--shade),transparent) 0 0/.8rem 100%,"
                              "linear-gradient(to left,var(--shade),transparent) 100% 0/.8rem 100%;background-repeat:no-repeat}\n"
                              ".box svg{max-width:none}\n"
                              "article{border-top:1px solid var(--rule);padding-top:1.3rem;margin-top:1.8rem}\n"
                              "article.part{margin-left:1.2rem}\n";

static const char tables[] =
    "table{border-collapse:collapse;font-size:.88rem;line-height:1.4;font-variant-numeric:tabular-nums}\n"
    "caption{caption-side:top;text-align:left;padding:.2rem 0 .5rem;font-weight:600}\n"
    "th,td{padding:.34rem .8rem .34rem 0;text-align:left;vertical-align:middle;border-bottom:1px solid var(--rule);overflow-wrap:normal}\n"
    "thead th{border-bottom:1.5px solid var(--text);font-weight:600;vertical-align:bottom;white-space:nowrap}\n"
    "tbody th{font-weight:500}\n"
    ".n{text-align:right;white-space:nowrap}\n"
    ".name{overflow-wrap:anywhere;min-width:7rem;max-width:20rem}\n"
    ".sub{padding-left:1.2rem}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.2rem 2rem}\n"
    ".card{min-width:0}\n"
    ".card table{width:100%;table-layout:fixed}\n"
    ".card th{width:38%;vertical-align:top;color:var(--muted);font-weight:500}\n"
    ".card td,.card th{overflow-wrap:anywhere}\n"
    "dt{font-weight:600;margin-top:.6rem}\n"
    "dd{margin:.1rem 0 0;max-width:44rem}\n"
    "dl{font-size:.92rem}\n"
    ".list{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.3rem 1.2rem}\n"
    ".list dt,.list dd{margin:0;font-weight:400}\n"
    "main{padding-bottom:4rem}\n";

static const char paper[] = "@media print{\n"
                            "@page{margin:16mm 14mm}\n"
                            "body{font-size:10pt;color:#000}\n"
                            "header,main{max-width:none;padding:0}\n"
                            "nav{display:none}\n"
                            "h2{break-after:avoid}h3,h4,.facts{break-after:avoid}\n"
                            "figure,tr,.card,.panel{break-inside:avoid}\n"
                            ".box{overflow:visible;background:none}\n"
                            ".box svg{max-width:100%}\n"
                            "a{color:inherit;text-decoration:none}\n"
                            "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}\n"
                            "}\n";

void sn_page_style(struct sn_page *p) {
    sn_html_put(&p->h, "%s%s%s%s%s", colours, text, figures, tables, paper);
}
