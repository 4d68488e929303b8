#!/usr/bin/env python3
"""DeepLIFT Reveal-Cancel of one net, unit by unit: every value of every layer is an object that knows its inputs and weights, and each rule is
written as it is defined. Nothing is shared with the tensors of the program. Plain Python; usage: reveal_cancel.py > reveal_cancel.h"""
import math
import random

LEN, CH = 12, 4
random.seed(20)


def relu(x):
    return max(x, 0.0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


SLOPES = {relu: lambda x: float(x > 0), sigmoid: lambda x: sigmoid(x) * sigmoid(-x), math.tanh: lambda x: 1 - math.tanh(x) ** 2}


def quotient(f, a, b):
    return (f(a) - f(b)) / (a - b) if a != b else SLOPES[f](a)


class Unit:
    """kind: input, linear (weights of a layer), scale (one weight), sum, max, or a function of one input."""

    def __init__(self, kind, inputs=(), bias=0.0, f=None, rule=None):
        self.kind, self.inputs, self.bias, self.f, self.rule = kind, list(inputs), bias, f, rule
        ALL.append(self)

    def value(self, at):
        if self.kind == "input":
            return
        values = [u.v[at] for u, _ in self.inputs]
        if self.kind == "max":
            self.v[at] = max(values)
        elif self.kind == "function":
            self.v[at] = self.f(values[0])
        else:
            self.v[at] = self.bias + sum(w * v for (_, w), v in zip(self.inputs, values))

    def parts(self):
        d = self.delta = self.v[0] - self.v[1]
        self.m = [0.0, 0.0]
        if self.kind in ("input", "max"):
            self.p, self.n = max(d, 0.0), min(d, 0.0)
        elif self.kind == "linear":
            terms = [w * u.delta for u, w in self.inputs]
            self.p, self.n = sum(t for t in terms if t > 0), sum(t for t in terms if t < 0)
        elif self.kind in ("scale", "sum"):
            self.p = sum(w * (u.p if w >= 0 else u.n) for u, w in self.inputs)
            self.n = sum(w * (u.n if w >= 0 else u.p) for u, w in self.inputs)
        else:
            a = self.inputs[0][0]
            a0, p, n, f = a.v[1], a.p, a.n, self.f
            if self.rule == "rescale":
                self.q = [quotient(f, a.v[0], a0)] * 2
            else:
                self.q = [(quotient(f, a0 + p, a0) + quotient(f, a0 + n + p, a0 + n)) / 2,
                          (quotient(f, a0 + n, a0) + quotient(f, a0 + p + n, a0 + p)) / 2]
                up = (f(a0 + p) - f(a0)) / 2 + (f(a0 + n + p) - f(a0 + n)) / 2
                down = (f(a0 + n) - f(a0)) / 2 + (f(a0 + p + n) - f(a0 + p)) / 2
                assert abs(up - self.q[0] * p) < 1e-12 and abs(down - self.q[1] * n) < 1e-12
            self.p, self.n = self.q[0] * p, self.q[1] * n
        assert abs(self.p + self.n - d) < 1e-12, (self.kind, self.p, self.n, d)

    def one(self):
        return self.m[0] if self.delta > 0 else self.m[1] if self.delta < 0 else sum(self.m) / 2

    def give(self):
        plus, minus = self.m
        if self.kind == "max":
            values = [[u.v[at] for u, _ in self.inputs] for at in (0, 1)]
            k = values[0].index(self.v[0]) if self.v[0] >= self.v[1] else values[1].index(self.v[1])
            u = self.inputs[k][0]
            got = self.one() * (self.delta / u.delta if u.delta else 1)
            u.m = [u.m[0] + got, u.m[1] + got]
        elif self.kind == "function":
            u = self.inputs[0][0]
            u.m = [u.m[0] + self.q[0] * plus, u.m[1] + self.q[1] * minus]
        elif self.kind == "linear":
            for u, w in self.inputs:
                if u.delta > 0:
                    got = w * (plus if w > 0 else minus)
                elif u.delta < 0:
                    got = w * (plus if w < 0 else minus)
                else:
                    got = w * (plus + minus) / 2
                u.m = [u.m[0] + got, u.m[1] + got]
        elif self.kind != "input":
            for u, w in self.inputs:
                u.m = [u.m[0] + w * (plus if w >= 0 else minus), u.m[1] + w * (minus if w >= 0 else plus)]


def weights(*shape):
    if len(shape) == 1:
        return [round(random.uniform(-1, 1), 3) for _ in range(shape[0])]
    return [weights(*shape[1:]) for _ in range(shape[0])]


W = {"conv": weights(4, CH, 5), "conv_bias": weights(5), "gamma": weights(5), "beta": weights(5), "mean": weights(5),
     "var": [abs(v) + 0.5 for v in weights(5)], "dilated": weights(3, 5, 5), "dilated_bias": weights(5), "dense": weights(20, 6),
     "dense_bias": weights(6), "gamma2": weights(6), "beta2": weights(6), "mean2": weights(6), "var2": [abs(v) + 0.5 for v in weights(6)],
     "last": weights(6, 1), "last_bias": weights(1)}
EPS = 0.001


def conv(x, w, b, dilation):
    """padding same"""
    k, n = len(w), len(x)
    left = ((k - 1) * dilation) // 2
    rows = []
    for q in range(n):
        taps = [(t, q - left + t * dilation) for t in range(k) if 0 <= q - left + t * dilation < n]
        rows.append([Unit("linear", [(x[p][c], w[t][c][f]) for t, p in taps for c in range(len(x[0]))], b[f]) for f in range(len(b))])
    return rows


def norm(x, gamma, beta, mean, var):
    s = [g / math.sqrt(v + EPS) for g, v in zip(gamma, var)]
    return [[Unit("scale", [(u, s[c])], beta[c] - s[c] * mean[c]) for c, u in enumerate(row)] for row in x]


def function(x, f, rule):
    return [[Unit("function", [(u, 1)], f=f, rule=rule) for u in row] for row in x]


def pool(x, size, kind, w):
    return [[Unit(kind, [(x[q + t][c], w) for t in range(size)]) for c in range(len(x[0]))] for q in range(0, len(x) - size + 1, size)]


def dense(x, w, b):
    return [[Unit("linear", [(u, w[i][j]) for i, u in enumerate(x[0])], b[j]) for j in range(len(b))]]


def net(conv_rule, dense_rule):
    """The default rules after a convolution, and after a dense layer."""
    global ALL
    ALL = []
    x = [[Unit("input") for _ in range(CH)] for _ in range(LEN)]
    a = function(norm(conv(x, W["conv"], W["conv_bias"], 1), W["gamma"], W["beta"], W["mean"], W["var"]), relu, conv_rule)
    m = pool(a, 2, "max", 1)
    d = conv(m, W["dilated"], W["dilated_bias"], 2)
    t = function(d, math.tanh, conv_rule)
    s = [[Unit("sum", [(u, 1), (v, 1)]) for u, v in zip(r, q)] for r, q in zip(m, t)]
    u = function(s, sigmoid, conv_rule)
    v = function([r + q for r, q in zip(u, d)], relu, conv_rule)
    p = pool(v, 3, "sum", 1 / 3)
    e = norm(dense([p[0] + p[1]], W["dense"], W["dense_bias"]), W["gamma2"], W["beta2"], W["mean2"], W["var2"])
    y = dense(function(e, relu, dense_rule), W["last"], W["last_bias"])[0][0]
    return x, y


def explain(rules, seq, ref):
    x, y = net(*rules)
    for row, one, other in zip(x, seq, ref):
        for u, a, b in zip(row, one, other):
            u.v = [a, b]
    for u in ALL:
        if u.kind != "input":
            u.v = [0, 0]
            u.value(0), u.value(1)
    for u in ALL:
        u.parts()
    y.m = [1.0, 1.0]
    for u in reversed(ALL):
        u.give()
    m = [u.one() for row in x for u in row]
    c = [k * u.delta for k, u in zip(m, (u for row in x for u in row))]
    assert abs(sum(c) - (y.v[0] - y.v[1])) < 1e-12 * (1 + sum(map(abs, c)))
    return y.v, m


def flat(v):
    return [e for w in v for e in flat(w)] if isinstance(v, list) else [v]


def show(name, v):
    print(f"static const double rc_{name}[] = {{{', '.join(f'{e:.12g}' for e in flat(v))}}};")


one_hot = {b: [float(b == c) for c in "ACGT"] for b in "ACGT"}
seq = "GATTACAGTCCA"
references = {"base": [one_hot[b] for b in "TGATCCAGTACG"], "uniform": [[0.25] * 4] * LEN}
print("/* Written by reveal_cancel.py; do not edit. */\n/* clang-format off */")
print(f'static const char rc_sequence[] = "{seq}", rc_reference[] = "TGATCCAGTACG";')
for name, w in W.items():
    show(name, w)
for name, ref in references.items():
    for rule, rules in (("all", ("cancel", "cancel")), ("genomics", ("rescale", "cancel")), ("rescale", ("rescale", "rescale"))):
        y, m = explain(rules, [one_hot[b] for b in seq], ref)
        show(f"{name}_{rule}_f", y)
        show(f"{name}_{rule}", m)
