#!/usr/bin/env python3
"""Gradients and integrated gradients of small networks by PyTorch in double precision: writes gradients.h beside itself (needs torch).

Weights follow from a generator of integers, in the order of a model's parameters; test_gradient_goldens.c makes the same."""
import pathlib

import torch
import torch.nn.functional as F

LETTERS = "ACGT"
SEQUENCES = ["ACGTTGACTCAGGCATTACG", "TTTGCGCATAGGACCNTGAC"]
LENGTH = 20
CLOSE, FIRST, MOST = 1e-3, 64, 1024


class Numbers:
    def __init__(self):
        self.state = 12345

    def take(self, *shape):
        out = []
        for _ in range(int(torch.Size(shape).numel())):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            out.append(((self.state >> 8) - 2**23) / 2**24)
        return torch.tensor(out, dtype=torch.float64).reshape(shape)


def conv(x, kernel, bias):  # x (L, C), kernel (K, C, F)
    return F.conv1d(x.T[None], kernel.permute(2, 1, 0), bias)[0].T


def lstm(x, kernel, recurrent, bias):  # gates i, f, c, o; the last state
    units = recurrent.shape[0]
    h = c = torch.zeros(units, dtype=torch.float64)
    for row in x:
        i, f, g, o = (row @ kernel + h @ recurrent + bias).split(units)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


def pool_net(tasks):
    n = Numbers()
    k, b = n.take(5, 4, 6), n.take(6)
    d1, e1, d2, e2 = n.take(30, 5), n.take(5), n.take(5, tasks), n.take(tasks)

    def forward(x):
        y = F.relu(conv(x, k, b))
        y = F.max_pool1d(y.T[None], 3, 3)[0].T.reshape(-1)
        return F.relu(y @ d1 + e1) @ d2 + e2

    return forward


def lstm_net(tasks):
    n = Numbers()
    k, b = n.take(3, 4, 4), n.take(4)
    sides = [(n.take(4, 12), n.take(3, 12), n.take(12)) for _ in range(2)]
    d, e = n.take(6, tasks), n.take(tasks)

    def forward(x):
        y = F.relu(conv(x, k, b))
        return torch.cat([lstm(y, *sides[0]), lstm(y.flip(0), *sides[1])]) @ d + e

    return forward


def value(net, x, classes, probability, average):
    """Of the second task or class: its logit (of classes less the mean of all) or its probability."""
    z = net(x)
    if average:
        z = (z + net(x.flip(0, 1))) / 2
    if probability:
        return torch.softmax(z, 0)[1] if classes else torch.sigmoid(z[1])
    return z[1] - z.mean() if classes else z[1]


def gradient(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def path(f, x):
    """Mean gradient at the middle points of steps from zero, their number doubled until the sum is right."""
    steps = FIRST
    with torch.no_grad():
        difference = float(f(x) - f(torch.zeros_like(x)))
    while True:
        mean = sum(gradient(f, x * ((s + 0.5) / steps)) for s in range(steps)) / steps
        miss = abs(float((mean * x).sum()) - difference)
        if steps == MOST or miss <= CLOSE * max(1, abs(difference)):
            return mean
        steps *= 2


def main():
    lines = ["/* Made by gradients.py: gradients of the value and their means along the way from zero, (length, 4). */"]
    lines.append("#ifndef SN_TESTS_GRADIENTS_H\n#define SN_TESTS_GRADIENTS_H\n\n/* clang-format off */")
    lines.append(f"#define SEQUENCES {len(SEQUENCES)}\n#define LENGTH {LENGTH}")
    lines.append("static const char *const golden_sequence[SEQUENCES] = {%s};" % ", ".join(f'"{s}"' for s in SEQUENCES))
    lines.append("static const struct golden {\n    int net;\n    bool classes, probability, average;\n    float gradient[SEQUENCES][LENGTH * 4], "
                 "path[SEQUENCES][LENGTH * 4];\n} goldens[] = {")
    for number, make in enumerate((pool_net, lstm_net)):
        for classes in (False, True):
            for probability in (False, True):
                average = classes == probability
                net = make(3)

                def f(x):
                    return value(net, x, classes, probability, average)

                inputs = [torch.tensor([[float(c == b) for c in LETTERS] for b in s], dtype=torch.float64) for s in SEQUENCES]
                words = [str(number)] + [str(w).lower() for w in (classes, probability, average)]
                lines.append("    {" + ", ".join(words) + ",")
                for of in (gradient, path):
                    rows = ["{" + ",".join("%.9g" % v for v in of(f, x).reshape(-1).tolist()) + "}" for x in inputs]
                    lines.append("     {" + ",\n      ".join(wrap(r) for r in rows) + "},")
                lines[-1] = lines[-1][:-1] + "},"
    lines.append("};\n/* clang-format on */\n\n#endif")
    (pathlib.Path(__file__).parent / "gradients.h").write_text("\n".join(lines) + "\n")


def wrap(row, width=130):
    out, line = [], ""
    for word in row.split(","):
        if len(line) + len(word) > width:
            out.append(line)
            line = "       "
        line += word + ","
    return "\n".join(out + [line[:-1]])


if __name__ == "__main__":
    main()
