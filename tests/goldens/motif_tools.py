#!/usr/bin/env python3
"""What motif comparison and scanning must give: an implementation of their definitions in numpy, checked against memelite.
usage: motif_tools.py SOURCE_ROOT   (writes tomtom.tsv and fimo.tsv beside this file; needs numpy, and memelite 0.5.0 from PyPI)

memelite differs from the definitions in known ways. Each is a switch here; with all on, the numbers must be memelite's, and with all off they are
the goldens. Tomtom: the scale of the integers is rounded down; medians are means of a bin; the strand shown is that of the higher score. FIMO:
probabilities are not divided by 1 + 4 eps; windows are summed in floating point and binned afterwards, so that a p-value may be that of a
neighbouring score, or 0 above the best; windows with N count as scored."""
import gzip
import math
import pathlib
import re
import sys
import tempfile
import warnings

import numpy as np
from memelite import tomtom
from memelite.fimo import fimo

ROOT = pathlib.Path(sys.argv[1])
HERE = pathlib.Path(__file__).resolve().parent
BINS, EPS, BIN = 100, 1e-4, 0.1


def read_meme(path):
    """[(name, (width, 4) probabilities)], rows made to sum to 1."""
    out = []
    for part in re.split(r"^MOTIF ", path.read_text(), flags=re.M)[1:]:
        rows = np.array([[float(x) for x in line.split()] for line in part.splitlines()[2:] if re.match(r"\s*[\d.]", line)])
        out.append((part.split()[0], rows / rows.sum(1, keepdims=True)))
    return out


# ---- Tomtom ----

def binned_median(x, n=1000):
    low, high = x.min(), x.max()
    bins = ((x - low) / (high - low) * (n - 1)).astype(int)
    b = np.searchsorted(np.cumsum(np.bincount(bins, minlength=n)), len(x) / 2)
    return x[bins == b].sum() / (bins == b).sum()


class Query:
    """One query against all columns of the database."""

    def __init__(self, q, columns, pearson, like_memelite):
        self.q, self.pearson = q, pearson
        gamma = self.scores(columns)
        self.median = np.array([binned_median(r) if like_memelite else np.median(r) for r in gamma])[:, None]
        low, high = (gamma - self.median).min(), (gamma - self.median).max()
        scale = BINS / (high - math.floor(low))
        self.scale = math.floor(scale) if like_memelite else scale
        self.f = [dict(zip(*np.unique(r, return_counts=True))) for r in self.integers(gamma)]
        self.total, self.tails = columns.shape[0], {}

    def scores(self, columns):
        a, b = self.q[:, None, :], columns[None]
        if not self.pearson:
            return -np.sqrt(((a - b) ** 2).sum(2))
        a, b = a - a.mean(2, keepdims=True), b - b.mean(2, keepdims=True)
        na, nb = np.sqrt((a * a).sum(2)), np.sqrt((b * b).sum(2))
        return np.where((na > 1e-10) & (nb > 1e-10), (a * b).sum(2) / np.maximum(na * nb, 1e-20), 0.0)

    def integers(self, gamma):
        return np.floor((gamma - self.median) * self.scale + 0.5).astype(int)

    def tail(self, a, b, s):
        """P(sum of query columns a..b >= s)."""
        if (a, b) not in self.tails:
            low, pdf = 0, np.ones(1)
            for i in range(a, b + 1):
                v = np.array(sorted(self.f[i]))
                f = np.zeros(v[-1] - v[0] + 1)
                f[v - v[0]] = [self.f[i][x] / self.total for x in v]
                low, pdf = low + v[0], np.convolve(pdf, f)
            self.tails[a, b] = low, np.cumsum(pdf[::-1])[::-1]
        low, tail = self.tails[a, b]
        return 1.0 if s <= low else 0.0 if s - low >= len(tail) else min(1.0, tail[s - low])

    def strand(self, t, least=1):
        """(score, overlap, offset, p) of the best offset of one strand of a target."""
        nq, nt = len(self.q), len(t)
        least, best, spans = min(least, nq, nt), None, []
        table = self.integers(self.scores(t))
        for o in range(-(nt - 1), nq):
            a, b = max(0, o), min(nq - 1, o + nt - 1)
            if b - a + 1 < least:
                continue
            spans.append((a, b))
            s = sum(table[i, i - o] for i in range(a, b + 1))
            if best is None or (s, b - a) > best[:2]:
                best = (s, b - a, o)
        s = best[0]
        less = [1 - self.tail(a, b, s) for a, b in spans]
        p = 1.0 if min(less) <= 0 else -math.expm1(sum(math.log1p(-self.tail(a, b, s)) for a, b in spans))
        return s, best[1] + 1, best[2], p


