#!/usr/bin/env python3
"""Measures seqnet beside its peers in one run, in turns, on the same cores."""
import argparse
import os
import pathlib
import sys

import contenders
import encode
import environment
import explaining
import figures
import kernels
import planted
import report
from case import TOP, make_case, shipped

def qualify(case, mode, threads, a):
    """Seqnet and the `keep` fastest peers, each with one round behind it; the others' rows: [(label, contender or None, why)]."""
    ours, peers, out = contenders.start_seqnet(case, mode, threads), [], []
    why = ours.wait_ready()
    if why:
        sys.exit(f"bench: seqnet: {why}")
    ours.round(a.seconds)
    for setting in contenders.SETTINGS[mode]:
        if a.only and not any(word in setting[0].lower() for word in a.only.lower().split(",")):
            continue
        c = contenders.start_peer(case, mode, threads, setting, a.python)
        if c is None:
            continue
        why = c.wait_ready()
        if why is None:
            print(f"  {c.label}: {report.number(c.round(a.seconds))} sequences/s", file=sys.stderr, flush=True)
            peers.append(c)
        else:
            print(f"  {c.label}: left out: {why}", file=sys.stderr, flush=True)
            out.append((c, why))
            c.stop()
        if len(peers) > a.keep:
            peers.sort(key=lambda p: -p.median())
            peers[-1].stop()
            out.append((peers.pop(), ""))
    return ours, peers, out


def compare(case, mode, threads, a, table):
    """Rounds in turn. Returns the line for the README."""
    print(f"{mode} {case.name}, {threads} thread{'s' if threads > 1 else ''}", file=sys.stderr, flush=True)
    ours, peers, out = qualify(case, mode, threads, a)
    for c in [ours, *peers]:
        c.rounds.clear()
    for _ in range(a.rounds):
        for c in [ours, *peers]:
            c.round(a.seconds)
    best = max(peers, key=lambda p: p.median(), default=None)
    for c, why in [(ours, ""), *((p, "") for p in peers), *out]:
        row = {"task": mode, "model": case.name, "threads": threads, "contender": c.label, "note": why, "version": c.ready.get("version", ""),
               "batch": c.ready.get("batch", ""), "difference": c.ready.get("difference", "")}
        if c.rounds:
            row.update(rounds=len(c.rounds), median=f"{c.median():.6g}", min=f"{c.rates()[0]:.6g}", max=f"{c.rates()[-1]:.6g}",
                       peak_mb=c.peak >> 20, ratio=f"{ours.median() / c.median():.3f}", best="best" if c is best else "")
        table.add(**row)
    for c in [ours, *peers]:
        c.stop()
    if not best:
        return case.name, threads, report.number(ours.median()), "none", "", ""
    return (case.name, threads, report.number(ours.median()), best.label, report.number(best.median()),
            f"{ours.median() / best.median():.2f}")


COLUMNS = ["task", "model", "threads", "contender", "batch", "rounds", "median", "min", "max", "ratio", "best", "difference", "peak_mb",
           "version", "note"]


def run_models(mode, a):
    names = [a.model] if a.model else shipped()
    stem = mode + ("-" + pathlib.Path(a.model).stem if a.model else "")
    head = report.machine(TOP) + [("unit", "sequences per second: median, min, max of the rounds; ratio: seqnet over the contender"),
                                  ("rounds", f"{a.rounds} of at least {a.seconds:g} s, in turn")]
    table, lines = report.Table(a.out / (stem + ".tsv"), COLUMNS, head), []
    for name in names:
        case = make_case(name, a)
        for threads in a.threads:
            lines.append(compare(case, mode, threads, a, table))
    text = report.markdown(["model", "threads", "seqnet", "best peer", "its rate", "ratio"], lines)
    (a.out / (stem + ".md")).write_text(text + "\n" + "".join(f"{k}: {v}  \n" for k, v in head))
    print(text)
    print(f"written: {table.path} and {stem}.md", file=sys.stderr)


