#!/usr/bin/env python3
"""Pattern discovery beside modisco-lite on the same attributions, on the same cores, in turn: wall time, peak memory, and how well they agree.

usage: modisco.py SEQNET FOLDER --peer PYTHON [--seeds PEER:OURS,..] [--cores C,..] [--rounds R] [--order]

FOLDER holds one_hot.npz and hypothetical.npz (seqnet explain writes one); PYTHON is the interpreter of an environment with modisco-lite.
--seeds: Leiden partitions tried by both, 0: our default [the default of its program, 2, then that of its library, 50, against ours]; --cores: as
many threads for both [core 0]; --order: how well modisco-lite agrees with itself when the order of the sequences is changed. Agreement: share of the patterns of 100 seqlets and more that have a partner whose
letters correlate by 0.9 (Pearson, mean over columns of the core, both strands, 70 % overlap)."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

LEAST, LIKE, OVERLAP = 100, 0.9, 0.7
THREADS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def child(folder, seeds, permuted, out):
    """Runs inside the peer's environment."""
    import numpy as np
    from modiscolite.tfmodisco import TFMoDISco
    x, h = (np.load(folder / f"{name}.npz")["arr_0"].transpose(0, 2, 1).astype("float32") for name in ("one_hot", "hypothetical"))
    if permuted:
        order = np.random.RandomState(permuted).permutation(len(x))
        x, h = x[order], h[order]
    start = time.time()
    both = TFMoDISco(one_hot=x, hypothetical_contribs=h, n_leiden_runs=seeds)
    seconds = time.time() - start
    patterns = [{"name": f"{sign}_{i + 1}", "n": len(p.seqlets), "pfm": p.sequence.tolist(),
                 "size": np.abs(p.contrib_scores).sum(axis=1).tolist()}
                for sign, found in zip(("pos", "neg"), both) for i, p in enumerate(found or [])]
    out.write_text(json.dumps({"seconds": seconds, "patterns": patterns}))


def timed(command, cores, env=None):
    """(wall seconds, peak bytes) of a command on some cores."""
    import os
    start = time.time()
    process = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], env={**os.environ, **(env or {})},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"{' '.join(map(str, command))}: failed\n{error[-2000:]}")
    return time.time() - start, usage.ru_maxrss * 1024


def core(rows, size):
    most = max(size)
    inside = [i for i, s in enumerate(size) if s >= 0.3 * most]
    return rows[inside[0]:inside[-1] + 1]


def peer(a, folder, seeds, permuted=0):
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "out.json"
        wall, peak = timed([a.peer, __file__, "--child", folder, seeds, permuted, out], a.cores, {name: str(a.threads) for name in THREADS})
        result = json.loads(out.read_text())
    return wall, peak, {p["name"]: (p["n"], core(p["pfm"], p["size"])) for p in result["patterns"]}


def own(a, folder, seeds):
    with tempfile.TemporaryDirectory() as scratch:
        same = ("--min-passing", "0.03", "--trim-window", "30", "--trim-flank", "10")  # as modisco-lite has it
        command = [a.seqnet, "motifs", "discover", *same, "--one-hot", folder / "one_hot.npz", "--hypothetical", folder / "hypothetical.npz",
                   "-o", scratch, f"-@{a.threads}", "--quiet", *(["--leiden-seeds", seeds] if seeds else [])]
        wall, peak = timed(command, a.cores)
        lines = (pathlib.Path(scratch) / "patterns.tsv").read_text().splitlines()[1:]
        sizes = {f[0]: int(f[1]) for f in (line.split("\t") for line in lines)}
        rows = {}
        for line in (pathlib.Path(scratch) / "matrices.tsv").read_text().splitlines()[1:]:
            f = line.split("\t")
            if f[2] == "1":
                rows.setdefault(f[0], []).append([float(v) for v in f[3:7]])
    return wall, peak, {name: (sizes[name], r) for name, r in rows.items()}


def pearson(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    return xy / (xx * yy) ** 0.5 if xx > 0 and yy > 0 else 0


def likeness(p, q):
    best = -1
    for strand in (q, [row[::-1] for row in q[::-1]]):
        for shift in range(-len(strand) + 1, len(p)):
            a = p[max(0, shift):shift + len(strand)]
            b = strand[max(0, -shift):max(0, -shift) + len(a)]
            if len(a) >= OVERLAP * min(len(p), len(q)):
                best = max(best, sum(pearson(x, y) for x, y in zip(a, b)) / len(a))
    return best


def agreement(a, b):
    """Share of the large patterns of a with a partner of the same sign in b, and the names of the others."""
    large = [name for name, (n, _) in a.items() if n >= LEAST]
    alone = [name for name in large
             if not any(name[:3] == other[:3] and likeness(a[name][1], rows) >= LIKE for other, (_, rows) in b.items())]
    return (1 - len(alone) / len(large) if large else 1.0), alone


def compare(a, folder, peer_seeds, own_seeds):
    ours = min((own(a, folder, own_seeds) for _ in range(a.rounds)), key=lambda r: r[0])
    theirs = peer(a, folder, peer_seeds)
    there, lost = agreement(theirs[2], ours[2])
    back, extra = agreement(ours[2], theirs[2])
    print(f"{folder.name}\tmodisco-lite\t{peer_seeds}\t{theirs[0]:.1f} s\t{theirs[1] >> 20} MB\t{len(theirs[2])} patterns")
    print(f"{folder.name}\tseqnet\t{own_seeds or 'default'}\t{ours[0]:.1f} s\t{ours[1] >> 20} MB\t{len(ours[2])} patterns")
    print(f"{folder.name}\tratio\t\t{theirs[0] / ours[0]:.1f} times\t{theirs[1] / ours[1]:.1f} times\t"
          f"agreement {there:.2f} {' '.join(lost)} back {back:.2f} {' '.join(extra)}", flush=True)
    return theirs


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), pathlib.Path(sys.argv[5]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seqnet")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--seeds", default="2:0,50:0", help="pairs PEER:OURS; 0 = our default")
    parser.add_argument("--cores", default="0")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--order", action="store_true")
    a = parser.parse_args()
    a.threads = len(a.cores.split(","))
    for pair in a.seeds.split(","):
        peer_seeds, own_seeds = map(int, pair.split(":"))
        theirs = compare(a, a.folder, peer_seeds, own_seeds)
    if a.order:
        turned = peer(a, a.folder, peer_seeds, 1)
        print(f"{a.folder.name}\tmodisco-lite, other order\t{peer_seeds}\tagreement {agreement(theirs[2], turned[2])[0]:.2f} "
              f"back {agreement(turned[2], theirs[2])[0]:.2f}")


if __name__ == "__main__":
    main()
