"""The model of a .seqnet file as an ONNX graph for ONNX Runtime and OpenVINO: input (N, 4, L), channels-first, output as seqnet predicts.
N stays open. LSTM sequences run (L, N, C)."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_file import window

GATES = (0, 3, 1, 2)  # ONNX orders input, output, forget, cell; seqnet i, f, c, o


def gates(a):
    """(..., 4H) of seqnet to (4H, ...) of ONNX."""
    parts = np.split(a, 4, axis=-1)
    return np.concatenate([parts[g] for g in GATES], axis=-1).T


class Builder:
    def __init__(self, model):
        self.model, self.nodes, self.constants, self.names = model, [], [], 0
        self.values = {"encode": "x"}
        for layer in model.layers:
            self.values[layer.name] = getattr(self, "op_" + layer.op)(layer, *[self.values[i] for i in layer.inputs])

    # ---- parts ----

    def fresh(self):
        self.names += 1
        return f"v{self.names}"

    def node(self, op, inputs, outputs=1, **attributes):
        names = [self.fresh() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names if outputs > 1 else names[0]

    def constant(self, a):
        name = self.fresh()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(a), name))
        return name

    def ints(self, *v):
        return self.constant(np.array(v, np.int64))

    def weight(self, layer, name):
        return self.model.weight(layer, name)

    # ---- layers ----

    def op_conv1d(self, layer, x):
        size, stride, dilation = window(layer)
        inputs = [x, self.constant(self.weight(layer, "kernel").transpose(2, 1, 0))]
        if self.weight(layer, "bias") is not None:
            inputs.append(self.constant(self.weight(layer, "bias")))
        return self.node("Conv", inputs, kernel_shape=[size], strides=[stride], dilations=[dilation], pads=list(layer.pad))

    def op_max_pooling1d(self, layer, x):
        size, stride, _ = window(layer)
        return self.node("MaxPool", [x], kernel_shape=[size], strides=[stride], pads=list(layer.pad))

    def op_average_pooling1d(self, layer, x):
        size, stride, _ = window(layer)
        return self.node("AveragePool", [x], kernel_shape=[size], strides=[stride], pads=list(layer.pad), count_include_pad=0)

    def op_global_max_pooling1d(self, _layer, x):
        return self.node("ReduceMax", [x, self.ints(2)], keepdims=0)

    def op_global_average_pooling1d(self, _layer, x):
        return self.node("ReduceMean", [x, self.ints(2)], keepdims=0)

    def op_batch_normalization(self, layer, x):
        w = [self.constant(self.weight(layer, n)) for n in ("gamma", "beta", "moving_mean", "moving_variance")]
        return self.node("BatchNormalization", [x, *w], epsilon=layer.params["epsilon"])

    def op_dense(self, layer, x):
        kernel, bias = self.constant(self.weight(layer, "kernel")), self.weight(layer, "bias")
        if len(layer.out) == 1:
            return self.node("Gemm", [x, kernel] + ([] if bias is None else [self.constant(bias)]))
        y = self.node("MatMul", [self.node("Transpose", [x], perm=[0, 2, 1]), kernel])
        if bias is not None:
            y = self.node("Add", [y, self.constant(bias)])
        return self.node("Transpose", [y], perm=[0, 2, 1])

    def op_lstm(self, layer, x):
        p = layer.params
        directions = ["", "reverse_"] if p.get("bidirectional") else [""]
        w, r = ([gates(self.weight(layer, d + n)) for d in directions] for n in ("kernel", "recurrent_kernel"))
        b = [np.concatenate([gates(self.weight(layer, d + "bias")), np.zeros(4 * p["units"], np.float32)]) for d in directions]
        direction = "bidirectional" if len(directions) == 2 else "reverse" if p.get("go_backwards") else "forward"
        y, h, _ = self.node("LSTM", [self.node("Transpose", [x], perm=[2, 0, 1]), *(self.constant(np.stack(v)) for v in (w, r, b))], 3,
                            hidden_size=p["units"], direction=direction)
        if p.get("return_sequences"):  # (L, directions, N, H) to (N, directions * H, L)
            y = self.node("Transpose", [y], perm=[2, 1, 3, 0])
            return self.node("Reshape", [y, self.ints(0, layer.out[1], layer.out[0])])
        return self.node("Reshape", [self.node("Transpose", [h], perm=[1, 0, 2]), self.ints(0, layer.out[0])])

    def op_flatten(self, layer, x):
        y = self.node("Transpose", [x], perm=[0, 2, 1]) if len(layer.shapes[0]) == 2 else x
        return self.node("Reshape", [y, self.ints(0, layer.out[0])])

    def op_add(self, _layer, x, *more):
        for y in more:
            x = self.node("Add", [x, y])
        return x

    def op_concatenate(self, _layer, *xs):
        return self.node("Concat", list(xs), axis=1)

    def op_dropout(self, _layer, x):
        return x

    def op_linear(self, _layer, x):
        return x

    def op_relu(self, _layer, x):
        return self.node("Relu", [x])

    def op_sigmoid(self, _layer, x):
        return self.node("Sigmoid", [x])

    def op_tanh(self, _layer, x):
        return self.node("Tanh", [x])

    def op_softmax(self, _layer, x):
        return self.node("Softmax", [x], axis=1)


def onnx_bytes(model):
    b = Builder(model)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, model.length])
    y = helper.make_tensor_value_info(b.values[model.output], TensorProto.FLOAT, ["N", model.tasks])
    graph = helper.make_graph(b.nodes, model.name, [x], [y], b.constants)
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(m)
    return m.SerializeToString()
