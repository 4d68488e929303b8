#!/usr/bin/env python3
"""Same bits from the program: training (digest), scan, explain and predict must not depend on threads, batch, instruction set or fusion.
usage: bits.py SEQNET

For each net the whole path runs once as reference, then once for every variant that this machine allows, and every byte is compared.
SEQNET_OTHER: a second program, such as one made by another compiler, that must agree, too."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

NORM = """name: norm
input: {length: 60, alphabet: dna, strand: average, n_policy: mean}
layers:
  - conv1d: {filters: 24, kernel_size: 9, padding: same}
  - batch_normalization
  - relu
  - max_pooling1d: {pool_size: 3, strides: 3}
  - conv1d: {filters: 20, kernel_size: 5}
  - batch_normalization
  - tanh
  - average_pooling1d: {pool_size: 2, strides: 2}
  - flatten
  - dense: {units: 300, activation: relu, kernel_regularizer: {l1: 1.0e-6}}
  - batch_normalization
  - dropout: {rate: 0.2}
  - dense: {units: tasks, activation: auto}
training: {loss: auto, optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9, nesterov: true}}, clipnorm: 1.0, batch_size: 50, epochs: 2}
"""


def bases(rng, n):
    return "".join(rng.choices("ACGTN", (30, 20, 20, 30, 1), k=n))


def write_data(d):
    """Rows of one length for the net that flattens, of many lengths for the others; two tasks, some labels missing."""
    rng = random.Random(7)
    for name, lengths in (("fixed", (60, 60)), ("varied", (41, 90))):
        with open(d / f"{name}.tsv", "w") as f:
            print("sequence\tfirst\tsecond", file=f)
            for i in range(333):
                s = bases(rng, rng.randint(*lengths))
                if i % 2:
                    s = s[:11] + "TGACTCA" + s[18:]
                print(s, i % 2, rng.choice(("0", "1", "NA")), sep="\t", file=f)
        with open(d / f"{name}.fa", "w") as f:
            for i in range(150):
                print(f">r{i}\n{bases(rng, rng.randint(*lengths))}", file=f)
    with open(d / "genome.fa", "w") as f:
        for i, n in enumerate((9001, 37, 4000, 61)):
            print(f">chr{i}\n{bases(rng, n)}", file=f)
    (d / "norm.yaml").write_text(NORM)


def variants(program):
    """(words, program, options, environment); the first is the reference."""
    yield "reference", program, ["-@1"], {}
    for n in (2, 3, 8):
        yield f"-@{n}", program, [f"-@{n}"], {}
    for isa in ("avx2", "avx512"):
        if subprocess.run([program, "info", "cnn"], env={**os.environ, "SEQNET_CPU": isa}, capture_output=True).returncode == 0:
            yield f"SEQNET_CPU={isa}", program, ["-@2"], {"SEQNET_CPU": isa}
    yield "SEQNET_FUSE=0", program, ["-@2"], {"SEQNET_FUSE": "0"}
    if os.environ.get("SEQNET_OTHER"):
        yield "SEQNET_OTHER", os.environ["SEQNET_OTHER"], ["-@2"], {}


def contents(path):
    """A file, or all files of a folder, byte by byte."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


def results(d, net, data, variant):
    """What every command says, by name."""
    _, program, options, env = variant
    out = d / "out"
    subprocess.run(["rm", "-rf", out], check=True)
    out.mkdir()

    def run(command, *args):
        return subprocess.run([program, command, "--quiet", *options, *args], env={**os.environ, **env}, check=True,
                              capture_output=True).stdout

    model = out / "m.seqnet"
    run("train", "-m", net, "--data", d / f"{data}.tsv", "--epochs", "2", "--min-steps", "0", "--seed", "3", "-o", model)
    run("scan", model, d / "genome.fa", "--window", "60", "--stride", "7", "-o", out / "scan.bedgraph")
    run("scan", model, d / "genome.fa", "--window", "60", "--fpr", "0.05", "--task", "second", "-o", out / "scan.bed")
    shared = d / "reference.seqnet"  # its provenance, told in the report, is that of one run
    if variant[0] == "reference":
        shared.write_bytes(model.read_bytes())
    run("explain", shared, d / f"{data}.fa", "--n-references", "3", "--n-logos", "2", "-o", out / "explain")
    found = {"digest": {"": run("info", "--digest", model)}}
    for name in ("scan.bedgraph", "scan.bed", "explain"):
        found[name] = contents(out / name)
    for n in (1, 7, 64):
        found[f"predict, batch of {n}"] = {"": run("predict", "--batch-size", str(n), model, d / f"{data}.fa")}
    return found


def differences(reference, got):
    """Names of what is not the same."""
    for what, files in reference.items():
        if sorted(files) != sorted(got[what]):
            yield f"{what}: other files"
        for name in files:
            if what.startswith(("scan", "predict")) and len(files[name].split(b"\n")) < 4:
                yield f"{what} {name}: nothing in it"
            if files[name] != got[what].get(name):
                yield f"{what} {name}".strip()


def main():
    program, bad, n = pathlib.Path(sys.argv[1]).resolve(), 0, 0
    with tempfile.TemporaryDirectory(prefix="seqnet-bits-") as folder:
        d = pathlib.Path(folder)
        write_data(d)
        for net, data in (("cnn", "varied"), ("cnn-bilstm", "varied"), (d / "norm.yaml", "fixed")):
            reference = None
            for variant in variants(program):
                got = results(d, net, data, variant)
                reference = reference or got
                predicted = got["predict, batch of 1"]
                wrong = list(differences(reference, got))
                wrong += [f"{what} against batch of 1" for what in got if what.startswith("predict") and got[what] != predicted]
                n += 1
                bad += bool(wrong)
                print(f"{'not ok' if wrong else 'ok'} {n} - {pathlib.Path(net).stem}: {variant[0]}")
                for what in wrong[:8]:
                    print(f"# differs: {what}")
    print(f"1..{n}")
    return bad > 0


sys.exit(main())
