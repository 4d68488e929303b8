"""Does the model learn the motif that is there? Train on each table of a folder (NAME.train.tsv.gz, NAME.test.tsv.gz), explain positives,
discover patterns, and look whether one of the first three is most like a motif of the accepted family."""
import pathlib
import re

import report
import tools
from case import TOP
from planted import write_positives

ETS = r"ELK\d|ETS\d|ETV\d|ELF\d|FLI1|ERG|ERF|FEV|EHF|GABPA|SPI\w|SPDEF"
E_BOX = r"USF\d|TFE\w+|MITF|MAX|MYCN?|MXI1|MNT|MLX\w*|BHLHE\d+|ARNTL?\d?|BMAL1|CLOCK|NPAS2|SREBF\d|HEY\d|HES\d|CBF1"
# Families by the factors' names in JASPAR; None: any match of q < .01 that tells peaks from shuffles by its own best hit.
ACCEPTED = {
    "REST_GM12878": r"REST",
    "CTCFL_K562": r"CTCFL?",
    "ELK1_GM12878": ETS,
    "GABPA_GM12878": ETS,
    "FOXA1_HepG2": r"FOX\w+",
    "USF1_HepG2": E_BOX,
    "MYC_H1-hESC": E_BOX,
    "SP1_GM12878": r"NFY[ABC]",
    "ARID3A_K562": r"GATA\d|TRPS1",
    "ZBTB7A_HepG2": None,
}
POSITIVES = 2000  # explained: of the test set, then of the training set, as who looks for motifs would
FIRST, LARGEST_Q, LEAST_AUC = 3, 0.01, 0.55


def in_family(name, family):
    return any(re.fullmatch(family, part, re.IGNORECASE) for part in name.split("::"))


def hit_auc(rows, table):
    """Area under the ROC curve of the best hit of a motif on either strand, peaks against shuffles."""
    weights = [[{b: (p[k] + 0.01) / 1.04 / 0.25 for k, b in enumerate(tools.LETTERS)} for p in m] for m in (rows, tools.reverse(rows))]
    logs = [[{b: tools.math.log2(v) for b, v in w.items()} | {"N": -10.0} for w in m] for m in weights]
    scores, labels = [], []
    for row in tools.read_table(table):
        s = row["sequence"].upper()
        scores.append(max(sum(w.get(b, -10.0) for w, b in zip(m, s[i:])) for m in logs for i in range(len(s) - len(rows) + 1)))
        labels.append(int(row["label"]))
    return tools.curves(scores, labels)[0]


def data_sets(folder):
    """[(name, tables to train on, table to test on)]"""
    if folder:
        tables = [(n, folder / f"{n}.train.tsv.gz", folder / f"{n}.test.tsv.gz") for n in ACCEPTED]
        return [t for t in tables if t[1].is_file()]
    rest = TOP / "data" / "tf_rest_gm12878"
    return [("REST_GM12878", rest / "train.tsv.gz", rest / "test.tsv.gz")]


def verdict(name, patterns, matches, test, database):
    """(right, words about each of the first patterns)"""
    right, words = False, []
    for pattern in patterns[:FIRST]:
        of_it = [m for m in matches if m["Query_ID"] == pattern]
        if not of_it:
            words.append("no match")
            continue
        best = min(of_it, key=lambda m: float(m["p-value"]))
        target, rows = database[best["Target_ID"]]
        word = f"{target} p {float(best['p-value']):.1e}"
        if ACCEPTED[name] is not None:
            right |= in_family(target, ACCEPTED[name])
        elif float(best["q-value"]) < LARGEST_Q:
            auc = hit_auc(rows, test)
            word += f" AUC {auc:.3f}"
            right |= auc > LEAST_AUC
        words.append(word)
    return right, words


def one(a, name, model, train, test, work, database, table):
    network, folder = work / f"{name}-{model}.seqnet", work / f"{name}-{model}"
    if not network.is_file():  # one of an earlier run is taken again
        tools.run(a, "train", "-m", a.models / (model + ".yaml"), "--data", train, "-o", network, "-@", a.threads[-1])
    tools.run(a, "evaluate", network, "--data", test, "-o", work / "metrics.tsv")
    auroc = next(r["value"] for r in tools.read_table(work / "metrics.tsv") if r["metric"] == "auroc")
    write_positives([test, train], work / "positives.fa", POSITIVES)
    seconds, peak = tools.run(a, "explain", network, work / "positives.fa", "-o", folder, "-@", a.threads[-1])
    again, peak_again = tools.run(a, "motifs", "discover", folder, "-o", folder / "patterns", "-@", a.threads[-1])
    found = folder / "patterns" / "motifs.meme"
    patterns = [p for p in tools.read_meme(found) if p.startswith("pos")]
    right, words = False, ["no pattern"]
    if patterns:
        tools.run(a, "motifs", "match", found, "--db", a.database, "--max-evalue", "1e9", "-o", folder / "matches.tsv")
        right, words = verdict(name, patterns, tools.read_table(folder / "matches.tsv"), test, database)
    table.add(set=name, model=model, test_auroc=auroc, right="yes" if right else "no", patterns=len(patterns), best="; ".join(words),
              seconds=f"{seconds + again:.1f}", peak_mb=max(peak, peak_again) >> 20)
    tools.say(f"  {name} {model}: auROC {auroc}, {'right' if right else 'WRONG'}: {'; '.join(words)}")


COLUMNS = ["set", "model", "test_auroc", "right", "patterns", "best", "seconds", "peak_mb"]


def figure(a):
    work = a.out / "encode"
    work.mkdir(parents=True, exist_ok=True)
    a.database = TOP / "data" / "motifs" / "jaspar.meme.gz"
    database = tools.read_meme(a.database)
    head = [("database", f"{a.database.name}, {len(database)} motifs"),
            ("explained", f"{POSITIVES} positives, those of the test set first"),
            ("right", f"the best match of one of the first {FIRST} patterns is in the family")]
    table = report.Table(a.out / "encode.tsv", COLUMNS, report.machine(TOP) + head)
    models = a.only.split(",") if a.only else ["cnn", "cnn-bilstm"]
    for name, train, test in data_sets(pathlib.Path(a.model) if a.model else None):
        for model in models:
            one(a, name, model, train, test, work, database, table)
    print(report.markdown(COLUMNS, [[r.get(c, "") for c in COLUMNS] for r in table.rows]))
    for model in models:
        rows = [r for r in table.rows if r["model"] == model]
        print(f"{model}: {sum(r['right'] == 'yes' for r in rows)} of {len(rows)}")
    tools.say(f"written: {table.path}")
