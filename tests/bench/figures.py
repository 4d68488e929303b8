"""Other figures than sequences a second: the roofline, gain of threads, memory, time per epoch, a busy neighbour, idleness."""
import csv
import json
import os
import random
import statistics
import subprocess
import sys

import contenders
import report
from case import TOP, make_case, shipped


def say(text):
    print(text, file=sys.stderr, flush=True)


def finish(a, name, columns, rows, head=()):
    """TSV and Markdown of a small table."""
    table = report.Table(a.out / (name + ".tsv"), columns, [*report.machine(TOP), *head])
    for r in rows:
        table.add(**dict(zip(columns, r)))
    text = report.markdown(columns, rows)
    (a.out / (name + ".md")).write_text(text)
    print(text)
    say(f"written: {table.path} and {name}.md")


def start(contender):
    why = contender.wait_ready()
    if why:
        sys.exit(f"bench: {contender.label}: {why}")
    return contender


def some_peers(case, threads, a, names):
    """Training peers of these labels that can be had."""
    out = []
    for setting in contenders.SETTINGS["train"]:
        c = contenders.start_peer(case, "train", threads, setting, a.python) if setting[0] in names else None
        why = c.wait_ready() if c else None
        if why:
            say(f"{c.label}: left out: {why}")
            c.stop()
        elif c:
            out.append(c)
    return out


# ---- the roofline ----

def counted(case):
    """What a step of training must do, by layer and pass."""
    r = subprocess.run([case.tools / "bench_work", case.architecture, str(case.length), str(case.tasks), str(case.batch)],
                       stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in r.stdout.splitlines()]


def roofline(a):
    """The whole step over operations / FMA peak + bytes / triad, both measured in turns with it on the same cores."""
    head = [("unit", "counts of one step; flop: two for each multiply-add, or addition of a table entry on codes; see tests/bench/work.c")]
    layers = report.Table(a.out / "roofline-layers.tsv", ["model", "batch", "layer", "op", "pass", "how", "flop", "bytes"],
                          [*report.machine(TOP), *head])
    rows, machines = [], {t: start(contenders.start_machine(a, t)) for t in a.threads}
    for name in [a.model] if a.model else shipped():
        case = make_case(name, a)
        work = counted(case)
        for w in work:
            layers.add(model=case.name, batch=case.batch, **w)
        flop, moved = (sum(w[k] for w in work) for k in ("flop", "bytes"))
        for threads in a.threads:
            ours, limits = start(contenders.start_seqnet(case, "train", threads)), []
            for _ in range(a.rounds):
                ours.round(a.seconds)
                limits.append(machines[threads].command(f"round {a.seconds}"))
            ours.stop()
            fma, triad = (statistics.median(m[k] for m in limits) for k in ("fma", "triad"))
            best, measured = 1e-6 * (flop / fma + moved / triad), 1e3 * case.batch / ours.median()
            rows.append((case.name, threads, case.batch, f"{1e-9 * flop:.4g}", f"{1e-6 * moved:.4g}", f"{fma:.4g}", f"{triad:.4g}",
                         f"{best:.4g}", f"{measured:.4g}", f"{best / measured:.2f}"))
            say("  ".join(map(str, rows[-1])))
    for m in machines.values():
        m.stop()
    finish(a, "roofline", ["model", "threads", "batch", "GFLOP", "MB", "FMA peak GFLOP/s", "triad GB/s", "roofline ms", "measured ms", "ratio"],
           rows, [*head, ("ratio", "roofline over measured; goal 0.7"), ("layers", layers.path.name)])


# ---- threads ----

def scaling(a):
    n = max(a.threads)
    if n < 2:
        sys.exit("bench: scaling needs --threads 2 or more")
    machines = [start(contenders.start_machine(a, t)) for t in (1, n)]
    rows = []
    for name in [a.model] if a.model else shipped(("basset", "danq", "bpnet-like", "deepbind")):
        batch = a.batch or (512 if name == "deepbind" else 64)
        case = make_case(name, a, batch)
        ours, limits = [start(contenders.start_seqnet(case, "train", t)) for t in (1, n)], []
        for _ in range(a.rounds):
            for c in ours:
                c.round(a.seconds)
            limits.append([m.command(f"round {a.seconds}") for m in machines])
        gain = ours[1].median() / ours[0].median()
        fma, triad = (statistics.median(two[k] / one[k] for one, two in limits) for k in ("fma", "triad"))
        rows.append((case.name, batch, f"{ours[0].median():.4g}", f"{ours[1].median():.4g}", f"{gain:.3f}", f"{fma:.3f}", f"{triad:.3f}",
                     f"{gain / fma:.3f}", f"{gain / triad:.3f}"))
        for c in ours:
            c.stop()
    for m in machines:
        m.stop()
    finish(a, "scaling", ["model", "batch", "sequences/s, 1 thread", f"{n} threads", "gain", "FMA gain", "triad gain", "gain over FMA's",
                          "gain over triad's"], rows)


