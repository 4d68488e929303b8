#!/usr/bin/env python3
"""Seqnet beside its peers in one run: `./bootstrap.sh bench` calls this. See --help."""
import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import contenders
import environment
import report

TOP = pathlib.Path(__file__).resolve().parents[2]
MODELS = ("deepbind", "cnn", "cnn-bilstm", "basset", "danq", "deepsea", "bpnet-like")
TASKS = {"basset": 164, "danq": 919, "deepsea": 919}
BATCH = {"deepbind": 256}
LENGTH = 101  # of the input where the architecture takes any
BATCHES = (1, 16, 64, 256, 1024)  # sequences per call that prediction tries
BASES = 300_000  # of the largest call: what a net may need as activations is some kB a base


@dataclasses.dataclass
class Case:
    """A model, ready to be measured."""
    name: str
    architecture: pathlib.Path  # one strand, for all sides
    prefix: str                 # of the exported files
    length: int
    tasks: int
    batch: int
    batches: list
    tools: pathlib.Path
    cache: pathlib.Path


def make_case(model, a):
    """Writes the architecture with one strand and lets seqnet export weights and outputs."""
    source = pathlib.Path(model) if model.endswith((".yaml", ".yml")) else TOP / "models" / (model + ".yaml")
    if not source.is_file():
        sys.exit(f"bench: no architecture {source}")
    text, name = source.read_text(), source.stem
    found = re.search(r"\blength: *(\d+)", text)
    length = int(found[1]) if found and int(found[1]) > 0 else LENGTH
    work = a.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / (name + ".log")).write_text("")
    architecture = work / (name + ".yaml")
    architecture.write_text(re.sub(r"\bstrand: *\w+", "strand: forward", text))
    batch = a.batch or BATCH.get(name, 64)
    case = Case(name, architecture, str(work / name), length, TASKS.get(name, 1), batch,
                [b for b in BATCHES if b * length <= BASES] or [1], a.build / "tests" / "bench", a.cache)
    subprocess.run([case.tools / "bench_model", "export", architecture, str(length), str(case.tasks), case.prefix], check=True)
    return case


def qualify(case, mode, threads, a):
    """Seqnet and the `keep` fastest peers, each with one round behind it; the others' rows: [(label, contender or None, why)]."""
    ours, peers, out = contenders.start_seqnet(case, mode, threads), [], []
    why = ours.wait_ready()
    if why:
        sys.exit(f"bench: seqnet: {why}")
    ours.round(a.seconds)
    for setting in contenders.SETTINGS[mode]:
        if a.only and a.only.lower() not in setting[0].lower():
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
    names = [a.model] if a.model else [m for m in MODELS if (TOP / "models" / (m + ".yaml")).is_file()]
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


def arguments():
    p = argparse.ArgumentParser(prog="./bootstrap.sh bench", description=__doc__)
    p.add_argument("what", choices=["train", "infer"], nargs="?")
    p.add_argument("model", nargs="?", help="name of models/ or a file; default: all")
    p.add_argument("--threads", default="1,2", help="default 1,2")
    p.add_argument("--rounds", type=int, default=5, help="default %(default)s")
    p.add_argument("--seconds", type=float, default=0.5, help="least length of a round; default %(default)s")
    p.add_argument("--batch", type=int, default=0, help="of training; default 64, deepbind 256")
    p.add_argument("--keep", type=int, default=4, help="fastest peers that take part in all rounds; default %(default)s")
    p.add_argument("--only", help="only peers whose name holds this word")
    p.add_argument("--out", type=pathlib.Path, default=TOP / "build" / "bench", help="default build/bench")
    p.add_argument("--build", type=pathlib.Path, default=TOP / "build", help=argparse.SUPPRESS)
    p.add_argument("--cache", type=pathlib.Path, help=argparse.SUPPRESS)
    a = p.parse_args()
    a.threads = [int(n) for n in a.threads.split(",")]
    a.cache = a.cache or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "seqnet-bench"
    a.out.mkdir(parents=True, exist_ok=True)
    return a


def main():
    a = arguments()
    a.python = environment.ensure(a.cache)
    for what in [a.what] if a.what else ["train", "infer"]:
        run_models(what, a)


if __name__ == "__main__":
    main()
