"""PyTorch. form: eager, compile (inductor), conv2d (height 1, channels_last), compile-conv2d."""
import itertools

import numpy as np
import torch

from common import adam, one_hot, training_data
from torch_model import TorchModel

PACKAGES = ("torch",)


class Peer:
    def __init__(self, model, o):
        torch.set_num_threads(o["threads"])
        torch.set_num_interop_threads(1)
        torch.manual_seed(1)
        self.model, self.threads = model, o["threads"]
        self.compiled, self.flat2d = "compile" in o["form"], "conv2d" in o["form"]
        self.net = TorchModel(model, self.flat2d)
        if self.flat2d:
            self.net = self.net.to(memory_format=torch.channels_last)

    def batch(self, values):
        """(N, L, 4) as the net reads it."""
        x = torch.from_numpy(values).transpose(1, 2)
        if self.flat2d:
            return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return x.contiguous()

    def scores(self, values):
        self.net.eval()
        with torch.inference_mode():
            return self.net(self.batch(values), logits=False).numpy()

    def trainer(self, batch):
        torch.manual_seed(1)
        a = adam(self.model)
        self.net.train()
        net = torch.compile(self.net, dynamic=False) if self.compiled else self.net
        optimizer = torch.optim.Adam(self.net.parameters(), a["learning_rate"], (a["beta_1"], a["beta_2"]), a["epsilon"], fused=True)
        loss_of = {"binary_crossentropy": torch.nn.functional.binary_cross_entropy_with_logits,
                   "mean_squared_error": torch.nn.functional.mse_loss,
                   "categorical_crossentropy": torch.nn.functional.cross_entropy}[self.model.loss]
        data = itertools.cycle([(self.batch(one_hot(c)), torch.from_numpy(t))
                                for c, t in training_data(self.model, batch, np.random.default_rng(1))])

        def step():
            x, t = next(data)
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(x), t).backward()
            optimizer.step()
        return step

    def predictor(self, batch):
        self.net.eval()
        x = self.batch(one_hot(np.random.default_rng(1).integers(0, 4, (batch, self.model.length))))
        net = self.net
        if self.compiled:
            import torch._inductor.config as inductor
            inductor.freezing = True  # weights packed once
            torch._dynamo.reset()
            net = torch.compile(net, dynamic=False)

        def call():
            with torch.inference_mode() if not self.compiled else torch.no_grad():
                net(x, logits=False)
        return call
