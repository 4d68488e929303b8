#!/usr/bin/env python3
"""Whole processes in milliseconds: --version, and one sequence of 1 kb through a model. usage: startup.py SEQNET
Limits are those of the issue; the best of ten runs counts, the machine may be busy."""
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ARCH = """name: startup
input: {length: 1000, alphabet: dna}
layers:
  - conv1d: {filters: 320, kernel_size: 26, activation: relu}
  - max_pooling1d: {pool_size: 13, strides: 13}
  - conv1d: {filters: 64, kernel_size: 8, activation: relu}
  - global_max_pooling1d: {}
  - dense: {units: tasks, activation: sigmoid}
training: {loss: binary_crossentropy, optimizer: {adam: {learning_rate: 0.001}}, batch_size: 4, epochs: 1}
"""


def best(args):
    times = []
    for _ in range(10):
        start = time.perf_counter()
        subprocess.run(args, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main():
    seqnet, slow = pathlib.Path(sys.argv[1]).resolve(), False
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        d = pathlib.Path(folder)
        row = "".join(random.choice("ACGT") for _ in range(1000))
        (d / "arch.yaml").write_text(ARCH)
        (d / "one.fa").write_text(f">one\n{row}\n")
        rows = "".join(f"{''.join(random.choice('ACGT') for _ in range(1000))}\t{i % 2}\n" for i in range(16))
        (d / "data.tsv").write_text("sequence\tlabel\n" + rows)
        subprocess.run([seqnet, "train", "--quiet", "-m", d / "arch.yaml", "--data", d / "data.tsv", "-o", d / "m.seqnet"], check=True)
        for name, args, limit in (("--version", ["--version"], 20), ("predict of 1 kb", ["predict", d / "m.seqnet", d / "one.fa"], 50)):
            ms = best([seqnet, *args])
            slow |= ms > limit
            print(f"{name}: {ms:.1f} ms, at most {limit}")
    return slow


sys.exit(main())
