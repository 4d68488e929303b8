"""Shows the sample reports in a headless Chromium, scripts of the page switched off, and measures what it shows: every picture is there and
has a size, nothing overlaps, nothing is wider than the page but inside its scroll box, contrasts suffice, nothing is asked of a network.
Usage: browser.py SAMPLE [FOLDER for screenshots [KIND]]   exit code 77 = skipped: no browser"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

SIZES = [(400, 800), (1400, 900)]
PIECE = 1400  # height of a screenshot
LIGHT, DARK = False, True
LOOKS = {  # (size, dark, on paper); "many" takes a while and is for looking at by hand
    "full": [(s, d, False) for s in SIZES for d in (LIGHT, DARK)] + [((720, 1000), LIGHT, True)],
    "empty": [(SIZES[0], DARK, False), (SIZES[1], LIGHT, False)],
    "odd": [(SIZES[0], LIGHT, False), (SIZES[1], DARK, False)],
    "many": [(SIZES[1], LIGHT, False)],
}

# Runs in the page through the debugger, not as a script of the page. Returns problems, each a line.
MEASURE = r"""
(() => {
const out = [], say = (what, e, more) => out.push(what + ': ' + path(e) + (more ? ' ' + more : ''));
const path = e => { let s = ''; for (; e && e.tagName; e = e.parentElement) s = e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') +
    (s ? '>' + s : ''); return s.slice(-90); };
const rect = e => e.getBoundingClientRect();
const crosses = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
const all = s => [...document.querySelectorAll(s)];
const width = document.documentElement.clientWidth;

// pairs that cross, by a sweep over y
function sweep(list, what) {
    const v = list.map(e => [rect(e), e]).filter(x => x[0].width > 0 && x[0].height > 0).sort((a, b) => a[0].top - b[0].top);
    for (let i = 0; i < v.length; i++)
        for (let j = i + 1; j < v.length && v[j][0].top < v[i][0].bottom - 1; j++)
            if (crosses(v[i][0], v[j][0]) && !v[i][1].contains(v[j][1]) && !v[j][1].contains(v[i][1]))
                say(what, v[i][1], 'and ' + path(v[j][1]) + ' "' + v[i][1].textContent.trim().slice(0, 20) + '" "' + v[j][1].textContent.trim().slice(0, 20) + '"');
}

const pictures = all('svg:not(.defs)');
for (const s of pictures) {
    const r = rect(s);
    if (r.width < 8 || r.height < 16) say('picture without size', s, r.width + ' x ' + r.height);
    if (!s.querySelector('title') || !s.querySelector('title').textContent.trim()) say('picture without title', s);
    if (s.getAttribute('role') !== 'img') say('picture without role', s);
    const texts = [...s.querySelectorAll('text')];
    sweep(texts, 'texts of a picture overlap');
    for (const t of texts) {
        const q = rect(t);
        if (q.left < r.left - 1 || q.right > r.right + 1 || q.top < r.top - 1 || q.bottom > r.bottom + 1)
            say('text leaves its picture', t, '"' + t.textContent.slice(0, 30) + '"');
    }
    const uses = [...s.querySelectorAll('use')];
    const at = uses.map(rect);
    for (const u of at) if (!(u.width > 0.5)) say('letter not drawn', s);
    for (const t of texts) { const q = rect(t); if (at.some(u => crosses(q, u))) say('text on a letter', t, t.textContent); }
}

sweep(all('h1,h2,h3,h4,p,pre,li,dt,dd,th,td,caption,figcaption,.panel,.box,.tag'), 'overlap');
sweep(all('.panel,.tag,.panel svg'), 'overlap of panels');
if (document.documentElement.scrollWidth > width) out.push('the page is ' + document.documentElement.scrollWidth + ' wide, the window ' + width);
for (const e of all('body *')) {
    if (e.closest('svg') && e.tagName !== 'svg') continue;
    if (e.parentElement.closest('.box') && !PRINT) continue;
    const r = rect(e);
    if (r.width > 0 && (r.right > width + 1 || r.left < -1)) say('wider than the page', e, r.left + ' to ' + r.right);
}
// cells and panels hold what is in them
for (const e of all('td,th,.panel,pre,.card')) if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) say('content leaves its place', e, e.scrollWidth + ' > ' + e.clientWidth);

// headings step by step, links that lead somewhere, tables with headers
let level = 0;
for (const h of all('h1,h2,h3,h4')) { const n = +h.tagName[1]; if (n > level + 1) say('heading skips a level', h); level = n; }
if (all('h1').length !== 1) out.push('not one h1');
for (const a of all('a[href^="#"]')) if (!document.getElementById(a.getAttribute('href').slice(1))) say('link to nothing', a, a.getAttribute('href'));
for (const t of all('table')) if (!t.querySelector('th[scope]')) say('table without header', t);
for (const t of all('table')) if (!t.querySelector('caption')) say('table without caption', t);
const ids = all('[id]').map(e => e.id);
if (new Set(ids).size !== ids.length) out.push('an id is given twice');
for (const e of all('[aria-labelledby]')) for (const id of e.getAttribute('aria-labelledby').split(' '))
    if (!document.getElementById(id)) say('label that is not there', e, id);

// contrast
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = '#000'; canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const light = c => { const f = c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
const ratio = (a, b) => { const x = light(a), y = light(b); return (Math.max(x, y) + .05) / (Math.min(x, y) + .05); };
const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
const seen = new Set();
for (const e of all('h1,h2,h3,p,a,th,td,dd,dt,caption,figcaption,pre,svg text,.tag')) {
    const style = getComputedStyle(e), c = e.tagName === 'text' ? style.fill : style.color, g = ground(e), key = c + g;
    if (seen.has(key)) continue;
    seen.add(key);
    if (ratio(rgb(c), g) < 4.5) say('low contrast', e, c + ' ' + ratio(rgb(c), g).toFixed(2));
}
for (const e of all('.defs path')) { const s = getComputedStyle(e), c = s.fill === 'none' ? s.stroke : s.fill; if (ratio(rgb(c), ground(document.body)) < 3) say('low contrast of a letter', e, c); }
const bands = all('svg rect').slice(0, 1).map(e => rgb(getComputedStyle(e).fill));
for (const b of bands) for (const e of all('.defs path')) { const s = getComputedStyle(e); if (ratio(rgb(s.fill === 'none' ? s.stroke : s.fill), b) < 2.7) say('low contrast on the band', e, s.fill); }
return {problems: [...new Set(out)].slice(0, 40), pictures: pictures.length, letters: all('use').length,
        files: all('a[href^="report/"]').map(a => a.getAttribute('href')), height: document.documentElement.scrollHeight,
        dark: light(rgb(getComputedStyle(document.body).backgroundColor)) < .1, scripts: all('script').length + all('[onload],[onclick]').length};
})()
"""


class Browser:
    """Chromium by its debugging pipe: JSON messages that end with a zero byte, on descriptors 3 and 4."""

    def __init__(self, program, folder):
        to_r, self.to = os.pipe()
        self.back, back_w = os.pipe()
        # above 4, so that moving them to 3 and 4 overwrites neither
        to_r2, back_w2 = os.dup2(to_r, 93), os.dup2(back_w, 94)

        def place():
            os.dup2(to_r2, 3)
            os.dup2(back_w2, 4)

        command = [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking",
                   f"--user-data-dir={folder}/profile", "about:blank"]
        env = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_CACHE_HOME=folder)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=place, pass_fds=(3, 4), env=env)
        for fd in (to_r, back_w, 93, 94):
            os.close(fd)
        self.buffer, self.n, self.session, self.events = b"", 0, None, []

    def read(self):
        while b"\0" not in self.buffer:
            got = os.read(self.back, 1 << 20)
            if not got:
                raise RuntimeError("the browser has gone")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            got = self.read()
            if got.get("id") == self.n:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']['message']}")
                return got["result"]
            self.events.append(got)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.read())

    def open(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(domain + ".enable")
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def show(self, url, size, dark, paper=False):
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def measure(self, paper=False):
        got = self.call("Runtime.evaluate", expression=MEASURE.replace("PRINT", "true" if paper else "false"), returnByValue=True)
        if "exceptionDetails" in got:
            raise RuntimeError(json.dumps(got["exceptionDetails"])[:800])
        return got["result"]["value"]

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def shots(self, path, size, height):
        """The page as pieces of a height that can be looked at: PATH_00.png and so on."""
        for i, y in enumerate(range(0, min(height, 40 * PIECE), PIECE)):
            clip = {"x": 0, "y": y, "width": size[0], "height": min(PIECE, height - y), "scale": 1}
            data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
            with open(f"{path}_{i:02d}.png", "wb") as f:
                f.write(base64.b64decode(data))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(10)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def check(browser, kind, folder, shots):
    problems = []
    url = "file://" + os.path.join(folder, "report.html")
    with open(os.path.join(folder, "report.html"), encoding="utf-8") as f:
        expected = f.read().count("<svg ") - 1
    for size, dark, paper in LOOKS[kind]:
        where = f"{kind} {size[0]}{' dark' if dark else ''}{' paper' if paper else ''}"
        browser.show(url, size, dark, paper)
        m = browser.measure(paper)
        problems += [f"{where}: {p}" for p in m["problems"]]
        if m["pictures"] != expected:
            problems.append(f"{where}: {m['pictures']} pictures of {expected}")
        if kind != "empty" and m["letters"] < 100:
            problems.append(f"{where}: only {m['letters']} letters in logos")
        if m["dark"] != dark:
            problems.append(f"{where}: the ground is {'dark' if m['dark'] else 'light'}")
        if m["scripts"]:
            problems.append(f"{where}: {m['scripts']} scripts")
        asked = [u for u in browser.requests() if u != url]
        if asked:
            problems.append(f"{where}: asks for {asked[0]}")
        problems += [f"{where}: no file {f}" for f in sorted(set(m["files"])) if not os.path.isfile(os.path.join(folder, f))]
        if shots:
            name = f"{kind}_{size[0]}{'_dark' if dark else ''}{'_paper' if paper else ''}"
            browser.shots(os.path.join(shots, name), size, m["height"])
    return problems


def main(sample, shots=None, only=None):
    program = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")) if p), None)
    if not program:
        print("skipped: no Chromium")
        return 77
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(program, folder)
        try:
            browser.open()
            for kind in [only] if only else ["full", "empty", "odd"]:
                out = os.path.join(folder, kind)
                os.mkdir(out)
                subprocess.run([sample, kind, out], check=True)
                problems += check(browser, kind, out, shots)
        finally:
            browser.close()
    for p in problems:
        print(p)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
