#!/usr/bin/env python3
"""Small data and models for the cases. usage: fixture.py SEQNET FOLDER"""
import pathlib
import random
import subprocess
import sys

seqnet, folder = sys.argv[1], pathlib.Path(sys.argv[2])
random.seed(1)


def bases(n):
    return "".join(random.choice("ACGT") for _ in range(n))


def planted(n, word):
    at = random.randrange(n - len(word))
    s = bases(n)
    return s[:at] + word + s[at + len(word):]


def write(name, text):
    (folder / name).write_text(text)


def fasta(records):
    return "".join(f">{name}\n{s}\n" for name, s in records)


def arch(name, length, alphabet="dna", activation="sigmoid", loss="binary_crossentropy"):
    return f"""name: {name}
input: {{length: {length}, alphabet: {alphabet}}}
layers:
  - conv1d: {{filters: 4, kernel_size: 5, activation: relu}}
  - global_max_pooling1d: {{}}
  - dense: {{units: tasks, activation: {activation}}}
training: {{loss: {loss}, optimizer: {{adam: {{learning_rate: 0.02}}}}, batch_size: 16, epochs: 6}}
"""


def train(model, architecture, *data):
    subprocess.run([seqnet, "train", "--quiet", "-@1", "-m", folder / architecture, "-o", folder / model, *data], check=True)


# yes or no: a planted word
rows = [(planted(40, "TGACTCA") if i % 2 else bases(40), i % 2) for i in range(120)]
write("labelled.tsv", "sequence\tbound\n" + "".join(f"{s}\t{y}\n" for s, y in rows))
write("pos.fa", fasta((f"pos{i}", s) for i, (s, y) in enumerate(rows) if y))
write("neg.fa", fasta((f"neg{i}", s) for i, (s, y) in enumerate(rows) if not y))
write("three.fa", fasta([("one", planted(40, "TGACTCA")), ("two with a comment", bases(40)), ("short", bases(25))]))
# three classes, two tasks with missing values, numbers
write("classes.tsv", "name\tsequence\tkind\n" + "".join(f"r{i}\t{planted(40, w)}\t{k}\n" for i in range(30)
                                                      for k, w in (("left", "AAAAAA"), ("none", "CGCGCG"), ("right", "TTTTTT"))))
write("tasks.tsv", "sequence\tfirst\tsecond\n" + "".join(f"{bases(40)}\t{i % 2}\t{'NA' if i % 5 == 0 else i // 2 % 2}\n" for i in range(60)))
write("numbers.tsv", "sequence\tlevel\n" + "".join(f"{s}\t{s.count('G') * 0.25}\n" for s in (bases(40) for _ in range(60))))
# a genome with planted words, and intervals on it
genome = {"chr1": list(bases(2000)), "chr2": list(bases(700))}
sites = [("chr1", p) for p in range(100, 1900, 150)] + [("chr2", p) for p in range(80, 620, 150)]
for chrom, p in sites:
    genome[chrom][p:p + 7] = "TGACTCA"
write("genome.fa", "".join(f">{c}\n" + "\n".join("".join(s)[i:i + 60] for i in range(0, len(s), 60)) + "\n" for c, s in genome.items()))
write("peaks.bed", "".join(f"{c}\t{p - 10}\t{p + 20}\tpeak{i}\t0\t{'+-'[i % 2]}\n" for i, (c, p) in enumerate(sites)))

write("tiny.yaml", arch("tiny", 40))
write("variable.yaml", arch("variable", 0))
write("classes.yaml", arch("classes", 40, activation="softmax", loss="categorical_crossentropy"))
write("numbers.yaml", arch("numbers", 40, activation="linear", loss="mean_squared_error"))
write("protein.yaml", arch("protein", 40, alphabet="protein"))
train("tiny.seqnet", "tiny.yaml", "--data", folder / "labelled.tsv")
train("other.seqnet", "tiny.yaml", "--data", folder / "labelled.tsv", "--seed", "2")
train("variable.seqnet", "variable.yaml", "--data", folder / "labelled.tsv")
train("classes.seqnet", "classes.yaml", "--data", folder / "classes.tsv")
train("tasks.seqnet", "tiny.yaml", "--data", folder / "tasks.tsv")
train("numbers.seqnet", "numbers.yaml", "--data", folder / "numbers.tsv")
