"""The virtual environment of the peers, made once in a cache folder. SEQNET_BENCH_PYTHON names another Python that has them."""
import os
import pathlib
import platform
import subprocess
import sys

# import name: what pip installs. TensorFlow without CUDA where there is such a package; PyTorch's CUDA is hidden by the environment.
PEERS = {
    "numpy": "numpy>=1.26",
    "torch": "torch>=2.4,<3",
    "tensorflow": "tensorflow-cpu>=2.16,<3" if platform.machine() == "x86_64" else "tensorflow>=2.16,<3",
    "onnx": "onnx>=1.16",
    "onnxruntime": "onnxruntime>=1.18",
    "openvino": "openvino>=2024.4",
}


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def has(python, module):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def make(folder):
    say(f"making a virtual environment in {folder}")
    r = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True, check=False)
    if r.returncode != 0:
        sys.exit(f"bench: python3 -m venv failed; is it installed (Debian and Ubuntu: apt install python3-venv)?\n{r.stdout}{r.stderr}".rstrip())


def ensure(cache):
    """Path of a Python with the peers that can be had; what is missing is told, and tried again by the next run."""
    override = os.environ.get("SEQNET_BENCH_PYTHON")
    if override:
        return override
    folder = pathlib.Path(cache) / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        make(folder)
    missing = [m for m in PEERS if not has(python, m)]
    if missing:
        say("installing the peers from PyPI, several GB with PyTorch's and TensorFlow's own libraries: " + ", ".join(missing))
    for module in missing:
        r = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEERS[module]], check=False)
        if r.returncode != 0:
            say(f"{module} cannot be installed (no network, or no package for this Python?): its rows will be missing")
    if not has(python, "numpy"):
        sys.exit("bench: no peer can be measured without numpy, and PyPI could not be asked for it; is there a network?")
    return str(python)