def compare(queries, targets, pearson=False, least=1, like_memelite=False):
    """Per query and target: offset, overlap, reverse, score, p."""
    columns = np.concatenate([t for t in targets] + [t[::-1, ::-1] for t in targets])
    out = []
    for q in queries:
        x = Query(q, columns, pearson, like_memelite)
        for t in targets:
            plus, minus = x.strand(t, least), x.strand(t[::-1, ::-1], least)
            reverse = plus[0] <= minus[0] if like_memelite else minus[3] < plus[3]
            s, overlap, o, _ = minus if reverse else plus
            p = min(plus[3], minus[3])
            out.append((o, overlap, int(reverse), s, -math.expm1(2 * math.log1p(-p)) if p < 1 else 1.0))
    return out


def check_tomtom(motifs):
    """memelite, with its ways switched on here, is reproduced."""
    got = tomtom([m.T.copy() for m in motifs[:12]], [m.T.copy() for m in motifs], n_target_bins=None)
    want = compare(motifs[:12], motifs, like_memelite=True)
    worst = max(abs(w[4] - g) / max(w[4], 1e-12) for w, g in zip(want, got[0].ravel()))
    other = sum((-w[0], w[1], w[2]) != (int(o), int(v), int(r)) for w, o, v, r in zip(want, got[2].ravel(), got[3].ravel(), got[4].ravel()))
    print(f"tomtom: {len(want)} pairs, p within {worst:.2g} of memelite, {other} other alignments of equal score")
    assert worst < 1e-6 and other < 0.02 * len(want)
    exact = compare(motifs[:12], motifs)
    apart = [abs(w[4] - e[4]) / e[4] for w, e in zip(want, exact)]
    print(f"        its scale and medians change p by {np.median(apart):.2g} (median) and up to {max(apart):.2g}")


# ---- FIMO ----

def matrix(m, like_memelite):
    bits = np.log2((m + EPS) / (1 if like_memelite else 1 + 4 * EPS) / 0.25)
    return bits, (np.round(bits / BIN) if like_memelite else np.floor(bits / BIN + 0.5)).astype(int)


def tail_of(ints):
    low, pdf = 0, np.ones(1)
    for row in ints:
        f = np.bincount(row - row.min()) / 4
        low, pdf = low + row.min(), np.convolve(pdf, f)
    return low, np.cumsum(pdf[::-1])[::-1]


def scan(m, codes, threshold, like_memelite):
    """(start, strand, score, p) of each hit, and the number of windows tested."""
    bits, ints = matrix(m, like_memelite)
    low, tail = tail_of(ints)
    w, out = len(m), []
    ok = np.lib.stride_tricks.sliding_window_view(codes, w).max(1) < 4
    cut = np.flatnonzero(tail < threshold if like_memelite else tail <= threshold)
    for strand, x in enumerate((bits, bits[::-1, ::-1]) if like_memelite else (ints, ints[::-1, ::-1])):
        padded = np.concatenate([x, np.zeros((w, 1), x.dtype)], 1)
        s = sum(padded[j][codes[j:len(codes) - w + 1 + j]] for j in range(w))
        if not len(cut):
            continue
        if like_memelite:
            at = np.flatnonzero(s > np.float32((low + cut[0]) * BIN))
            out += [(i, strand, s[i], tail[int(s[i] / BIN) - low] if int(s[i] / BIN) - low < len(tail) else 0.0) for i in at]
        else:
            out += [(i, strand, s[i], tail[s[i] - low]) for i in np.flatnonzero(ok & (s >= low + cut[0]))]
    return out, 2 * int(ok.sum())


