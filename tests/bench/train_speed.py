#!/usr/bin/env python3
"""Training steps per second of cnn, basset and danq, batch 64, seqnet against PyTorch on the same cores, in turns in one run.
usage: train_speed.py SEQNET [--threads 1,2] [--nets cnn,basset,danq] [--repeats 3]       (needs torch; CUDA is hidden)

Wall: an epoch's time as each program measures it, without start-up. CPU: user + system time of a step, for seqnet the difference between
a long and a short run; on a busy machine only these compare, and only for one thread. Medians over the repeats. PyTorch gets its
one-hot batches ready-made; seqnet reads codes, draws reverse complements and shifts."""
import argparse
import csv
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BATCH = 64
NETS = {"cnn": (101, 60), "basset": (600, 5), "danq": (1000, 3)}  # length, steps an epoch
EPOCHS = 4


# ---- PyTorch ----

def torch_net(name, nn):
    """The layers of models/NAME.yaml with one output."""
    torch = sys.modules["torch"]

    class Ends(nn.Module):
        def forward(self, x):
            return torch.cat([x.amax(2), x.mean(2)], 1)

    class Lstm(nn.LSTM):
        def forward(self, x):
            return super().forward(x.transpose(1, 2))[0].flatten(1)

    def conv(cin, cout, width, pool, **padding):
        return [nn.Conv1d(cin, cout, width, padding="same"), nn.BatchNorm1d(cout), nn.ReLU(), nn.MaxPool1d(pool, **padding)]

    if name == "cnn":
        layers = [nn.Conv1d(4, 64, 11, padding="same"), nn.MaxPool1d(4), nn.ReLU(), nn.Dropout(0.1),
                  nn.Conv1d(64, 64, 9, padding="same"), nn.ReLU(), Ends(), nn.Dropout(0.2),
                  nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1)]
    elif name == "basset":
        layers = [*conv(4, 300, 19, 3), *conv(300, 200, 11, 4), *conv(200, 200, 7, 4, ceil_mode=True), nn.Flatten()]
        for n in (2600, 1000):
            layers += [nn.Linear(n, 1000), nn.BatchNorm1d(1000), nn.ReLU(), nn.Dropout(0.3)]
        layers.append(nn.Linear(1000, 1))
    else:
        layers = [nn.Conv1d(4, 320, 26), nn.ReLU(), nn.MaxPool1d(13), nn.Dropout(0.2), Lstm(320, 320, batch_first=True, bidirectional=True),
                  nn.Dropout(0.5), nn.Linear(75 * 640, 925), nn.ReLU(), nn.Linear(925, 1)]
    return nn.Sequential(*layers)


def run_torch(name, threads):
    """Prints wall and CPU seconds of a step, and the version. In a process of its own."""
    import torch
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    length, steps = NETS[name]
    net = torch_net(name, torch.nn)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    loss_of = torch.nn.MSELoss()
    x = torch.nn.functional.one_hot(torch.randint(4, (steps, BATCH, length)), 4).transpose(2, 3).float().contiguous()
    y = torch.rand(steps, BATCH, 1)
    walls = []
    for epoch in range(EPOCHS):
        start, cpu = time.perf_counter(), time.process_time() if epoch <= 1 else cpu
        for i in range(steps):
            optimizer.zero_grad()
            loss_of(net(x[i]), y[i]).backward()
            optimizer.step()
        walls.append((time.perf_counter() - start) / steps)
    cpu = (time.process_time() - cpu) / (steps * (EPOCHS - 1))  # the first epoch warms up
    print(json.dumps({"wall": statistics.median(walls[1:]), "cpu": cpu, "version": torch.__version__}))


# ---- seqnet ----

def write_table(path, length, rows):
    rng = random.Random(1)
    path.write_text("sequence\ty\n" + "".join(f"{''.join(rng.choices('ACGT', k=length))}\t{rng.random():.4f}\n" for _ in range(rows)))


def children_cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def run_seqnet(seqnet, name, threads, d):
    steps = NETS[name][1]

    def train(epochs):
        cpu = children_cpu()
        subprocess.run([seqnet, "train", "--quiet", f"-@{threads}", "-m", name, "--data", d / f"{name}.tsv", "--valid-data",
                        d / "valid.tsv", "--batch-size", str(BATCH), "--min-steps", "0", "--epochs", str(epochs), "--log", d / "log.tsv",
                        "-o", d / "m.seqnet"], check=True)
        return children_cpu() - cpu

    short = train(1)
    cpu = (train(EPOCHS) - short) / (steps * (EPOCHS - 1))
    with open(d / "log.tsv") as f:
        walls = [float(row["seconds"]) / steps for row in csv.DictReader(f, delimiter="\t")]
    return {"wall": statistics.median(walls[1:]), "cpu": cpu}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("seqnet", type=pathlib.Path)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--nets", default=",".join(NETS))
    p.add_argument("--repeats", type=int, default=3)
    a = p.parse_args()
    seqnet = a.seqnet.resolve()
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    print("net\tthreads\tseqnet steps/s\ttorch steps/s\tratio\tseqnet CPU ms/step\ttorch CPU ms/step\tratio")
    version = ""
    with tempfile.TemporaryDirectory(prefix="seqnet-bench-") as folder:
        d = pathlib.Path(folder)
        for name in a.nets.split(","):
            length, steps = NETS[name]
            write_table(d / f"{name}.tsv", length, BATCH * steps)
            write_table(d / "valid.tsv", length, 2)
            for threads in map(int, a.threads.split(",")):
                ours, theirs = [], []
                for _ in range(a.repeats):
                    ours.append(run_seqnet(seqnet, name, threads, d))
                    torch = [sys.executable, __file__, "--torch", name, str(threads)]
                    theirs.append(json.loads(subprocess.run(torch, env=env, check=True, capture_output=True).stdout))
                version = theirs[-1]["version"]
                w, t = median(ours, "wall"), median(theirs, "wall")
                c, u = median(ours, "cpu"), median(theirs, "cpu")
                print(f"{name}\t{threads}\t{1 / w:.2f}\t{1 / t:.2f}\t{t / w:.2f}\t{1000 * c:.1f}\t{1000 * u:.1f}\t{u / c:.2f}", flush=True)
    print(f"# PyTorch {version}; batch {BATCH}; median of {a.repeats}; load {os.getloadavg()[0]:.1f}")


if sys.argv[1:2] == ["--torch"]:
    run_torch(sys.argv[2], int(sys.argv[3]))
else:
    main()
