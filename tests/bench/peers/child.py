"""What every peer's process does: build the model of a .seqnet file, show that its outputs are seqnet's, then measure rounds when told to.

usage: child.py PEER JSON     PEER: torch, keras, onnxruntime, openvino; JSON: see `start` of contenders.py. Answers are lines of JSON on
what was standard output; whatever a library prints goes to standard error."""
import importlib
import importlib.metadata
import json
import os
import pathlib
import resource
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "support")]


def version(packages):
    return ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)


def prepare(name, o, reply):
    """The peer with its call measured; tells the driver."""
    import common
    from model_file import ModelFile
    model = ModelFile(o["prefix"] + ".seqnet", o["length"])
    module = importlib.import_module(name + "_peer")
    peer = module.Peer(model, o)
    d = common.difference(peer, o["prefix"], model)
    if not d <= common.TOLERANCE:
        raise RuntimeError(f"its outputs differ by {d:.2g} from seqnet's: not the same model")
    if o["mode"] == "train":
        rows = batch = o["batch"]
        call = peer.trainer(batch)
        call()
    else:
        streams = getattr(peer, "streams", 1)
        batch, call = common.sweep(peer.predictor, o["batches"], streams)
        rows = batch * streams
    call()
    reply(ready=True, version=version(module.PACKAGES), batch=batch, difference=d)
    return rows, call


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(**fields):
        print(json.dumps(fields), file=out, flush=True)

    try:
        rows, call = prepare(sys.argv[1], json.loads(sys.argv[2]), reply)
    except ModuleNotFoundError as e:
        reply(skipped=str(e))
        return
    except Exception as e:  # pylint: disable=broad-except  # one setting that a peer cannot do must not stop the others
        import traceback
        traceback.print_exc()
        reply(failed=f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"[:300])
        return
    from common import measure
    for line in sys.stdin:
        n, seconds = measure(call, rows, float(line.split()[1]))
        reply(sequences=n, seconds=seconds, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