WHAT = {"train": lambda a: run_models("train", a), "infer": lambda a: run_models("infer", a), "kernels": kernels.run,
        "passes": kernels.passes, "roofline": figures.roofline, "scaling": figures.scaling, "memory": figures.memory, "epochs": figures.epochs,
        "neighbour": figures.neighbour, "idle": figures.idle, "planted": planted.figure, "encode": encode.figure, "explain": explaining.figure}
ALONE = {"passes", "roofline", "scaling", "epochs", "idle", "planted", "encode", "explain"}  # without peers
HELP = """train       training sequences a second, all peers
infer       the same for prediction, each side at its best batch
kernels     seqnet's kernels against the FMA peak, OpenBLAS and PyTorch's convolutions; MODEL: only lines that hold this word
passes      seqnet's passes over memory against a triad; MODEL: only lines that hold this word
roofline    a whole training step against its operations / FMA peak + its bytes / triad
scaling     2 threads over 1, beside the machine's own gain
memory      peak memory of training danq, or MODEL, at batch 100
epochs      the time of an epoch of cnn, or MODEL, with ten times the data
neighbour   training cnn, or MODEL, while another process keeps one core busy
idle        CPU time of an open library that does nothing
planted     contributions and patterns where motifs were planted; MODEL: one architecture; --only METHOD[/RULE],..: not only deeplift
encode      is the motif found that is there? MODEL: a folder of NAME.train.tsv.gz and NAME.test.tsv.gz; --only cnn,..: architectures.
            Models that an earlier run left in build/bench/encode are taken again
explain     wall time and peak memory of seqnet explain on 1 000 sequences of 101 bp
default: train, then infer. Tables are written to the folder of --out as they come."""


def positive(kind):
    def parse(text):
        value = kind(text)
        if value <= 0:
            raise ValueError
        return value
    parse.__name__ = f"number above 0 ({kind.__name__})"
    return parse


def thread_counts(text):
    return [positive(int)(n) for n in text.split(",")]


thread_counts.__name__ = "list of numbers of threads"


def arguments():
    p = argparse.ArgumentParser(prog="./bootstrap.sh bench", description=__doc__, epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=WHAT, nargs="?", metavar="WHAT")
    p.add_argument("model", nargs="?", help="name of models/ or a file; default: all that WHAT is about")
    p.add_argument("--threads", type=thread_counts, help="comma-separated; default 1,2, or 1 where there is one core")
    p.add_argument("--rounds", type=positive(int), default=5, help="default %(default)s")
    p.add_argument("--seconds", type=positive(float), default=0.5, help="least length of a round; default %(default)s")
    p.add_argument("--batch", type=positive(int), help="of training; default 64, deepbind 256")
    p.add_argument("--keep", type=int, default=4, help="fastest peers that take part in all rounds; default %(default)s")
    p.add_argument("--isa", choices=("best", "all", "avx512", "avx2", "ref"), default="best",
                   help="of kernels: instruction sets; default %(default)s, the one that seqnet would use")
    p.add_argument("--only", help="only peers whose name holds one of these words, comma-separated")
    p.add_argument("--out", type=pathlib.Path, default=TOP / "build" / "bench", help="default build/bench")
    p.add_argument("--build", type=pathlib.Path, default=TOP / "build", help=argparse.SUPPRESS)
    p.add_argument("--cache", type=pathlib.Path, help=argparse.SUPPRESS)
    a = p.parse_args()
    a.models = TOP / "models"
    a.threads = a.threads or [n for n in (1, 2) if n <= max(1, len(contenders.mine()))]
    a.cache = a.cache or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "seqnet-bench"
    a.out.mkdir(parents=True, exist_ok=True)
    return a


def main():
    a = arguments()
    if a.what not in ALONE:
        a.python = environment.ensure(a.cache)
    for what in [a.what] if a.what else ["train", "infer"]:
        WHAT[what](a)


if __name__ == "__main__":
    main()
