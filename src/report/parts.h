/* Inside the room: the page while it is written, and its parts. */
#ifndef SN_REPORT_PARTS_H
#define SN_REPORT_PARTS_H

#include "report/logo.h"
#include "report/plot.h"
#include "report/report.h"

#define SN_DRAWN_TASKS 12 /* of an evaluation: curves of further ones are in the tables only */

struct sn_page {
    const struct sn_report *r;
    struct sn_html h;   /* the page itself */
    const char *folder; /* where it goes; the rest into `report` below it */
    int figures;        /* numbers given so far */
};

/* ---- files.c: what lies beside the page; `file` is a name below the folder `report` ---- */

/* A line of a table: cells apart by tabs; text cells lose what would end them. */
struct sn_table;
int sn_table_open(struct sn_page *p, const char *file, struct sn_table **out);
void sn_table_text(struct sn_table *t, const char *s);
void sn_table_int(struct sn_table *t, int64_t v);
void sn_table_number(struct sn_table *t, double v); /* shortest digits that read back; NA when not finite */
void sn_table_row(struct sn_table *t);              /* ends the line */
int sn_table_commit(struct sn_table *t);            /* frees t in every case */

/* All tables of the report. */
int sn_report_tables(struct sn_page *p);

/* ---- page.c: pieces that the parts of the page are made of ---- */

/* A figure: panels side by side, then "Figure N." and a caption that the caller writes between caption and close. */
void sn_figure_open(struct sn_page *p);
void sn_figure_caption(struct sn_page *p);
void sn_figure_close(struct sn_page *p);
/* A panel, and the same picture in its file. tag: "a", "b" where a figure has several; NULL = none. */
void sn_panel_plot(struct sn_page *p, const char *tag, const struct sn_plot *plot, const char *file);
void sn_panel_logo(struct sn_page *p, const char *tag, const struct sn_logo *logo, const char *file);
/* A file of its own alone. */
void sn_logo_file(struct sn_page *p, const struct sn_logo *logo, const char *file);
/* A box that scrolls sideways when its content is wider than the page. */
void sn_box_open(struct sn_page *p, const char *label);
void sn_box_close(struct sn_page *p);
/* A link to a file below `report`. */
void sn_page_file(struct sn_page *p, const char *file, const char *text);
/* Parts with a heading that links can point to. */
void sn_section_open(struct sn_page *p, const char *id, const char *title);
void sn_section_close(struct sn_page *p);
void sn_page_style(struct sn_page *p);

/* Heights of a logo in bits from (width, letters) probabilities, from row `start`, turned to the reverse complement when `reverse`; to be
 * freed. NULL: p->h.rc says why. */
float *sn_bit_heights(struct sn_page *p, const double *pfm, int start, int width, bool reverse);
/* The same of contributions as they are. */
float *sn_plain_heights(struct sn_page *p, const double *v, int start, int width);

/* ---- the parts ---- */

const char *sn_why_no_patterns(const struct sn_report *r); /* a sentence */

void sn_page_overview(struct sn_page *p);  /* overview.c */
void sn_page_cards(struct sn_page *p);     /* overview.c */
void sn_page_training(struct sn_page *p);  /* curves.c */
void sn_page_curves(struct sn_page *p);    /* curves.c */
void sn_page_patterns(struct sn_page *p);  /* patterns.c */
void sn_page_examples(struct sn_page *p);  /* examples.c */
void sn_page_residuals(struct sn_page *p); /* examples.c */
void sn_page_methods(struct sn_page *p);   /* overview.c: command, files, terms */

/* Histograms, shared by page and tables: counts of n_bins bins from lo, each `width` wide. */
struct sn_bins {
    double lo, width;
    int n;
    int64_t *count; /* (n) owned */
};
/* Middles of the seqlets of pattern i from the middles of their sequences, about the middle as far as the longest sequence reaches. */
int sn_pattern_bins(const struct sn_report *r, int i, struct sn_bins *out);
/* Decimal logarithms in quarter decades; `zeros` counts what is 0 (and not in a bin), `odd` what is not finite. */
int sn_bins_decades(const float *v, int64_t n, struct sn_bins *out, int64_t *zeros, int64_t *odd);

#endif