def genome():
    text = gzip.open(ROOT / "data/minigenome_chr22/mini.fa.gz", "rt").read()
    table = np.full(256, 4, np.uint8)
    for i, c in enumerate("ACGT"):
        table[ord(c)] = table[ord(c.lower())] = i
    return {r.split("\n")[0].split()[0]: table[np.frombuffer("".join(r.split("\n")[1:]).encode(), np.uint8)] for r in text.split(">")[1:]}


def check_fimo(motifs, chroms, threshold):
    with tempfile.TemporaryDirectory() as folder:
        fasta = pathlib.Path(folder) / "mini.fa"
        fasta.write_bytes(gzip.open(ROOT / "data/minigenome_chr22/mini.fa.gz").read())
        tables = fimo({n: m.T.copy() for n, m in motifs}, str(fasta), threshold=threshold)
    n = same = both = 0
    for (name, m), t in zip(motifs, tables):
        got = {(r[2], int(r[3]), r[5]): r[7] for r in t.itertuples(index=False)}
        want, ours = {}, {}
        for c, codes in chroms.items():
            want |= {(c, int(i), "+-"[k]): p for i, k, _, p in scan(m, codes, threshold, True)[0]}
            ours |= {(c, int(i), "+-"[k]): p for i, k, _, p in scan(m, codes, threshold, False)[0]}
        n, same, both = n + len(got), same + len(got.keys() & ours.keys()), both + len(ours)
        missing = [k for k in got.keys() ^ want.keys()]
        assert len(missing) <= 0.002 * len(got) + 1, (name, missing)  # a score on the threshold, by the order of addition
        close = sum(abs(got[k] - want[k]) <= 1e-6 * want[k] for k in got.keys() & want.keys())
        assert close >= 0.99 * len(got.keys() & want.keys()), (name, close)
    print(f"fimo: {n} hits of memelite reproduced with its ways; by the definition {both} hits, {same} of them shared")


def bh(p, n):
    q, out = 1.0, [0.0] * len(p)
    for i in range(len(p) - 1, -1, -1):
        q = min(q, p[i] * n / (i + 1))
        out[i] = q
    return out


def main():
    warnings.simplefilter("ignore")
    named = read_meme(ROOT / "data/motifs/JASPAR2024_subset.meme")
    motifs = [m for _, m in named]
    check_tomtom(motifs)
    with open(HERE / "tomtom.tsv", "w") as f:
        f.write("distance\tmin_overlap\tquery\ttarget\toffset\toverlap\treverse\tscore\tp\n")
        for pearson, least, n in ((False, 1, 8), (True, 5, 4)):
            rows = compare(motifs[:n], motifs, pearson, least)
            for i, r in enumerate(rows):
                f.write("\t".join(map(str, ["pearson" if pearson else "euclidean", least, i // len(motifs), i % len(motifs), *r[:4]])) +
                        f"\t{r[4]:.12g}\n")
    chroms, threshold = genome(), 1e-5
    check_fimo(named, chroms, 1e-4)
    with open(HERE / "fimo.tsv", "w") as f:
        f.write("motif\tsequence\tstart\tstrand\tscore\tp\tq\n")
        for name, m in named:
            hits, n = [], 0
            for k, codes in enumerate(chroms.values()):
                found, windows = scan(m, codes, threshold, False)
                hits += [(p, k, i, s, score) for i, s, score, p in found]
                n += windows
            hits.sort(key=lambda h: (h[0], h[1], h[2], h[3]))
            for (p, k, i, s, score), q in zip(hits, bh([h[0] for h in hits], n)):
                f.write(f"{name}\t{list(chroms)[k]}\t{i}\t{'+-'[s]}\t{score}\t{p:.12g}\t{q:.12g}\n")


main()
