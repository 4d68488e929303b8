"""PyTorch's convolution over one-hot input: forward and weight gradient, as conv1d and as conv2d with channels_last, on one
thread, by its CPU time.
usage: torch_kernels.py ROWS WIDTH,FILTERS,LENGTH...   prints a line of JSON each"""
import json
import sys
import time

import torch

LEAST = 0.05  # seconds of a round


def best_seconds(call):
    call()
    best, calls = 1e30, 1
    for _ in range(7):
        start = time.thread_time()
        for _ in range(calls):
            call()
        seconds = (time.thread_time() - start) / calls
        best = min(best, seconds)
        calls = max(calls, int(LEAST / max(seconds, 1e-9)))
    return best


def shapes(rows, width, filters, length, flat2d):
    """Input, kernel, output gradient; convolution's arguments."""
    bases = torch.nn.functional.one_hot(torch.randint(4, (rows, length)), 4).float().transpose(1, 2)
    w, dy = torch.randn(filters, 4, width), torch.randn(rows, filters, length - width + 1)
    if not flat2d:
        return bases.contiguous(), w, dy, ([1], [0], [1])
    last = torch.channels_last
    return tuple(v.unsqueeze(2).contiguous(memory_format=last) for v in (bases, w, dy)) + (([1, 1], [0, 0], [1, 1]),)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rows = int(sys.argv[1])
    for arg in sys.argv[2:]:
        width, filters, length = map(int, arg.split(","))
        flop = 2.0 * rows * (length - width + 1) * width * 4 * filters
        for flat2d in (False, True):
            x, w, dy, (stride, pad, dilation) = shapes(rows, width, filters, length, flat2d)
            zeros, bias = [0] * len(stride), torch.zeros(filters)

            def forward():
                torch.convolution(x, w, bias, stride, pad, dilation, False, zeros, 1)

            def gradient():
                torch.ops.aten.convolution_backward(dy, x, w, [filters], stride, pad, dilation, False, zeros, 1, [False, True, True])
            for name, call in (("conv_fwd", forward), ("conv_bwd_filter", gradient)):
                with torch.inference_mode():
                    s = best_seconds(call)
                provider = f"PyTorch {torch.__version__} " + ("conv2d channels_last" if flat2d else "conv1d")
                print(json.dumps({"provider": provider, "kernel": f"{name} {rows}x{length} 4>{filters} k{width}",
                                  "microseconds": f"{1e6 * s:.1f}", "gflops": f"{1e-9 * flop / s:.1f}"}), flush=True)


main()
