"""A model made ready to be measured: one strand, weights and outputs exported by seqnet for the peers to take over and to agree with."""
import dataclasses
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
MODELS = ("deepbind", "cnn", "cnn-bilstm", "basset", "danq", "deepsea", "bpnet-like")
TASKS = {"basset": 164, "danq": 919, "deepsea": 919}
BATCH = {"deepbind": 256}
LENGTH = 101  # of the input where the architecture takes any
BATCHES = (1, 16, 64, 256, 1024)  # sequences per call that prediction tries
BASES = 300_000  # of the largest call: what a net may need as activations is some kB a base


def shipped(names=MODELS):
    return [m for m in names if (TOP / "models" / (m + ".yaml")).is_file()]


@dataclasses.dataclass
class Case:
    name: str
    architecture: pathlib.Path
    prefix: str  # of the exported files
    length: int
    tasks: int
    batch: int
    batches: list
    tools: pathlib.Path
    cache: pathlib.Path

    @property
    def parameters(self):
        """Bytes of the exported weights, and a little."""
        return pathlib.Path(self.prefix + ".seqnet").stat().st_size


def make_case(model, a, batch=0):
    source = pathlib.Path(model) if model.endswith((".yaml", ".yml")) else TOP / "models" / (model + ".yaml")
    if not source.is_file():
        sys.exit(f"bench: no architecture {source}")
    text, name = source.read_text(), source.stem
    found = re.search(r"\blength: *(\d+)", text)
    length = int(found[1]) if found and int(found[1]) > 0 else LENGTH
    work = a.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / (name + ".log")).write_text("")
    architecture = work / (name + ".yaml")
    architecture.write_text(re.sub(r"\bstrand: *\w+", "strand: forward", text))
    case = Case(name, architecture, str(work / name), length, TASKS.get(name, 1), batch or a.batch or BATCH.get(name, 64),
                [b for b in BATCHES if b * length <= BASES] or [1], a.build / "tests" / "bench", a.cache)
    subprocess.run([case.tools / "bench_model", "export", architecture, str(length), str(case.tasks), case.prefix], check=True)
    return case
