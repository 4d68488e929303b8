"""bench_work against counts made by hand, for a net of each kind. Usage: check_work.py BENCH_WORK"""
import json
import subprocess
import sys
import tempfile

BATCH, TASKS, LENGTH = 3, 2, 40
HEAD = "name: %s\ninput: {length: 40, alphabet: dna, strand: forward}\nlayers:\n%s"
DENSE = "  - flatten\n  - dense: {name: last, units: tasks, activation: sigmoid}\n"
FLOATS = 4 * 2  # bytes of a float, written once and read once

# {net: (layers, {(layer, pass): (how, flop of a row, bytes of a row, bytes of the batch)})}; bytes None: not checked.
NETS = {
    # 37 outputs of 2 pairs of taps, of which 36 lie under 9 windows; winners are bytes
    "pool": ("  - conv1d: {name: c, filters: 8, kernel_size: 4, activation: relu}\n  - max_pooling1d: {pool_size: 4}\n" + DENSE, {
        ("c", "forward"): ("codes, fused", 2 * 36 * 2 * 8, 9 * 8 * FLOATS + 2 * 9 * 8 + 40, 4 * (4 * 4 * 8 + 8)),
        ("c", "gradient kernel"): ("codes, winners", 2 * 9 * 2 * 8, 40, FLOATS * 4 * 4 * 8),
        ("c", "update"): ("Adam", 0, 0, 6 * 4 * (4 * 4 * 8 + 8)),
        ("last", "forward"): ("", 2 * 72 * 2, 2 * FLOATS, 4 * (72 * 2 + 2)),
        ("last", "backward"): ("", 2 * 72 * 2, 72 * FLOATS, 4 * 72 * 2),
        ("last", "gradient kernel"): ("", 2 * 72 * 2, 0, FLOATS * 72 * 2),
        ("last", "gradient bias"): ("", 0, 0, FLOATS * 2)}),
    "global": ("  - conv1d: {name: c, filters: 8, kernel_size: 5, padding: same, activation: relu}\n  - global_max_pooling1d\n"
               "  - dense: {name: last, units: tasks, activation: sigmoid}\n", {
                   ("c", "forward"): ("codes, fused", 2 * 40 * 3 * 8, 8 * FLOATS + 2 * 4 * 8 + 40, 4 * (5 * 4 * 8 + 8)),
                   ("c", "gradient kernel"): ("codes, winners", 2 * 3 * 8, 40, FLOATS * 5 * 4 * 8)}),
    # a convolution on codes alone; one with few channels; one in tiles of 6 outputs and 3 taps, in two phases: 3 tiles each of 18 outputs,
    # 4 each of the 20 positions of the data gradient
    "convs": ("  - conv1d: {name: c, filters: 8, kernel_size: 5, padding: same}\n  - batch_normalization\n"
              "  - relu: {name: r}\n  - conv1d: {name: d, filters: 16, kernel_size: 3, padding: same}\n  - batch_normalization\n"
              "  - conv1d: {name: t, filters: 16, kernel_size: 3, dilation_rate: 2}\n  - global_average_pooling1d\n"
              "  - dense: {name: last, units: tasks, activation: sigmoid}\n", {
                  ("c", "forward"): ("codes", 2 * 40 * 3 * 8, None, None),
                  ("c", "gradient kernel"): ("codes", 2 * 40 * 3 * 8, 40, FLOATS * 5 * 4 * 8),
                  ("r", "forward"): ("", 0, 0, 0),  # in place
                  ("d", "forward"): ("direct", 2 * 40 * 3 * 8 * 16, None, None),
                  ("d", "backward"): ("direct", 2 * 40 * 3 * 8 * 16, None, None),
                  ("d", "gradient kernel"): ("direct", 2 * 40 * 3 * 8 * 16, 0, FLOATS * 3 * 8 * 16),
                  ("t", "forward"): ("Toom-Cook F(6,3)", 2 * 6 * 8 * 16 * 16, None, None),
                  ("t", "backward"): ("Toom-Cook F(6,3)", 2 * 8 * 8 * 16 * 16, None, None),
                  ("t", "gradient kernel"): ("Toom-Cook F(6,3)", 2 * 6 * 8 * 16 * 16, 0, FLOATS * 3 * 16 * 16)}),
    # nothing before it needs a gradient; then one that does. Gates, cell and state are kept: 6 values a unit
    "lstm": ("  - conv1d: {name: c, filters: 8, kernel_size: 4, activation: relu}\n  - max_pooling1d: {pool_size: 4}\n"
             "  - lstm: {name: l, units: 16, bidirectional: true}\n  - dense: {name: last, units: tasks, activation: sigmoid}\n", {
                 ("l", "forward"): ("", 2 * 2 * 64 * (9 * 8 + 8 * 16), (2 * 16 + 2 * 9 * 6 * 16) * FLOATS, 2 * 4 * (8 * 64 + 16 * 64 + 64)),
                 ("l", "backward"): ("", 2 * 2 * 64 * (9 * 8 + 8 * 16), (9 * 8 + 2 * 9 * 64) * FLOATS, 2 * 4 * (8 * 64 + 16 * 64)),
                 ("l", "gradient kernel"): ("", 2 * 64 * 9 * 8, 0, FLOATS * 8 * 64),
                 ("l", "gradient reverse_recurrent_kernel"): ("", 2 * 64 * 8 * 16, 0, FLOATS * 16 * 64)}),
    # fused with relu alone
    "relu": ("  - conv1d: {name: c, filters: 8, kernel_size: 5, activation: relu}\n"
             "  - conv1d: {name: d, filters: 8, kernel_size: 4, activation: relu}\n" + DENSE, {
                 ("c", "forward"): ("codes", 2 * 36 * 3 * 8, 36 * 8 * FLOATS + 40, 4 * (5 * 4 * 8 + 8)),
                 ("c", "gradient kernel"): ("codes", 2 * 36 * 3 * 8, 40, FLOATS * 5 * 4 * 8),
                 ("d", "forward"): ("direct", 2 * 33 * 4 * 8 * 8, 33 * 8 * FLOATS, 4 * (4 * 8 * 8 + 8)),
                 ("d", "backward"): ("direct", 2 * 33 * 4 * 8 * 8, None, None)}),
    # the input needs no gradient: no product for it
    "bare": ("  - lstm: {name: l, units: 16}\n  - dense: {name: last, units: tasks, activation: sigmoid}\n", {
        ("l", "forward"): ("", 2 * 64 * (40 * 4 + 39 * 16), None, None),
        ("l", "backward"): ("", 2 * 64 * 39 * 16, None, None)}),
}


def problems(program, name, text, expected, folder):
    path = f"{folder}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(HEAD % (name, text))
    r = subprocess.run([program, path, str(LENGTH), str(TASKS), str(BATCH)], stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in r.stdout.splitlines():
        row = json.loads(line)
        found.setdefault((row["layer"], row["pass"]), row)
    for key, (how, flop, row_bytes, batch_bytes) in expected.items():
        if key not in found:
            yield f"{name}: {key}: not counted"
            continue
        want = {"how": how, "flop": BATCH * flop}
        if row_bytes is not None:
            want["bytes"] = BATCH * row_bytes + batch_bytes
        for k, v in want.items():
            if found[key][k] != v:
                yield f"{name}: {key}: {k} is {found[key][k]}, expected {v}"


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        bad = [p for name, (text, expected) in NETS.items() for p in problems(program, name, text, expected, folder)]
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
