#!/usr/bin/env python3
"""Comparing and scanning beside memelite, one thread each, in turns. usage: motif_tools.py SEQNET SOURCE_ROOT [ROUNDS] [MEGABASES]

Needs memelite 0.5.0 (PyPI). memelite is timed inside its process after a warm-up call, its motifs in memory; seqnet from start to end of the program,
reading and writing included. By default memelite merges columns of the database that are nearly alike, which changes p-values; with exact columns
it does the same work as seqnet. CPU seconds are told beside wall-clock, the best of the rounds counts."""
import gzip
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import warnings

os.environ["NUMBA_NUM_THREADS"] = "1"
warnings.simplefilter("ignore")

import numpy as np
from memelite import tomtom
from memelite.fimo import fimo
from memelite.io import read_meme

seqnet, root = sys.argv[1], pathlib.Path(sys.argv[2])
rounds, megabases = (int(x) for x in (sys.argv[3:] + ["3", "25"][len(sys.argv) - 3:])[:2])


def timed(call):
    """(wall, CPU) seconds, children included."""
    before, start = os.times(), time.perf_counter()
    call()
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def run(*args):
    subprocess.run([seqnet, "motifs", *map(str, args), "-@1", "--quiet"], check=True)


def in_turns(what, unit, amount, contenders):
    for call in contenders.values():
        call()
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(timed(call))
    best = {name: (min(t[0] for t in v), min(t[1] for t in v)) for name, v in times.items()}
    for name, (wall, cpu) in best.items():
        print(f"{what}\t{name}\twall {wall:.2f} s\tCPU {cpu:.2f} s\t{unit(amount, cpu)} by CPU\t{best['memelite'][1] / cpu:.1f} x memelite", flush=True)


def main():
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        d = pathlib.Path(folder)
        (d / "all.meme").write_bytes(gzip.open(root / "data/motifs/jaspar-all.meme.gz").read())
        (d / "jaspar.meme").write_bytes(gzip.open(root / "data/motifs/jaspar.meme.gz").read())
        subset = root / "data/motifs/JASPAR2024_subset.meme"
        with open(d / "random.fa", "w") as f:
            for c in range(megabases):
                f.write(f">c{c}\n" + "".join(random.choices("ACGT", k=1000000)) + "\n")
        everything = [np.ascontiguousarray(m, dtype="float64") for m in read_meme(str(d / "all.meme")).values()]
        vertebrates = [np.ascontiguousarray(m, dtype="float64") for m in read_meme(str(d / "jaspar.meme")).values()]
        some = [np.ascontiguousarray(m, dtype="float64") for m in read_meme(str(subset)).values()]

        def pairs(n, cpu):
            return f"{1e6 * cpu / n:.2f} us a pair"

        def rate(n, cpu):
            return f"{n / cpu:.0f} Mb/s"

        in_turns("41 x 2346 motifs", pairs, 41 * len(everything),
                 {"memelite": lambda: tomtom(some, everything, n_jobs=1),
                  "memelite, exact columns": lambda: tomtom(some, everything, n_jobs=1, n_target_bins=None),
                  "seqnet": lambda: run("match", subset, "--db", d / "all.meme", "-o", d / "match.tsv")})
        in_turns("879 x 879 motifs", pairs, len(vertebrates) ** 2,
                 {"memelite": lambda: tomtom(vertebrates, vertebrates, n_jobs=1),
                  "memelite, exact columns": lambda: tomtom(vertebrates, vertebrates, n_jobs=1, n_target_bins=None),
                  "seqnet": lambda: run("match", d / "jaspar.meme", "--db", d / "jaspar.meme", "-o", d / "match.tsv")})
        in_turns("2346 x 2346 motifs", pairs, len(everything) ** 2,
                 {"memelite": lambda: tomtom(everything, everything, n_jobs=1),
                  "memelite, exact columns": lambda: tomtom(everything, everything, n_jobs=1, n_target_bins=None),
                  "seqnet": lambda: run("match", d / "all.meme", "--db", d / "all.meme", "-o", d / "match.tsv")})
        in_turns(f"41 motifs, both strands, {megabases} Mb", rate, megabases,
                 {"memelite": lambda: fimo(str(subset), str(d / "random.fa")),
                  "seqnet": lambda: run("scan", subset, d / "random.fa", "-o", d / "scan.tsv")})


main()
