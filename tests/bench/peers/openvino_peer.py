"""OpenVINO on the CPU in float32, compiled for each batch size. form: latency (one request, all threads), throughput (a stream per core,
each with its own batch)."""
import numpy as np
import openvino

from common import one_hot
from onnx_model import onnx_bytes

PACKAGES = ("openvino",)


class Peer:
    def __init__(self, model, o):
        self.model, self.core = model, openvino.Core()
        self.data = onnx_bytes(model)
        self.streams = o["threads"] if o["form"] == "throughput" else 1
        self.config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": o["threads"], "NUM_STREAMS": self.streams,
                       "PERFORMANCE_HINT": "THROUGHPUT" if o["form"] == "throughput" else "LATENCY"}

    def compile(self, batch):
        model = self.core.read_model(self.data)
        model.reshape([batch, 4, self.model.length])
        return self.core.compile_model(model, "CPU", self.config)

    def scores(self, values):
        return self.compile(len(values))(np.ascontiguousarray(values.transpose(0, 2, 1)))[0]

    def predictor(self, batch):
        """A call scores `batch` sequences on every stream."""
        x = np.ascontiguousarray(one_hot(np.random.default_rng(1).integers(0, 4, (batch, self.model.length))).transpose(0, 2, 1))
        compiled = self.compile(batch)
        requests = [compiled.create_infer_request() for _ in range(self.streams)]
        for r in requests:
            r.set_input_tensor(openvino.Tensor(x.copy()))
        if self.streams == 1:
            return requests[0].infer

        def call():
            for r in requests:
                r.start_async()
            for r in requests:
                r.wait()
        return call
