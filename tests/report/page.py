"""The sample reports as files: the page is well-formed HTML whose tags all close, each picture in it and beside it is well-formed XML, nothing
from a file name becomes markup, nothing points out of the folder, tables have as many cells as their header, and writing twice gives the same
bytes. Usage: page.py SAMPLE"""

import filecmp
import html.parser
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

VOID = {"meta", "br", "link", "img", "hr"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.links, self.tags, self.text = [], [], [], [], {}, ""

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name.startswith("on"):
                self.problems.append(f"attribute {name} at {self.getpos()}")
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        self.text += data


def check_page(folder):
    with open(os.path.join(folder, "report.html"), encoding="utf-8") as f:
        text = f.read()
    page = Page()
    page.feed(text)
    page.close()
    problems = page.problems + [f"<{t}> is never closed" for t in page.open]
    if len(set(page.ids)) != len(page.ids):
        problems.append("an id is given twice")
    for link in set(page.links):
        if link.startswith("#"):
            if link[1:] not in page.ids:
                problems.append(f"{link} leads nowhere")
        elif not re.fullmatch(r"report/[A-Za-z0-9_.-]+", link):
            problems.append(f"link to {link}")
        elif not os.path.isfile(os.path.join(folder, link)):
            problems.append(f"{link} is not there")
    if "script" in page.tags or "url(" in text or "@import" in text:
        problems.append("a script or something from outside")
    svgs = re.findall(r"<svg.*?</svg>", text, re.S)
    if len(svgs) != page.tags.get("svg"):
        problems.append(f"{len(svgs)} pictures, {page.tags.get('svg')} tags")
    for svg in svgs:
        problems += check_svg(svg, "in the page")
    if re.search(r"\b(nan|inf)\b", re.sub(r"<style>.*?</style>", "", text, flags=re.S)):
        problems.append("a number that is none")
    return problems


def check_svg(text, where):
    try:
        root = ET.fromstring(text)
    except ET.ParseError as e:
        return [f"{where}: {e}: {text[:80]}"]
    bad = []
    for e in root.iter():
        for name in ("d", "transform", "x", "y", "width", "height"):
            value = e.get(name)
            if value is not None and not re.fullmatch(r"[-A-Za-z0-9.,%() ]*", value):
                bad.append(f"{where}: {name}={value[:40]}")
    if "defs" != root.get("class") and not any(e.tag.endswith("title") and (e.text or "").strip() for e in root):
        bad.append(f"{where}: no title")
    return bad


def check_files(folder):
    problems = []
    for name in sorted(os.listdir(os.path.join(folder, "report"))):
        path = os.path.join(folder, "report", name)
        if ".tmp" in name:
            problems.append(f"{name} was left")
        with open(path, "rb") as f:
            data = f.read()
        if name.endswith(".svg"):
            problems += check_svg(data.decode(), name)
        else:
            rows = [line.split(b"\t") for line in data.split(b"\n")[:-1]]
            if not data.endswith(b"\n") or any(len(r) != len(rows[0]) for r in rows):
                problems.append(f"{name}: rows differ in their cells")
    return problems


# What must stand on each page, and how many pictures and patterns there are.
EXPECT = {
    "full": (["Figure 1.", "auROC", "REST", "seqnet explain out/rest.seqnet", "core 5–25", "Residual"], 4),
    "empty": (["No pattern was found: only 12 stretches of 1 sequence", "no curves of loss", "no residuals", "gave no command"], 0),
    "odd": (["<svg onload=alert(1)>", "</td></table><script>alert(1)</script>", "</title><script>alert(1)</script> & é你", "2026-01-31",
             "a\ufffd\ufffd\ufffd\ufffdz", "it is not a finite number"], 4),
    "many": (["cell_type_14", "Curves of the first 12 tasks are drawn"], 200),
}


def check(kind, folder):
    problems = check_page(folder) + check_files(folder)
    with open(os.path.join(folder, "report.html"), encoding="utf-8") as f:
        text = f.read()
    page = Page()
    page.feed(text)
    words, patterns = EXPECT[kind]
    problems += [f"'{w}' is missing" for w in words if w not in page.text]
    if page.tags.get("article", 0) != patterns:
        problems.append(f"{page.tags.get('article', 0)} patterns, expected {patterns}")
    return [f"{kind}: {p}" for p in problems]


def same(a, b):
    problems = [] if filecmp.cmp(os.path.join(a, "report.html"), os.path.join(b, "report.html"), False) else ["the pages differ"]
    names = sorted(os.listdir(os.path.join(a, "report")))
    if names != sorted(os.listdir(os.path.join(b, "report"))):
        problems.append("the files differ")
    _, differ, missing = filecmp.cmpfiles(os.path.join(a, "report"), os.path.join(b, "report"), names, False)
    return problems + differ + missing


def main(sample):
    problems = []
    with tempfile.TemporaryDirectory() as top:
        for kind in EXPECT:
            folders = [os.path.join(top, kind + n) for n in ("1" if kind == "many" else "12")]
            for f in folders:
                os.mkdir(f)
                # another locale must not change a byte
                env = dict(os.environ, LC_ALL="de_DE.UTF-8" if f.endswith("2") else "C", TZ="Asia/Tokyo" if f.endswith("2") else "UTC")
                subprocess.run([sample, kind, f], check=True, env=env)
            problems += check(kind, folders[0])
            if len(folders) > 1:
                problems += [f"{kind}, written twice: {p}" for p in same(*folders)]
    for p in problems[:40]:
        print(p)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
