"""Seqnet and its peers as processes that measure a round when told to. They take turns; who is not measured is stopped, so that spinning
threads of one do not slow the next."""
import ctypes
import ctypes.util
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PR_SET_PDEATHSIG = 1
PATIENCE = 900  # seconds for a peer to build, compile and check its model
# (label, peer, form, tcmalloc wanted). Forms are explained in peers/*_peer.py.
TORCH = [("PyTorch eager", "torch", "eager", False), ("PyTorch eager", "torch", "eager", True),
         ("PyTorch conv2d channels_last", "torch", "conv2d", True), ("PyTorch compiled", "torch", "compile", True),
         ("PyTorch compiled conv2d channels_last", "torch", "compile-conv2d", True)]
KERAS = [("Keras", "keras", "graph", False), ("Keras", "keras", "graph", True), ("Keras jit_compile", "keras", "jit", False)]
SETTINGS = {
    "train": TORCH + KERAS,
    "infer": [("OpenVINO latency", "openvino", "latency", False), ("OpenVINO throughput", "openvino", "throughput", False),
              ("ONNX Runtime", "onnxruntime", "intra", False), ("ONNX Runtime streams", "onnxruntime", "streams", False)] + TORCH + KERAS,
}
SEVERAL = ("OpenVINO throughput", "ONNX Runtime streams")  # with one thread the same as the setting before


def tcmalloc():
    """Name of the library for the loader, or None."""
    return ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")


def preload():
    """The variable that puts tcmalloc in the place of malloc; empty where there is none."""
    return {"LD_PRELOAD": tcmalloc()} if tcmalloc() else {}


def mine():
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))


def cores(n):
    """The first n of them."""
    if n > len(mine()):
        sys.exit(f"bench: {n} threads asked for, {len(mine())} cores to be used")
    return set(mine()[:n])


def pin(n):
    """For subprocess: the child keeps to the first n cores and ends with us, even when it is stopped."""
    first, libc = cores(n), ctypes.CDLL(None)

    def prepare():
        os.sched_setaffinity(0, first)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return prepare


def environment(threads, extra=()):
    n = str(threads)
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": n, "MKL_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n,
            "TF_NUM_INTRAOP_THREADS": n, "TF_NUM_INTEROP_THREADS": n, "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow",
            "PYTHONDONTWRITEBYTECODE": "1", **dict(extra)}


class Contender:
    """A process; `rounds` holds its answers."""

    def __init__(self, label, argv, threads, log, env=()):
        self.label, self.rounds, self.ready, self.peak = label, [], {}, 0
        self.log = open(log, "ab")
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=environment(threads, env), preexec_fn=pin(threads))
        self.select = selectors.DefaultSelector()
        self.select.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer = b""

    def answer(self, patience):
        """The next line as a dict; {"failed": why} when there is none."""
        deadline = time.monotonic() + patience
        while b"\n" not in self.buffer:
            if not self.select.select(max(0.0, deadline - time.monotonic())):
                return {"failed": f"no answer in {patience} s"}
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return {"failed": f"ended with {self.process.wait()}, see {self.log.name}"}
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def wait_ready(self):
        """Why it cannot take part, or None."""
        self.ready = self.answer(PATIENCE)
        why = self.ready.get("skipped") or self.ready.get("failed")
        if why is None:
            self.process.send_signal(signal.SIGSTOP)
        return why

    def command(self, text, patience=PATIENCE):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        a = self.answer(patience)
        if "failed" in a:
            sys.exit(f"bench: {self.label}: {a['failed']}")
        self.process.send_signal(signal.SIGSTOP)
        return a

    def round(self, seconds):
        a = self.command(f"round {seconds}")
        self.peak = max(self.peak, a.get("peak", 0))
        self.rounds.append(a)
        return self.rate(-1)

    def rate(self, i):
        return self.rounds[i]["sequences"] / self.rounds[i]["seconds"]

    def rates(self):
        return sorted(self.rate(i) for i in range(len(self.rounds)))

    def median(self):
        r = self.rates()
        return (r[(len(r) - 1) // 2] + r[len(r) // 2]) / 2

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


def start_seqnet(case, mode, threads):
    program = case.tools / "bench_model"
    if mode == "train":
        argv = [program, "train", case.architecture, case.length, case.tasks, case.batch, threads]
    else:
        argv = [program, "infer", case.prefix + ".seqnet", case.length, case.tasks, ",".join(map(str, case.batches)), threads]
    return Contender("seqnet", argv, threads, case.prefix + ".log")


def start_peer(case, mode, threads, setting, python):
    """None where the setting needs what this machine does not have."""
    label, peer, form, wants_tcmalloc = setting
    env = {"TORCHINDUCTOR_CACHE_DIR": str(case.cache / "inductor")}
    if threads == 1 and label in SEVERAL:
        return None
    if wants_tcmalloc:
        if not preload():
            return None
        env.update(preload())
        label += ", tcmalloc"
    o = {"mode": mode, "prefix": case.prefix, "length": case.length, "batch": case.batch, "batches": case.batches, "threads": threads,
         "form": form}
    return Contender(label, [python, HERE / "peers" / "child.py", peer, json.dumps(o)], threads, case.prefix + ".log", env.items())


def start_machine(a, threads):
    """Not a contender: the FMA peak and triad of the machine, in the same turns."""
    log = a.out / "work" / "machine.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return Contender("machine", [a.build / "tests" / "bench" / "bench_machine", threads], threads, log)
