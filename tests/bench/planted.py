"""Explanations where the truth is known: motifs planted in random sequence, a model trained on them, its contributions against the
planted bases and the patterns against the planted motifs."""
import random

import report
import tools
from case import TOP

# Three in which nothing is alike, of 16 bits and more, so that few sequences hold one by chance: CTCF, NFE2, USF2; HNF4A, SRF, ZNF143.
SETS = [["MA0139.2", "MA0841.2", "MA0526.5"], ["MA1494.2", "MA0083.3", "MA0088.2"]]
LENGTH = 200
TRAIN, TEST = 1000, 500  # of each label
FOUND, LIKE = 0.9, 0.75  # mean Pearson correlation of columns: found; below: like no planted motif


def draw(rng, row):
    u = rng.random() * sum(row)
    for letter, p in zip(tools.LETTERS, row):
        u -= p
        if u < 0:
            return letter
    return tools.LETTERS[max(range(4), key=lambda k: row[k])]


def plant(rng, motifs):
    """A random sequence with one to three of the motifs, each once, on a strand and at a place by chance, none over another. No motif
    twice: a maximum over positions credits one site. Often one alone: the model must need each. Returns (sequence, planted or not)."""
    sequence = [tools.LETTERS[int(rng.random() * 4)] for _ in range(LENGTH)]
    planted, chosen = [0] * LENGTH, list(motifs)
    for _ in range(int(rng.random() * len(motifs))):
        del chosen[int(rng.random() * len(chosen))]
    for rows in chosen:
        rows = rows if rng.random() < 0.5 else tools.reverse(rows)
        while True:
            at = int(rng.random() * (LENGTH - len(rows) + 1))
            if not any(planted[at:at + len(rows)]):
                break
        sequence[at:at + len(rows)] = [draw(rng, r) for r in rows]
        planted[at:at + len(rows)] = [1] * len(rows)
    return "".join(sequence), planted


def write_table(path, rng, n, motifs):
    """n sequences with sites and n without, in turn. Returns the planted bases of the positives."""
    masks = []
    with open(path, "w") as f:
        f.write("sequence\tlabel\n")
        for _ in range(n):
            sequence, mask = plant(rng, motifs)
            masks.append(mask)
            f.write(f"{sequence}\t1\n{''.join(tools.LETTERS[int(rng.random() * 4)] for _ in range(LENGTH))}\t0\n")
    return masks


def write_positives(tables, path, most):
    """FASTA of the first positives of some tables."""
    n = 0
    with open(path, "w") as f:
        for row in (r for t in tables for r in tools.read_table(t)):
            if row["label"] == "1" and n < most:
                f.write(f">s{n}\n{row['sequence']}\n")
                n += 1


def base_scores(folder, masks):
    """Means over sequences of (auROC, auPR) of the planted bases by three scores: squared norm of the hypothetical contributions of the
    four letters, the same about their mean, and the contribution of the letter that is there."""
    shape, h = tools.read_npz(folder / "hypothetical.npz")
    _, own = tools.read_npz(folder / "contributions.npz")
    if shape != (len(masks), 4, LENGTH):
        raise SystemExit(f"bench: {folder}: arrays of {shape}, expected {(len(masks), 4, LENGTH)}")
    result = []
    for values, score in ((h, norm), (h, centred_norm), (own, sum)):
        areas = [tools.curves([score([values[(i * 4 + c) * LENGTH + p] for c in range(4)]) for p in range(LENGTH)], mask)
                 for i, mask in enumerate(masks)]
        result += [tools.mean(v) for v in zip(*areas)]
    return result


def norm(v):
    return sum(x * x for x in v)


def centred_norm(v):
    m = sum(v) / len(v)
    return sum((x - m) ** 2 for x in v)


def judge(patterns, motifs):
    """(best similarity of each planted motif, names of patterns like none of them, [(pattern, best similarity)])."""
    table = {name: [tools.similarity(rows, m) for m in motifs] for name, rows in patterns.items()}
    best = [max((s[k] for s in table.values()), default=0) for k in range(len(motifs))]
    return best, [name for name, s in table.items() if max(s) < LIKE], [(name, max(s)) for name, s in table.items()]


