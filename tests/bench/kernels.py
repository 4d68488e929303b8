"""`bench kernels`: what bench_kernels prints as a table, beside PyTorch's convolutions of the same shapes, and what the two say about the
project's goals. `bench passes`: what bench_passes prints."""
import json
import re
import subprocess
import sys

import contenders
import figures
import report
from case import TOP

LINE = re.compile(r"(\S.*?)\s{2,}(\S.*?)\s+([\d.]+) us\s+([\d.]+) GFLOP/s\s+([\d.]+) %")
# The convolutions on codes that the README quotes: (width, filters, length), rows of a call.
CODES = ((26, 320, 1000), (19, 300, 600), (24, 16, 101))
ROWS = 64
OWN_ROWS = 8  # of a call of bench_kernels
# What the lines of bench_kernels say: (figure, lines, goal).
SHARES = (("direct dense convolution", re.compile(r"(fwd|bwd_data|bwd_filter) (basset|bpnet)\d? \S+ \S+ k\d+ d\d+$"), 0.85),
          ("matrix product", re.compile(r"gemm [a-z]+ "), 0.9),
          ("LSTM steps", re.compile(r"lstm_(fwd kept|bwd|du) 32x75 "), 0.7))


def program(a, name, *arguments):
    """The program's lines, on one core."""
    p = subprocess.Popen([a.build / "tests" / "bench" / name, *arguments], stdout=subprocess.PIPE, text=True, env=contenders.environment(1),
                         preexec_fn=contenders.pin(1))
    yield from p.stdout
    if p.wait() != 0:
        sys.exit(f"bench: {name} ended with {p.returncode}")


def own(a, table):
    peak = triad = ""
    for line in program(a, "bench_kernels", a.isa, *([a.model] if a.model else [])):
        found = LINE.match(line)
        if found:
            table.add(provider=found[1], kernel=found[2], microseconds=found[3], gflops=found[4], of_peak=found[5], fma_peak=peak,
                      triad=triad)
        elif "triad" in line:
            triad = line.split()[1]
        elif "FMA peak" in line:
            peak = line.split()[-2]
        print(line, end="", flush=True)


def peers(a, table):
    """PyTorch's dense kernels (oneDNN) for the first layers, as conv1d and as conv2d with channels_last; with tcmalloc where there is
    one. Best of 7."""
    script = contenders.HERE / "peers" / "torch_kernels.py"
    names = [f"{what} {ROWS}x{length} 4>{filters} k{width}" for width, filters, length in CODES for what in ("conv_fwd", "conv_bwd_filter")]
    if a.model and not any(a.model in n for n in names):
        return
    argv = [a.python, script, str(ROWS), *(",".join(map(str, c)) for c in CODES)]
    r = subprocess.run(argv, stdout=subprocess.PIPE, text=True, preexec_fn=contenders.pin(1), check=False,
                       env=contenders.environment(1, contenders.preload().items()))
    if r.returncode != 0:
        print("bench: PyTorch's kernels could not be measured", file=sys.stderr)
        return
    for line in r.stdout.splitlines():
        row = json.loads(line)
        if not a.model or a.model in row["kernel"]:
            table.add(**row)
            print(f"{row['provider']:28s} {row['kernel']:40s} {row['microseconds']:>10} us {row['gflops']:>7} GFLOP/s")


# ---- goals ----

# (figure, slot on codes, tables built, dense kernel, goal). What is fused with relu and pooling does more than the dense kernel beside it.
PASSES = (("convolution on codes, forward", "codes_fwd", True, "fwd", 0.25),
          ("convolution on codes, filter gradient", "codes_grad", False, "bwd_filter", 0.25),
          ("with relu and pooling, forward", "codes_pool_fwd kept", True, "fwd", None),
          ("with relu and pooling, filter gradient", "codes_pool_bwd", False, "bwd_filter", None))


def on_codes(rows):
    """The convolutions on codes with 1 % N, as batches of ROWS: tables built once, the gradient folded once in OWN_ROWS rows; over the best
    dense kernel of any provider."""
    first, times = rows[0]["provider"], {}
    for r in rows:
        times.setdefault(r["kernel"], []).append((float(r["microseconds"]), r["provider"]))
    calls = ROWS // OWN_ROWS
    for width, filters, length in CODES:
        shape = f"{width}/{filters}/{length}"
        for figure, ours, tables, dense, goal in PASSES:
            parts = [(1, "codes_prepare", "clean")] if tables else []
            parts.append((calls, ours, "1 % N"))
            found = [[(n * t, p) for t, p in times.get(f"{name} {shape} {kind}", []) if p == first] for n, name, kind in parts]
            best = [(calls * t, p) for t, p in times.get(f"{dense} codes {shape} {OWN_ROWS}x{length} 4>{filters} k{width} d1", [])]
            best += times.get(f"conv_{dense} {ROWS}x{length} 4>{filters} k{width}", [])
            if all(found) and best:
                mine, (other, who) = sum(f[0][0] for f in found), min(best)
                yield (figure, shape, f"{mine / ROWS:.1f} us a sequence", f"{other / ROWS:.1f} us, {who}", f"{mine / other:.3f}",
                       f"<= {goal:g}" if goal else "", "" if not goal else "yes" if mine <= goal * other else "no")


def goals(a, rows):
    """A table of what was measured of them."""
    if not rows:
        sys.exit(f"bench: no kernel's line holds '{a.model}'")
    lines, first = list(on_codes(rows)), rows[0]["provider"]
    for figure, which, goal in SHARES:
        for r in rows:
            if r["provider"] == first and which.match(r["kernel"]):
                share = float(r["of_peak"]) / 100
                lines.append((figure, r["kernel"], f"{r['gflops']} GFLOP/s", f"{r['fma_peak']} GFLOP/s, FMA peak", f"{share:.3f}",
                              f">= {goal:g}", "yes" if share >= goal else "no"))
    if lines:
        figures.finish(a, "kernels-goals", ["figure", "shape", "seqnet", "beside", "ratio", "goal", "met"], lines)


def run(a):
    columns = ["provider", "kernel", "microseconds", "gflops", "of_peak", "fma_peak", "triad"]
    head = report.machine(TOP) + [("unit", "us a call; GFLOP/s of the plain algorithm, and % of the FMA peak of one core; triad GB/s")]
    table = report.Table(a.out / "kernels.tsv", columns, head)
    own(a, table)
    peers(a, table)
    goals(a, table.rows)
    print(f"written: {table.path}", file=sys.stderr)


def passes(a):
    for line in program(a, "bench_passes", *([a.model] if a.model else [])):
        print(line, end="", flush=True)
