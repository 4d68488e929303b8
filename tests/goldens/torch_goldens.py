#!/usr/bin/env python3
"""Golden tensors of small nets, computed by PyTorch in float64: logits, loss, gradients, 10 steps of SGD and Adam.

Writes torch.json.gz beside itself. Needs torch and pyyaml; the tests need neither. Layers mean what Keras says they mean."""
import gzip
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
import yaml

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

CASES = {
    "conv_pool_dense": ("""
input: {length: 40}
layers:
  - conv1d: {filters: 8, kernel_size: 7, padding: same, activation: relu}
  - max_pooling1d: {pool_size: 4}
  - conv1d: {filters: 6, kernel_size: 3, activation: relu}
  - max_pooling1d: {pool_size: 3, strides: 2}
  - flatten: {}
  - dense: {units: 5, activation: relu}
  - dense: {units: 1, activation: sigmoid}
""", "binary_crossentropy"),
    "strides_multitask": ("""
input: {length: 33}
layers:
  - conv1d: {filters: 7, kernel_size: 6, strides: 3, activation: tanh}
  - conv1d: {filters: 5, kernel_size: 4, padding: same, strides: 2, activation: sigmoid}
  - average_pooling1d: {pool_size: 2, strides: 1}
  - flatten: {}
  - dense: {units: 4, activation: sigmoid}
""", "binary_crossentropy"),
    "global_pools": ("""
input: {length: 29}
layers:
  - conv1d: {filters: 6, kernel_size: 5, padding: same, activation: relu, name: c}
  - global_max_pooling1d: {inputs: [c], name: m}
  - global_average_pooling1d: {inputs: [c], name: a}
  - concatenate: {inputs: [m, a]}
  - dense: {units: 3, activation: softmax}
""", "categorical_crossentropy"),
    "batch_norm": ("""
input: {length: 21}
layers:
  - conv1d: {filters: 5, kernel_size: 5}
  - batch_normalization: {}
  - relu: {}
  - flatten: {}
  - dense: {units: 4}
  - batch_normalization: {epsilon: 0.01, momentum: 0.9}
  - tanh: {}
  - dense: {units: 2}
""", "mean_squared_error"),
    "lstm_last": ("""
input: {length: 15}
layers:
  - lstm: {units: 6}
  - dense: {units: 2}
""", "mean_squared_error"),
    "bilstm": ("""
input: {length: 24}
layers:
  - conv1d: {filters: 8, kernel_size: 5, activation: relu}
  - max_pooling1d: {pool_size: 2}
  - lstm: {units: 5, bidirectional: true, return_sequences: true}
  - lstm: {units: 4, bidirectional: true}
  - dense: {units: 3, activation: sigmoid}
""", "binary_crossentropy"),
    "backwards": ("""
input: {length: 12}
layers:
  - lstm: {units: 5, go_backwards: true, return_sequences: true}
  - global_max_pooling1d: {}
  - dense: {units: 1, activation: sigmoid}
""", "binary_crossentropy"),
    "residual": ("""
input: {length: 18}
layers:
  - conv1d: {filters: 5, kernel_size: 3, padding: same, name: x}
  - relu: {name: r}
  - conv1d: {filters: 5, kernel_size: 3, padding: same, name: y}
  - add: {inputs: [x, y], name: s}
  - linear: {}
  - dense: {units: 4, activation: tanh}
  - global_average_pooling1d: {}
  - dense: {units: 3, activation: softmax}
""", "categorical_crossentropy"),
    "dilated": ("""
input: {length: 31}
layers:
  - conv1d: {filters: 6, kernel_size: 5, padding: same, activation: relu, name: x}
  - conv1d: {filters: 6, kernel_size: 3, padding: same, dilation_rate: 2, activation: relu, name: y}
  - add: {inputs: [x, y], name: s}
  - conv1d: {filters: 5, kernel_size: 4, padding: same, dilation_rate: 3, activation: relu, name: z}
  - conv1d: {filters: 4, kernel_size: 4, dilation_rate: 3, activation: tanh, name: v}
  - global_average_pooling1d: {}
  - dense: {units: 3, activation: sigmoid}
""", "binary_crossentropy"),
}
BATCH = 13
LR = 0.05
ADAM = dict(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
CODE = {"A": 1, "C": 2, "G": 4, "T": 8, "N": 15}


class Net:
    """The layers as functions of named float64 tensors in seqnet's order and shapes."""

    def __init__(self, text, rng):
        spec = yaml.safe_load(text)
        self.length, self.steps, self.params, self.buffers = spec["input"]["length"], [], {}, {}
        final = {}
        names, shapes, last = {}, {"encode": (self.length, 4)}, "encode"
        for entry in spec["layers"]:
            (op, cfg), = entry.items()
            inputs = [final.get(i, i) for i in cfg.get("inputs", [last])]  # a layer's name means its output, activation included
            name = cfg.get("name") or (op if op not in names else f"{op}_{names[op]}")
            names[op] = names.get(op, 0) + 1
            shapes[name] = self.add(op, name, cfg, inputs, [shapes[i] for i in inputs], rng)
            last = name
            if "activation" in cfg:
                self.steps.append((cfg["activation"], name + "_act", {}, [name]))
                shapes[name + "_act"] = shapes[name]
                last = final[name] = name + "_act"
        self.last = last
        self.logits = self.steps[-1][3][0] if self.steps[-1][0] in ("sigmoid", "softmax") else last
        self.tasks = shapes[last][-1]

    def weight(self, name, rng, *shape, scale=0.4, buffer=False):
        v = (rng.standard_normal(shape) * scale).astype(np.float32).astype(np.float64)
        (self.buffers if buffer else self.params)[name] = torch.tensor(v, requires_grad=not buffer)

    def add(self, op, name, cfg, inputs, shp, rng):
        self.steps.append((op, name, cfg, inputs))
        s = shp[0]
        if op == "conv1d":
            k, f, st = cfg["kernel_size"], cfg["filters"], cfg.get("strides", 1)
            span = (k - 1) * cfg.get("dilation_rate", 1) + 1
            self.weight(name + "/kernel", rng, k, s[1], f)
            self.weight(name + "/bias", rng, f)
            same = cfg.get("padding") == "same"
            return ((s[0] + st - 1) // st if same else (s[0] - span) // st + 1, f)
        if op == "dense":
            self.weight(name + "/kernel", rng, s[-1], cfg["units"])
            self.weight(name + "/bias", rng, cfg["units"])
            return s[:-1] + (cfg["units"],)
        if op == "lstm":
            h, dirs = cfg["units"], 2 if cfg.get("bidirectional") else 1
            for d in ["", "reverse_"][:dirs]:
                self.weight(f"{name}/{d}kernel", rng, s[1], 4 * h)
                self.weight(f"{name}/{d}recurrent_kernel", rng, h, 4 * h)
                self.weight(f"{name}/{d}bias", rng, 4 * h)
            return (s[0], h * dirs) if cfg.get("return_sequences") else (h * dirs,)
        if op == "batch_normalization":
            self.weight(name + "/gamma", rng, s[-1], scale=1)
            self.weight(name + "/beta", rng, s[-1])
            self.buffers[name + "/moving_mean"] = torch.zeros(s[-1])
            self.buffers[name + "/moving_variance"] = torch.ones(s[-1])
            return s
        if op in ("max_pooling1d", "average_pooling1d"):
            p = cfg["pool_size"]
            return ((s[0] - p) // cfg.get("strides", p) + 1, s[1])
        if op.startswith("global_"):
            return (s[1],)
        if op == "concatenate":
            return s[:-1] + (sum(x[-1] for x in shp),)
        if op == "flatten":
            return (s[0] * s[1],)
        return s

    def lstm(self, x, name, cfg):
        h, dirs = cfg["units"], 2 if cfg.get("bidirectional") else 1
        flip = cfg.get("go_backwards", False)
        m = torch.nn.LSTM(x.shape[2], h, batch_first=True, bidirectional=dirs == 2)
        new = {}
        for d, suffix in (("", ""), ("reverse_", "_reverse"))[:dirs]:
            new["weight_ih_l0" + suffix] = self.params[f"{name}/{d}kernel"].T
            new["weight_hh_l0" + suffix] = self.params[f"{name}/{d}recurrent_kernel"].T
            new["bias_ih_l0" + suffix] = self.params[f"{name}/{d}bias"]
            new["bias_hh_l0" + suffix] = torch.zeros(4 * h)
        out, (hn, _) = torch.func.functional_call(m, new, (x.flip(1) if flip else x,))
        if cfg.get("return_sequences"):
            return out.flip(1) if flip else out
        return torch.cat(list(hn), dim=1)

    def step(self, op, name, cfg, xs, training):
        x, p = xs[0], self.params
        if op == "conv1d":
            st, apart = cfg.get("strides", 1), cfg.get("dilation_rate", 1)
            span = (cfg["kernel_size"] - 1) * apart + 1
            x = x.transpose(1, 2)
            if cfg.get("padding") == "same":
                total = max(((x.shape[2] + st - 1) // st - 1) * st + span - x.shape[2], 0)
                x = F.pad(x, (total // 2, total - total // 2))
            return F.conv1d(x, p[name + "/kernel"].permute(2, 1, 0), p[name + "/bias"], stride=st, dilation=apart).transpose(1, 2)
        if op == "dense":
            return x @ p[name + "/kernel"] + p[name + "/bias"]
        if op == "lstm":
            return self.lstm(x, name, cfg)
        if op == "batch_normalization":
            eps, mom = cfg.get("epsilon", 0.001), cfg.get("momentum", 0.99)
            axes = tuple(range(x.dim() - 1))
            mean, var = x.mean(axes), x.var(axes, unbiased=False)
            if training:
                for key, v in (("/moving_mean", mean), ("/moving_variance", var)):
                    self.buffers[name + key] = mom * self.buffers[name + key] + (1 - mom) * v.detach()
            else:
                mean, var = self.buffers[name + "/moving_mean"], self.buffers[name + "/moving_variance"]
            return (x - mean) / torch.sqrt(var + eps) * p[name + "/gamma"] + p[name + "/beta"]
        if op == "max_pooling1d":
            return F.max_pool1d(x.transpose(1, 2), cfg["pool_size"], cfg.get("strides", cfg["pool_size"])).transpose(1, 2)
        if op == "average_pooling1d":
            return F.avg_pool1d(x.transpose(1, 2), cfg["pool_size"], cfg.get("strides", cfg["pool_size"])).transpose(1, 2)
        if op == "global_max_pooling1d":
            return F.max_pool1d(x.transpose(1, 2), x.shape[1]).squeeze(2)
        if op == "global_average_pooling1d":
            return x.mean(1)
        if op == "add":
            return sum(xs)
        if op == "concatenate":
            return torch.cat(xs, dim=-1)
        if op == "flatten":
            return x.flatten(1)
        return {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda v: v,
                "softmax": lambda v: torch.softmax(v, -1)}[op](x)

    def forward(self, x, training=True):
        v = {"encode": x}
        for op, name, cfg, inputs in self.steps:
            v[name] = self.step(op, name, cfg, [v[i] for i in inputs], training)
        return v[self.logits], v[self.last]


def loss_of(kind, z, t):
    seen = ~torch.isnan(t)
    if kind == "categorical_crossentropy":
        return -(torch.log_softmax(z, 1) * t).sum() / z.shape[0]
    if kind == "binary_crossentropy":
        return F.binary_cross_entropy_with_logits(z[seen], t[seen])
    return ((z - t)[seen] ** 2).mean()


def flat(d):
    return {k: v.detach().numpy().ravel().tolist() for k, v in d.items()}


def case(name, text, kind, seed):
    rng = np.random.default_rng(seed)
    net = Net(text, rng)
    seqs = ["".join(rng.choice(list("ACGTN"), p=[.24, .24, .24, .24, .04], size=net.length)) for _ in range(BATCH)]
    x = torch.zeros(BATCH, net.length, 4)
    for i, s in enumerate(seqs):
        for j, c in enumerate(s):
            if c != "N":
                x[i, j, "ACGT".index(c)] = 1
    if kind == "categorical_crossentropy":
        t = F.one_hot(torch.tensor(rng.integers(0, net.tasks, BATCH)), net.tasks).double()
    else:
        t = torch.tensor(rng.integers(0, 2, (BATCH, net.tasks)) if kind == "binary_crossentropy" else rng.standard_normal((BATCH, net.tasks)).astype(np.float32)).double()
        t[1:][torch.tensor(rng.random((BATCH - 1, net.tasks)) < .15)] = float("nan")
    start = {k: v.detach().clone() for k, v in net.params.items()}
    buffers = {k: v.clone() for k, v in net.buffers.items()}
    out = {"architecture": f"name: {name}\n{text.strip()}\ntraining: {{loss: {kind}}}\n", "sequences": seqs, "tasks": net.tasks,
           "targets": [[None if v != v else v for v in row] for row in t.tolist()], "parameters": flat(start) | flat(buffers)}
    z, _ = net.forward(x)
    loss = loss_of(kind, z, t)
    loss.backward()
    out |= {"logits": z.detach().tolist(), "loss": loss.item(), "gradients": {k: v.grad.numpy().ravel().tolist() for k, v in net.params.items()}}

    def train(step):
        for k in start:
            net.params[k] = start[k].clone().requires_grad_()
        net.buffers = {k: v.clone() for k, v in buffers.items()}
        for i in range(10):
            g = torch.autograd.grad(loss_of(kind, net.forward(x)[0], t), list(net.params.values()))
            with torch.no_grad():
                for (k, p), d in zip(net.params.items(), g):
                    step(k, p, d, i + 1)
        return flat(net.params) | flat(net.buffers)

    out["sgd"] = train(lambda k, p, d, i: p.sub_(LR * d))
    velocity = {k: torch.zeros_like(v) for k, v in start.items()}

    def nesterov(k, p, d, i):
        velocity[k] = 0.9 * velocity[k] - LR * d
        p.add_(0.9 * velocity[k] - LR * d)

    out["nesterov"] = train(nesterov)
    m, v = ({k: torch.zeros_like(w) for k, w in start.items()} for _ in range(2))

    def adam(k, p, d, i):
        m[k] = ADAM["beta_1"] * m[k] + (1 - ADAM["beta_1"]) * d
        v[k] = ADAM["beta_2"] * v[k] + (1 - ADAM["beta_2"]) * d * d
        lr = ADAM["learning_rate"] * np.sqrt(1 - ADAM["beta_2"] ** i) / (1 - ADAM["beta_1"] ** i)
        p.sub_(lr * m[k] / (torch.sqrt(v[k]) + ADAM["epsilon"]))

    out["adam"] = train(adam)
    return out


def main():
    cases = {n: case(n, text, kind, i) for i, (n, (text, kind)) in enumerate(CASES.items())}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch.json.gz")
    doc = {"generator": "torch_goldens.py", "torch": torch.__version__, "learning_rate": LR, "adam": ADAM, "cases": cases}
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        f.write(json.dumps(doc).encode())
    print(path, os.path.getsize(path), file=sys.stderr)


if __name__ == "__main__":
    main()
