"""`seqnet explain` from end to end: wall time and peak memory of 1 000 sequences of 101 bp with the default model."""
import statistics

import report
import tools
from case import TOP

COLUMNS = ["model", "sequences", "threads", "rounds", "seconds", "min", "max", "peak_mb"]


def figure(a):
    work = a.out / "explain"
    work.mkdir(parents=True, exist_ok=True)
    data = TOP / "data" / "tf_rest_gm12878"
    n = len(tools.read_table(data / "test.tsv.gz"))
    table = report.Table(a.out / "explain.tsv", COLUMNS, [*report.machine(TOP), ("data", "tf_rest_gm12878/test.tsv.gz, 101 bp")])
    for model in [a.model] if a.model else ["cnn", "cnn-bilstm"]:
        network = work / (model + ".seqnet")
        tools.run(a, "train", "-m", a.models / (model + ".yaml"), "--data", data / "train.tsv.gz", "-o", network, "-@", a.threads[-1])
        for threads in a.threads:
            runs = [tools.run(a, "explain", network, data / "test.tsv.gz", "-o", work / model, "-@", threads) for _ in range(a.rounds)]
            seconds = [s for s, _ in runs]
            table.add(model=model, sequences=n, threads=threads, rounds=a.rounds, seconds=f"{statistics.median(seconds):.2f}",
                      min=f"{min(seconds):.2f}", max=f"{max(seconds):.2f}", peak_mb=max(p for _, p in runs) >> 20)
    print(report.markdown(COLUMNS, [[r.get(c, "") for c in COLUMNS] for r in table.rows]))
    tools.say(f"written: {table.path}")