# ---- the program itself ----

def write_table(path, rows, length, tasks):
    rng = random.Random(1)
    with open(path, "w") as f:
        f.write("sequence\t" + "\t".join(f"t{i}" for i in range(tasks)) + "\n")
        for i in range(rows):
            labels = "\t".join("01"[(i + t) & 1] for t in range(tasks))
            f.write("".join(rng.choices("ACGT", k=length)) + "\t" + labels + "\n")


def run_program(a, case, rows, threads, *options):
    """Trains on random sequences. Returns the log's rows and the peak resident bytes."""
    work = a.out / "work"
    write_table(work / "data.tsv", rows, case.length, case.tasks)
    write_table(work / "valid.tsv", 4, case.length, case.tasks)
    argv = [a.build / "seqnet", "train", "--quiet", f"-@{threads}", "-m", case.architecture, "--data", work / "data.tsv", "--valid-data",
            work / "valid.tsv", "--min-steps", "0", "--log", work / "log.tsv", "-o", work / "trained.seqnet", *options]
    p = subprocess.Popen([str(v) for v in argv])
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        sys.exit(f"bench: seqnet train ended with {p.returncode}")
    with open(work / "log.tsv") as f:
        return list(csv.DictReader(f, delimiter="\t")), usage.ru_maxrss * 1024


def memory(a):
    case, rows = make_case(a.model or "danq", a, 100), []
    weights = case.parameters >> 20
    for threads in a.threads:
        _, peak = run_program(a, case, 200, threads, "--batch-size", "100", "--epochs", "2")
        rows.append((case.name, threads, "seqnet train", peak >> 20, (peak >> 20) - 4 * weights))
        for c in some_peers(case, threads, a, ("PyTorch eager", "PyTorch conv2d channels_last", "Keras", "Keras jit_compile")):
            c.round(a.seconds)
            rows.append((case.name, threads, c.label, c.peak >> 20, (c.peak >> 20) - 4 * weights))
            c.stop()
    finish(a, "memory", ["model", "threads", "program", "peak MB", "beyond 4 x parameters"], rows,
           [("parameters", f"{weights} MB"), ("batch", case.batch), ("unit", "MB of 2^20 bytes, resident, one-hot training data of the peers "
                                                                     "(up to 16 MB for 10^6 bases) included")])


def epochs(a):
    case, rows = make_case(a.model or "cnn", a), []
    small = max(64, 640_000 // case.length // case.batch * case.batch)
    for threads in a.threads:
        seconds = []
        for n in (small, 10 * small):
            log, _ = run_program(a, case, n, threads, "--epochs", str(max(3, a.rounds)))
            seconds.append(statistics.median(float(r["seconds"]) for r in log[1:]))
        rows.append((case.name, threads, small, f"{seconds[0]:.3f}", f"{seconds[1]:.3f}", f"{seconds[1] / seconds[0]:.2f}"))
    finish(a, "epochs", ["model", "threads", "sequences", "seconds an epoch", "with ten times the sequences", "ratio"], rows)


# ---- others on the machine ----

def neighbour(a):
    """Rounds without and with a process that keeps the last of the cores busy."""
    n = max(a.threads)
    if n < 2:
        sys.exit("bench: neighbour needs --threads 2 or more")
    case = make_case(a.model or "cnn", a)
    core = max(contenders.cores(n))
    all_of_them = [start(contenders.start_seqnet(case, "train", n))]
    all_of_them += some_peers(case, n, a, ("PyTorch eager", "PyTorch conv2d channels_last", "Keras"))
    alone, beside = {c: [] for c in all_of_them}, {c: [] for c in all_of_them}
    for _ in range(a.rounds):
        for rates in (alone, beside):
            busy = None
            if rates is beside:
                busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=lambda: os.sched_setaffinity(0, {core}))
            for c in all_of_them:
                rates[c].append(c.round(a.seconds))
            if busy:
                busy.kill()
                busy.wait()
    rows = []
    for c in all_of_them:
        x, y = statistics.median(alone[c]), statistics.median(beside[c])
        rows.append((case.name, n, c.label, f"{x:.4g}", f"{y:.4g}", f"{x / y:.2f}"))
        c.stop()
    finish(a, "neighbour", ["model", "threads", "program", "sequences/s alone", "beside a busy process", "times slower"], rows)


def idle(a):
    case, rows = make_case(a.model or "cnn", a), []
    for mode in ("train", "infer"):
        c = start(contenders.start_seqnet(case, mode, max(a.threads)))
        c.round(a.seconds)
        r = c.command("idle 5")
        rows.append((f"after {mode}", max(a.threads), f"{r['seconds']:.2f}", f"{1000 * r['cpu']:.3f}", f"{100 * r['cpu'] / r['seconds']:.3f}"))
        c.stop()
    finish(a, "idle", ["library", "threads", "seconds", "CPU ms", "% of a core"], rows)
