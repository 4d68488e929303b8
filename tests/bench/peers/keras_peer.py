"""Keras on TensorFlow, channels-last. form: graph (tf.function) or jit (XLA). The step is our own tf.function: the same layers, loss and
optimizer as model.fit runs, without its callbacks and metrics."""
import itertools
import os

import numpy as np
import tensorflow as tf
import keras
from keras import layers as L

from common import adam, one_hot, training_data
from model_file import window

PACKAGES = ("tensorflow-cpu" if os.uname().machine == "x86_64" else "tensorflow", "keras")


def make_lstm(p):
    lstm = L.LSTM(p["units"], return_sequences=p.get("return_sequences", False), go_backwards=p.get("go_backwards", False))
    return L.Bidirectional(lstm) if p.get("bidirectional") else lstm


def make_layer(layer):
    p = layer.params
    bias = p.get("use_bias", True)
    if layer.op == "conv1d":
        size, stride, dilation = window(layer)
        return L.Conv1D(p["filters"], size, stride, p["padding"], dilation_rate=dilation, use_bias=bias)
    if layer.op in ("max_pooling1d", "average_pooling1d"):
        make = L.MaxPooling1D if layer.op == "max_pooling1d" else L.AveragePooling1D
        size, stride, _ = window(layer)
        return make(size, stride, p["padding"])
    if layer.op == "lstm":
        return make_lstm(p)
    if layer.op in ("relu", "sigmoid", "tanh", "softmax", "linear"):
        return L.Activation(layer.op)
    return {"global_max_pooling1d": L.GlobalMaxPooling1D, "global_average_pooling1d": L.GlobalAveragePooling1D, "flatten": L.Flatten,
            "add": L.Add, "concatenate": L.Concatenate, "dropout": lambda: L.Dropout(p["rate"]),
            "dense": lambda: L.Dense(p["units"], use_bias=bias),
            "batch_normalization": lambda: L.BatchNormalization(momentum=p["momentum"], epsilon=p["epsilon"])}[layer.op]()


ORDER = {"batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
         "lstm": ("kernel", "recurrent_kernel", "bias", "reverse_kernel", "reverse_recurrent_kernel", "reverse_bias")}


class Peer:
    def __init__(self, model, o):
        tf.config.threading.set_intra_op_parallelism_threads(o["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(o["threads"])
        self.model, self.jit = model, o["form"] == "jit"
        values, made = {"encode": keras.Input((model.length, 4))}, {}
        for layer in model.layers:
            made[layer.name] = make_layer(layer)
            xs = [values[i] for i in layer.inputs]
            y = made[layer.name](xs if len(xs) > 1 else xs[0])
            if layer.params.get("go_backwards") and layer.params.get("return_sequences"):
                y = keras.ops.flip(y, 1)
            values[layer.name] = y
        for layer in model.layers:
            w = [model.weight(layer, n) for n in ORDER.get(layer.op, ("kernel", "bias"))]
            if any(v is not None for v in w):
                made[layer.name].set_weights([v for v in w if v is not None])
        self.net = keras.Model(values["encode"], values[model.output])
        self.to_logits = keras.Model(values["encode"], values[model.logits])

    def scores(self, values):
        return self.net(tf.constant(values), training=False).numpy()

    def trainer(self, batch):
        keras.utils.set_random_seed(1)
        a = adam(self.model)
        optimizer = keras.optimizers.Adam(a["learning_rate"], a["beta_1"], a["beta_2"], a["epsilon"])
        loss_of = {"binary_crossentropy": keras.losses.BinaryCrossentropy(from_logits=True), "mean_squared_error": keras.losses.MeanSquaredError(),
                   "categorical_crossentropy": keras.losses.CategoricalCrossentropy(from_logits=True)}[self.model.loss]
        net = self.to_logits
        optimizer.build(net.trainable_variables)
        data = itertools.cycle([(tf.constant(one_hot(c)), tf.constant(t))
                                for c, t in training_data(self.model, batch, np.random.default_rng(1))])

        @tf.function(jit_compile=self.jit)
        def step(x, t):
            with tf.GradientTape() as tape:
                loss = loss_of(t, net(x, training=True))
            optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
            return loss
        return lambda: step(*next(data)).numpy()

    def predictor(self, batch):
        x = tf.constant(one_hot(np.random.default_rng(1).integers(0, 4, (batch, self.model.length))))

        @tf.function(jit_compile=self.jit)
        def predict(v):
            return self.net(v, training=False)
        return lambda: predict(x).numpy()
