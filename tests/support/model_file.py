"""A .seqnet model file as plain Python: its layers with shapes, in order, and its weights as numpy arrays. What the builders of the same
model in other frameworks (torch_model.py and tests/bench) start from."""
import dataclasses
import json
import struct

import numpy as np

ACTIVATIONS = ("relu", "sigmoid", "tanh", "softmax", "linear")


@dataclasses.dataclass
class Layer:
    op: str
    name: str
    inputs: list  # names; "encode" is the one-hot input
    params: dict
    shapes: list  # of the inputs: (length, channels) or (channels,)
    out: tuple

    @property
    def pad(self):
        """(left, right) of a convolution or pooling with `padding: same`, else (0, 0)."""
        return padding(self)


def window(layer):
    """Size, stride and dilation of a convolution or pooling."""
    p = layer.params
    size = p.get("kernel_size") or p.get("pool_size")
    return size, p.get("strides", 1 if "kernel_size" in p else size), p.get("dilation_rate", 1)


def padding(layer):
    if layer.params.get("padding") != "same":
        return 0, 0
    size, stride, dilation = window(layer)
    length = layer.shapes[0][0]
    total = max(((length + stride - 1) // stride - 1) * stride + (size - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def output_shape(op, p, shapes, layer):
    s = shapes[0]
    if op in ("conv1d", "max_pooling1d", "average_pooling1d"):
        size, stride, dilation = window(layer)
        length = s[0] + sum(padding(layer)) - (size - 1) * dilation
        return (length - 1) // stride + 1, p.get("filters", s[1])
    if op == "dense":
        return (*s[:-1], p["units"])
    if op == "lstm":
        units = p["units"] * (2 if p.get("bidirectional") else 1)
        return (s[0], units) if p.get("return_sequences") else (units,)
    if op.startswith("global_"):
        return (s[1],)
    if op == "flatten":
        return (int(np.prod(s)),)
    if op == "concatenate":
        return (*s[:-1], sum(x[-1] for x in shapes))
    if op in ACTIVATIONS or op in ("dropout", "batch_normalization", "add"):
        return s
    raise NotImplementedError(f"layer {op}: not known to tests/support/model_file.py")


class ModelFile:
    """length: of the input, where the model takes any."""

    def __init__(self, path, length=0):
        with open(path, "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            data = f.read()
        identity = json.loads(header.pop("__metadata__")["seqnet_identity"])
        self.weights = {}
        for name, t in header.items():
            a, b = t["data_offsets"]
            self.weights[name] = np.frombuffer(data[a:b], np.float32).reshape(t["shape"]).copy()
        arch = identity["architecture"]
        if len(arch["inputs"]) != 1 or len(arch["heads"]) != 1:
            raise NotImplementedError("models with several inputs or heads")
        self.name, self.training = arch["name"], arch["training"]
        self.loss, self.output = arch["heads"][0]["loss"], arch["heads"][0]["layer"]
        self.length = next(iter(arch["inputs"].values()))["length"] or length
        self.layers, shapes = [], {"encode": (self.length, 4)}
        for entry in arch["layers"]:
            (op, p), = entry.items()
            layer = Layer(op, p["name"], p["inputs"], p, [shapes[i] for i in p["inputs"]], ())
            layer.out = shapes[layer.name] = output_shape(op, p, layer.shapes, layer)
            self.layers.append(layer)
        self.tasks = shapes[self.output][-1]
        last = self.layers[-1]
        assert last.name == self.output, "the head is the last layer"
        self.logits = last.inputs[0] if last.op in ("sigmoid", "softmax") else last.name

    def weight(self, layer, name):
        """The array, or None where the layer has none of that name."""
        return self.weights.get(f"{layer.name}/{name}")

    def parameters(self):
        return sum(w.size for w in self.weights.values())
