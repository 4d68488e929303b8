"""What the benchmarks of explanations share: running seqnet, arrays, motifs, areas under curves. Standard library only."""
import array
import csv
import gzip
import math
import os
import subprocess
import sys
import time
import zipfile

LETTERS = "ACGT"


def say(text):
    print(text, file=sys.stderr, flush=True)


def open_text(path):
    return gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)


def run(a, *words):
    """Runs seqnet; returns (seconds, peak bytes) of it, or ends the benchmark with what it said."""
    command = [str(a.build / "seqnet"), *map(str, words)]
    start = time.monotonic()
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         env=dict(os.environ, SEQNET_MODELS=str(a.models)))
    text = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        sys.exit(f"bench: {' '.join(command)}\n{text}")
    return time.monotonic() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def has_command(a, *words):
    return subprocess.run([a.build / "seqnet", *words, "--help"], capture_output=True, check=False).returncode == 0


def read_table(path):
    """Rows of a TSV with a header; `#` lines before it are skipped."""
    with open_text(path) as f:
        return list(csv.DictReader((line for line in f if not line.startswith("#")), delimiter="\t"))


def read_npz(path):
    """(shape, flat array of float32) of the one array in an .npz."""
    with zipfile.ZipFile(path) as z:
        data = z.read(z.namelist()[0])
    size = int.from_bytes(data[8:10], "little") if data[6] == 1 else int.from_bytes(data[8:12], "little")
    at = (10 if data[6] == 1 else 12) + size
    header = eval(data[10 if data[6] == 1 else 12:at], {"__builtins__": {}})  # a literal that seqnet wrote
    if header["descr"] != "<f4" or header["fortran_order"]:
        sys.exit(f"bench: {path}: {header}, expected <f4 in C order")
    return header["shape"], array.array("f", data[at:])


def read_meme(path):
    """{identifier: (other name, rows of four probabilities)}, in the order of the file."""
    out, rows = {}, None
    with open_text(path) as f:
        for line in f:
            words = line.split()
            if words[:1] == ["MOTIF"]:
                rows = []
                out[words[1]] = (words[2] if len(words) > 2 else "", rows)
            elif rows is not None and len(words) == 4 and words[0][0] in "01":
                rows.append([float(w) for w in words])
    return out


def information(rows):
    return sum(2 + sum(p * math.log2(p) for p in r if p > 0) for r in rows)


def reverse(rows):
    return [r[::-1] for r in reversed(rows)]


def pearson(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else 0.0


def similarity(pattern, motif, share=0.7):
    """Best mean Pearson correlation of columns over both strands and all offsets at which `share` of the motif overlaps the pattern."""
    best, need = -1.0, math.ceil(share * len(motif) - 1e-9)
    for m in (motif, reverse(motif)):
        for offset in range(need - len(m), len(pattern) - need + 1):
            pairs = [(pattern[offset + i], m[i]) for i in range(len(m)) if 0 <= offset + i < len(pattern)]
            if len(pairs) >= need:
                best = max(best, sum(pearson(x, y) for x, y in pairs) / len(pairs))
    return best


def curves(scores, labels):
    """(area under ROC, average precision); ties count half, and share a threshold."""
    order = sorted(zip(scores, labels), reverse=True)
    positives = sum(labels)
    negatives = len(labels) - positives
    hits = area = precision = i = 0
    while i < len(order):
        j = i
        while j < len(order) and order[j][0] == order[i][0]:
            j += 1
        new = sum(label for _, label in order[i:j])
        area += (j - i - new) * (hits + new / 2)
        hits += new
        precision += new * hits / j
        i = j
    return area / (positives * negatives), precision / positives


def mean(values):
    values = list(values)
    return sum(values) / len(values)
