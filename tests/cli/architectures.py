#!/usr/bin/env python3
"""Every shipped architecture loads, plans, trains a step and explains: its contributions add up to the difference in output.
usage: architectures.py SEQNET SOURCE_ROOT [NAME...]"""
import array
import csv
import pathlib
import random
import subprocess
import sys
import tempfile
import zipfile

LIMIT = 1e-5  # of the sum of absolute contributions
ROWS, EXPLAINED, REFERENCES = 24, 3, 2
LENGTHS = {"basset": 600, "bpnet-like": 2114, "danq": 1000, "deepsea": 1000}


def write_data(d, length):
    """Numbers as labels: of yes or no the scores are calibrated on 1000 shuffles, which takes the large nets longer than all the rest."""
    rng = random.Random(5)
    rows = ["".join(rng.choices("ACGT", k=length)) for _ in range(ROWS)]
    (d / "data.tsv").write_text("sequence\tfirst\tsecond\n" + "".join(f"{s}\t{i % 5 / 4}\t{i * 7 % 24}\n" for i, s in enumerate(rows)))
    (d / "some.fa").write_text("".join(f">r{i}\n{s}\n" for i, s in enumerate(rows[:EXPLAINED])))


def read_npz(path, n):
    """The values of an array file, by sequence."""
    data = zipfile.ZipFile(path).read("arr_0.npy")
    values = array.array("f", data[10 + int.from_bytes(data[8:10], "little"):])
    size = len(values) // n
    return [values[i * size:(i + 1) * size] for i in range(n)]


def worst_residual(folder):
    with open(folder / "sequences.tsv") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    assert len(rows) == EXPLAINED, rows
    worst = 0
    for row, c in zip(rows, read_npz(folder / "contributions.npz", EXPLAINED)):
        total = sum(abs(v) for v in c)
        assert total > 0, f"{row['sequence']}: no contributions"
        worst = max(worst, float(row["residual"]), abs(sum(c) - float(row["difference"])) / total)
    return worst


def main():
    seqnet, models = pathlib.Path(sys.argv[1]).resolve(), sorted((pathlib.Path(sys.argv[2]) / "models").glob("*.yaml"))
    names, bad = sys.argv[3:], 0
    models = [m for m in models if not names or m.stem in names]
    assert names or len(models) >= 8, models
    print(f"1..{len(models)}")
    for i, yaml in enumerate(models, 1):
        with tempfile.TemporaryDirectory(prefix="seqnet-architectures-") as folder:
            d = pathlib.Path(folder)
            write_data(d, LENGTHS.get(yaml.stem, 90))
            for args in (["train", "-m", yaml, "--data", d / "data.tsv", "--epochs", "1", "--min-steps", "0", "-o", d / "m.seqnet"],
                         ["explain", d / "m.seqnet", d / "some.fa", "--n-references", str(REFERENCES), "--task", "second", "--n-logos", "0",
                          "-o", d / "out"]):
                subprocess.run([seqnet, args[0], "--quiet", *args[1:]], check=True)
            worst = worst_residual(d / "out")
        ok = worst <= LIMIT
        bad += not ok
        print(f"{'ok' if ok else 'not ok'} {i} - {yaml.stem}: residual {worst:.2g}, at most {LIMIT:g}", flush=True)
    return bad > 0


sys.exit(main())
