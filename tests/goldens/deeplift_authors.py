#!/usr/bin/env python3
"""The DeepLIFT authors' Keras model against seqnet: logits and Rescale contributions.

usage: deeplift_authors.py FOLDER SEQNET      (needs numpy and h5py; not run by the test suite)

FOLDER holds the GATA/TAL model of github.com/AvantiShri/model_storage (deeplift/genomics, commit d53ee8e7; it has no licence, so it cannot
come with seqnet) and what it is expected to say, computed independently in float64:
  *modelJson.json *modelWeights.h5        the Keras 2 model: two convolutions, average pooling, two dense layers, three sigmoids
  sequences.simdata.gz                    name, sequence (200 bp), ...
  expected_logits_test800.tsv.gz          name and three logits
  expected_rescale_names.txt              names of the sequences explained
  expected_rescale_contrib_NxTx200x4.npy  (x - r) * multiplier on all four channels; r = A .3 C .2 G .2 T .3 at every position

seqnet has no such reference, but every window of a valid convolution sees columns that sum to 1: the background moves into the first
layer, w' = w - sum_c r_c w_c and b' = b + sum r_c w_c. The logits stay, zeros now stand for the background, and the hypothetical
contributions against zeros are those against r: m_c - sum_k r_k m_k. From the expected table m = e / (x - r)."""
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import h5py
import numpy as np

BACKGROUND = np.array([0.3, 0.2, 0.2, 0.3])
LIMIT = 1e-5


# ---- Keras -> seqnet ----

def read_keras(folder):
    """The layers as seqnet writes them, and the tensors of each."""
    (text,), (weights,) = folder.glob("*modelJson.json"), folder.glob("*modelWeights.h5")
    layers, tensors, length = [], {}, None
    with h5py.File(weights) as f:
        for layer in json.loads(text.read_text())["config"]:
            word, c = layer["class_name"], layer["config"]
            name = c["name"]
            length = length or c.get("batch_input_shape", [None, None])[1]
            if word == "Conv1D":
                assert c["dilation_rate"] == [1] and c["activation"] == "linear" and c["use_bias"]
                one = {"conv1d": {"filters": c["filters"], "kernel_size": c["kernel_size"][0], "strides": c["strides"][0],
                                  "padding": c["padding"]}}
            elif word == "AveragePooling1D":
                one = {"average_pooling1d": {"pool_size": c["pool_size"][0], "strides": c["strides"][0], "padding": c["padding"]}}
            elif word == "Dense":
                assert c["activation"] == "linear" and c["use_bias"]
                one = {"dense": {"units": c["units"]}}
            elif word == "Dropout":
                one = {"dropout": {"rate": c["rate"]}}
            elif word == "Activation":
                one = {c["activation"]: {}}
            elif word == "Flatten":
                one = {"flatten": {}}
            else:
                sys.exit(f"layer {name}: {word} is not expected here")
            next(iter(one.values()))["name"] = name
            layers.append(one)
            for key in ("kernel", "bias"):
                if name in f[name]:
                    tensors[f"{name}/{key}"] = f[name][name][key + ":0"][()].astype(np.float64)
    return length, layers, tensors


def fold_background(tensors, first):
    out = dict(tensors)
    w = tensors[f"{first}/kernel"]
    mean = np.einsum("kcf,c->kf", w, BACKGROUND)
    out[f"{first}/kernel"] = w - mean[:, None, :]
    out[f"{first}/bias"] = tensors[f"{first}/bias"] + mean.sum(0)
    return out


CRC_TABLE = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
    CRC_TABLE.append(i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return f"{crc ^ 0xFFFFFFFF:08x}"


def write_model(path, length, layers, tensors, tasks):
    """A model file: safetensors with the identity in its metadata."""
    blobs = {name: v.astype("<f4").tobytes() for name, v in tensors.items()}
    identity = {
        "format": 1,
        "architecture": {
            "name": "deeplift-authors",
            "inputs": {"input": {"length": length, "alphabet": "dna"}},
            "layers": layers,
            "training": {"loss": "binary_crossentropy"},
        },
        "kind": "binary",
        "tasks": tasks,
        "shuffled_negatives": False,
        "crc32c": {name: crc32c(b) for name, b in blobs.items()},
    }
    header = {"__metadata__": {"seqnet_identity": json.dumps(identity), "seqnet_provenance": "{}"}}
    at = 0
    for name, b in blobs.items():
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(b)]}
        at += len(b)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs.values()))


# ---- the comparison ----

def table(path):
    with gzip.open(path, "rt") as f:
        return [line.rstrip("\n").split("\t") for line in f][1:]


def write_fasta(path, names, sequences):
    path.write_text("".join(f">{n}\n{sequences[n]}\n" for n in names))


def check(what, got, expected):
    worst = np.abs(got - expected).max()
    print(f"{what}: {expected.size} values, largest {np.abs(expected).max():.3g}, largest difference {worst:.2g}, at most {LIMIT:g}")
    return got.shape == expected.shape and worst <= LIMIT


def main():
    folder, seqnet = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    length, layers, tensors = read_keras(folder)
    sequences = {row[0]: row[1] for row in table(folder / "sequences.simdata.gz")}
    rows = table(folder / "expected_logits_test800.tsv.gz")
    logits = np.array([row[1:] for row in rows], dtype=np.float64)
    names = (folder / "expected_rescale_names.txt").read_text().split()
    (expected,) = folder.glob("expected_rescale_contrib_*.npy")
    expected = np.load(expected).astype(np.float64)  # (sequences, tasks, length, 4)
    tasks = [f"task{i + 1}" for i in range(logits.shape[1])]
    x = np.array([[[b == c for c in "ACGT"] for b in sequences[n]] for n in names], dtype=np.float64)[:, None]
    m = expected / (x - BACKGROUND)
    hypothetical = m - (m * BACKGROUND).sum(-1, keepdims=True)
    ok = True
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        write_model(tmp / "model.seqnet", length, layers, tensors, tasks)
        write_model(tmp / "folded.seqnet", length, layers, fold_background(tensors, "conv1d_1"), tasks)
        write_fasta(tmp / "all.fa", [row[0] for row in rows], sequences)
        write_fasta(tmp / "some.fa", names, sequences)
        for model in ("model", "folded"):
            out = subprocess.run([seqnet, "predict", "--quiet", "--logits", tmp / f"{model}.seqnet", tmp / "all.fa"],
                                 check=True, capture_output=True, text=True).stdout.splitlines()
            assert out[0].split("\t")[1:] == tasks, out[0]
            ok &= check(f"logits, {model}", np.array([line.split("\t")[1:] for line in out[1:]], dtype=np.float64), logits)
        for i, task in enumerate(tasks):
            subprocess.run([seqnet, "explain", "--quiet", "--references", "zero", "--task", task, "--n-logos", "0", "-o", tmp / task,
                            tmp / "folded.seqnet", tmp / "some.fa"], check=True)
            hyp, act = (np.load(tmp / task / f"{f}.npz")["arr_0"].transpose(0, 2, 1) for f in ("hypothetical", "contributions"))
            ok &= check(f"hypothetical contributions, {task}", hyp, hypothetical[:, i])
            ok &= check(f"contributions, {task}", act.sum(-1), expected[:, i].sum(-1))
    return 0 if ok else 1


sys.exit(main())
