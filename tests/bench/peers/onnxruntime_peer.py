"""ONNX Runtime, CPU provider, all graph optimisations. form: intra (one session, all threads in its operators), streams (a session of one
thread per core, each with its own batch)."""
import concurrent.futures

import numpy as np
import onnxruntime

from common import one_hot
from onnx_model import onnx_bytes

PACKAGES = ("onnxruntime",)


class Peer:
    def __init__(self, model, o):
        self.model = model
        self.streams = o["threads"] if o["form"] == "streams" else 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if o["form"] == "streams" else o["threads"]
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        data = onnx_bytes(model)
        self.sessions = [onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]) for _ in range(self.streams)]
        self.pool = concurrent.futures.ThreadPoolExecutor(self.streams)

    def scores(self, values):
        return self.sessions[0].run(None, {"x": np.ascontiguousarray(values.transpose(0, 2, 1))})[0]

    def predictor(self, batch):
        """A call scores `batch` sequences on every stream."""
        x = one_hot(np.random.default_rng(1).integers(0, 4, (batch, self.model.length))).transpose(0, 2, 1)
        feed = {"x": np.ascontiguousarray(x)}
        if self.streams == 1:
            return lambda: self.sessions[0].run(None, feed)
        return lambda: list(self.pool.map(lambda s: s.run(None, feed), self.sessions))