def one_model(a, model, work, masks, motifs, table, number):
    network = work / (model + ".seqnet")
    tools.run(a, "train", "-m", a.models / (model + ".yaml"), "--data", work / "train.tsv", "-o", network, "-@", a.threads[-1])
    tools.run(a, "evaluate", network, "--data", work / "test.tsv", "-o", work / "metrics.tsv")
    auroc = next(r["value"] for r in tools.read_table(work / "metrics.tsv") if r["metric"] == "auroc")
    for setting in (a.only.split(",") if a.only else ["deeplift"]):
        method, _, rule = setting.partition("/")
        folder = work / f"{model}-{setting.replace('/', '-')}"
        seconds, peak = tools.run(a, "explain", network, work / "positives.fa", "-o", folder, "-@", a.threads[-1], "--method", method,
                                  *(["--rule", rule] if rule else []))
        scores = base_scores(folder, masks)
        row = dict(zip(SCORES, (f"{s:.4f}" for s in scores)), set=number, model=model, test_auroc=auroc,
                   method=setting, seconds=f"{seconds:.1f}", peak_mb=peak >> 20)
        tools.say(f"  set {number}, {model} {setting}: test auROC {auroc}, bases: " + ", ".join(f"{s:.3f}" for s in scores))
        if not tools.has_command(a, "motifs", "discover"):
            table.add(**row)
            continue
        for density in ("compat", "consistent"):
            table.add(**row, density=density, **discover(a, folder, density, motifs))


def discover(a, folder, density, motifs):
    out = folder / density
    seconds, peak = tools.run(a, "motifs", "discover", folder, "--density", density, "-o", out, "-@", a.threads[-1])
    patterns = {}  # with their flanks: a narrow core still is the motif
    for row in tools.read_table(out / "matrices.tsv"):
        patterns.setdefault(row["pattern"], []).append([float(row["frequency_" + c]) for c in tools.LETTERS])
    best, spurious, each = judge(patterns, motifs)
    tools.say(f"    {density}: planted motifs at {' '.join(f'{b:.3f}' for b in best)}; " + ", ".join(f"{n} {s:.2f}" for n, s in each))
    return {"found": sum(b >= FOUND for b in best), "best": " ".join(f"{b:.3f}" for b in best), "patterns": len(each),
            "spurious": len(spurious), "discover_seconds": f"{seconds:.1f}", "discover_peak_mb": peak >> 20}


SCORES = ["norm_auroc", "norm_aupr", "centred_auroc", "centred_aupr", "own_auroc", "own_aupr"]
COLUMNS = ["set", "model", "test_auroc", "method", *SCORES, "seconds", "peak_mb", "density", "found", "best", "patterns", "spurious",
           "discover_seconds", "discover_peak_mb"]


def one_set(a, number, known, table):
    work = a.out / "planted" / f"set{number}"
    work.mkdir(parents=True, exist_ok=True)
    motifs, rng = [known[name][1] for name in SETS[number - 1]], random.Random(number)
    write_table(work / "train.tsv", rng, TRAIN, motifs)
    masks = write_table(work / "test.tsv", rng, TEST, motifs)
    write_positives([work / "test.tsv"], work / "positives.fa", TEST)
    for model in [a.model] if a.model else ["cnn", "cnn-bilstm"]:
        one_model(a, model, work, masks, motifs, table, number)


def figure(a):
    known = tools.read_meme(TOP / "data" / "motifs" / "JASPAR2024_subset.meme")
    head = [(f"set {i}", ", ".join(f"{m} {known[m][0]} {tools.information(known[m][1]):.1f} bits" for m in names))
            for i, names in enumerate(SETS, 1)]
    head += [("data", f"{TRAIN} + {TRAIN} to train, {TEST} + {TEST} to test, {LENGTH} bp, one to three of the motifs in each positive"),
             ("bases", "auROC and auPR of the planted ones: norm: squared, of hypothetical contributions; centred: about their mean; own: "
              "contribution"),
             ("best", f"likeness of the best pattern to each planted motif; found: {FOUND}; spurious: below {LIKE} with all")]
    table = report.Table(a.out / "planted.tsv", COLUMNS, report.machine(TOP) + head)
    for number in range(1, len(SETS) + 1):
        one_set(a, number, known, table)
    print(report.markdown(COLUMNS, [[r.get(c, "") for c in COLUMNS] for r in table.rows]))
    tools.say(f"written: {table.path}")
