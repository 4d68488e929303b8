"""The model of a .seqnet file as a PyTorch module with the file's weights.

Sequences run channels-first as PyTorch likes them: (N, C, L), or (N, C, 1, L) with `flat2d`, where conv1d becomes conv2d of height 1 and
channels_last applies. A flattened sequence keeps PyTorch's order (C, L); the rows of the dense kernel behind it are permuted instead."""
import torch
import torch.nn.functional as F
from torch import nn

from model_file import window

SAME = ("relu", "tanh", "linear", "dropout", "sigmoid")  # leave the order of a flattened sequence alone


def tensor(a):
    return torch.from_numpy(a.copy())


def lstm_weight(a):
    """(in, 4H) to (4H, in): both order the gates i, f, c, o."""
    return tensor(a.T)


class Window(nn.Module):
    """Padding that PyTorch's own layers cannot do, before them."""

    def __init__(self, layer, pad, value):
        super().__init__()
        self.layer, self.pad, self.value = layer, pad, value

    def forward(self, x):
        return self.layer(F.pad(x, self.pad, value=self.value))


class TorchModel(nn.Module):
    def __init__(self, model, flat2d=False):
        super().__init__()
        self.model, self.flat2d = model, flat2d
        self.permuted = {}  # name of a flattened sequence in (C, L) order: its (length, channels)
        self.last = {"encode": False}  # name: is it (N, L, C)?
        self.modules_of = nn.ModuleDict()
        for layer in model.layers:
            m = self.build(layer)
            if m is not None:
                self.modules_of[layer.name] = m

    # ---- building ----

    def build(self, layer):
        op, source = layer.op, layer.inputs[0]
        same = op in SAME + ("dense", "softmax", "batch_normalization", "add", "concatenate")
        self.last[layer.name] = len(layer.out) == 2 and (op == "lstm" or (same and self.last[source]))
        if source in self.permuted:
            if op in SAME:
                self.permuted[layer.name] = self.permuted[source]
            elif op != "dense":
                raise NotImplementedError(f"{op} of a flattened sequence")
        if op == "flatten" and not self.last[source]:
            self.permuted[layer.name] = layer.shapes[0]
        make = getattr(self, "build_" + op, None)
        return make(layer) if make else None

    def build_conv1d(self, layer):
        size, stride, dilation = window(layer)
        kernel, bias = self.model.weight(layer, "kernel"), self.model.weight(layer, "bias")
        left, right = layer.pad
        own = left == right or stride == 1  # what PyTorch's `padding` can do
        padding = (left if left == right else "same") if own else 0
        make = nn.Conv2d if self.flat2d else nn.Conv1d
        if self.flat2d:
            padding = padding if padding == "same" else (0, padding)
            size, stride, dilation = (1, size), (1, stride), (1, dilation)
        conv = make(kernel.shape[1], kernel.shape[2], size, stride, padding, dilation, bias=bias is not None)
        w = tensor(kernel.transpose(2, 1, 0))
        conv.weight.data = w.unsqueeze(2).contiguous() if self.flat2d else w.contiguous()
        if bias is not None:
            conv.bias.data = tensor(bias)
        return conv if own else Window(conv, (left, right), 0.0)

    def build_max_pooling1d(self, layer):
        size, stride, _ = window(layer)
        left, right = layer.pad
        own = left == right and left <= size // 2
        make, pad = (nn.MaxPool2d if self.flat2d else nn.MaxPool1d), left if own else 0
        pool = make((1, size), (1, stride), (0, pad)) if self.flat2d else make(size, stride, pad)
        return pool if own else Window(pool, (left, right), float("-inf"))

    def build_average_pooling1d(self, layer):
        size, stride, _ = window(layer)
        left, right = layer.pad
        if left != right:
            raise NotImplementedError("average pooling with unequal padding")
        if self.flat2d:
            return nn.AvgPool2d((1, size), (1, stride), (0, left), count_include_pad=False)
        return nn.AvgPool1d(size, stride, left, count_include_pad=False)

    def build_batch_normalization(self, layer):
        p = layer.params
        make = nn.BatchNorm1d if not self.flat2d or len(layer.out) == 1 else nn.BatchNorm2d
        norm = make(layer.out[-1], eps=p["epsilon"], momentum=1 - p["momentum"])
        for name, ours in (("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")):
            getattr(norm, name).data = tensor(self.model.weight(layer, ours))
        return norm

    def build_dense(self, layer):
        kernel, bias = self.model.weight(layer, "kernel"), self.model.weight(layer, "bias")
        if layer.inputs[0] in self.permuted:
            length, channels = self.permuted[layer.inputs[0]]
            kernel = kernel.reshape(length, channels, -1).transpose(1, 0, 2).reshape(length * channels, -1)
        linear = nn.Linear(kernel.shape[0], kernel.shape[1], bias=bias is not None)
        linear.weight.data = tensor(kernel.T).contiguous()
        if bias is not None:
            linear.bias.data = tensor(bias)
        return linear

    def build_lstm(self, layer):
        p = layer.params
        both = p.get("bidirectional", False)
        lstm = nn.LSTM(layer.shapes[0][1], p["units"], batch_first=True, bidirectional=both)
        for ours, theirs in (("", "_l0"), ("reverse_", "_l0_reverse"))[:1 + both]:
            getattr(lstm, "weight_ih" + theirs).data = lstm_weight(self.model.weight(layer, ours + "kernel"))
            getattr(lstm, "weight_hh" + theirs).data = lstm_weight(self.model.weight(layer, ours + "recurrent_kernel"))
            getattr(lstm, "bias_ih" + theirs).data = tensor(self.model.weight(layer, ours + "bias"))
            getattr(lstm, "bias_hh" + theirs).data.zero_()
        lstm.flatten_parameters()
        return lstm

    def build_dropout(self, layer):
        return nn.Dropout(layer.params["rate"])

    # ---- running ----

    def sequence_last(self, x):
        """(N, C, L) or (N, C, 1, L) to (N, L, C)."""
        return (x.squeeze(2) if self.flat2d else x).transpose(1, 2)

    def run_lstm(self, layer, x):
        p = layer.params
        if not self.last[layer.inputs[0]]:
            x = self.sequence_last(x)
        back = p.get("go_backwards", False)
        y, (h, _) = self.modules_of[layer.name](x.flip(1) if back else x)
        if p.get("return_sequences"):
            return y.flip(1) if back else y
        return torch.cat(list(h), 1)

    def run(self, layer, xs):
        op, x = layer.op, xs[0]
        last, sequence = self.last[layer.inputs[0]], len(layer.shapes[0]) == 2
        if op == "lstm":
            return self.run_lstm(layer, x)
        if op in ("global_max_pooling1d", "global_average_pooling1d"):
            dims = 1 if last else (2, 3) if self.flat2d else 2
            return x.amax(dims) if op == "global_max_pooling1d" else x.mean(dims)
        if op == "dense" and sequence and not last:
            y = self.modules_of[layer.name](self.sequence_last(x)).transpose(1, 2)
            return y.unsqueeze(2) if self.flat2d else y
        if layer.name in self.modules_of:
            if last and op not in ("dense", "dropout"):
                raise NotImplementedError(f"{op} behind an LSTM's sequence")
            return self.modules_of[layer.name](x)
        if op == "flatten":
            return x.flatten(1)
        if op == "add":
            return sum(xs[1:], x)
        if op == "concatenate":
            return torch.cat(xs, -1 if last or not sequence else 1)
        if op == "softmax":
            return torch.softmax(x, -1 if last or not sequence else 1)
        return {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda v: v}[op](x)

    def forward(self, x, logits=True):
        """x: (N, 4, L), or (N, 4, 1, L) with flat2d. Logits, or what the model predicts."""
        values = {"encode": x}
        for layer in self.model.layers:
            if logits and layer.name == self.model.output != self.model.logits:
                break
            values[layer.name] = self.run(layer, [values[i] for i in layer.inputs])
        return values[self.model.logits if logits else self.model.output]
