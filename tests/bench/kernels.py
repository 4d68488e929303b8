"""`bench kernels`: what bench_kernels prints as a table, beside PyTorch's convolutions of the same shapes."""
import json
import re
import subprocess
import sys

import contenders
import report
from case import TOP

LINE = re.compile(r"(\S.*?)\s{2,}(\S.*?)\s+([\d.]+) us\s+([\d.]+) GFLOP/s\s+([\d.]+) %")
# The convolutions on codes that the README quotes: (width, filters, length), rows of a call.
CODES = ((26, 320, 1000), (19, 300, 600), (24, 16, 101))
ROWS = 64


def own(a, table):
    """Lines of bench_kernels, on one core."""
    p = subprocess.Popen([a.build / "tests" / "bench" / "bench_kernels", *([a.model] if a.model else [])], stdout=subprocess.PIPE, text=True,
                         env=contenders.environment(1), preexec_fn=contenders.pin(1))
    peak = triad = ""
    for line in p.stdout:
        found = LINE.match(line)
        if found:
            table.add(provider=found[1], kernel=found[2], microseconds=found[3], gflops=found[4], of_peak=found[5], fma_peak=peak, triad=triad)
        elif "triad" in line:
            triad = line.split()[1]
        elif "FMA peak" in line:
            peak = line.split()[-2]
        print(line, end="", flush=True)
    if p.wait() != 0:
        sys.exit(f"bench: bench_kernels ended with {p.returncode}")


def peers(a, table):
    """PyTorch's dense kernels (oneDNN) for the first layers, as conv1d and as conv2d with channels_last; with tcmalloc where there is
    one. Best of 7."""
    script = contenders.HERE / "peers" / "torch_kernels.py"
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


def run(a):
    columns = ["provider", "kernel", "microseconds", "gflops", "of_peak", "fma_peak", "triad"]
    head = report.machine(TOP) + [("unit", "us a call; GFLOP/s of the plain algorithm, and % of the FMA peak of one core; triad GB/s")]
    table = report.Table(a.out / "kernels.tsv", columns, head)
    own(a, table)
    peers(a, table)
    print(f"written: {table.path}", file=sys.stderr)
