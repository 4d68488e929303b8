"""What the peers' processes share: data, measuring, the choice of the batch size, the check against seqnet's outputs."""
import sys
import time

import numpy as np

LEAST_CALLS = 2  # that a round measures
SWEEP = 0.3      # seconds for each batch size that is tried
BASES = 4_000_000  # of training data
TOLERANCE = 1e-4


def one_hot(codes):
    """(N, L) of 0..3 to (N, L, 4)."""
    return np.eye(4, dtype=np.float32)[codes]


def training_data(model, batch, rng):
    """Batches of codes and targets, held in memory."""
    n = min(max(BASES // (model.length * batch), 8), 64)
    return [(rng.integers(0, 4, (batch, model.length), dtype=np.uint8), rng.integers(0, 2, (batch, model.tasks)).astype(np.float32))
            for _ in range(n)]


def adam(model):
    """learning_rate, beta_1, beta_2, epsilon of the model's text."""
    return model.training["optimizer"]["adam"]


def measure(call, rows, want):
    """call() handles `rows` sequences. At least `want` seconds; the first call does not count."""
    call()
    calls, start, seconds = 0, time.perf_counter(), 0.0
    while calls < LEAST_CALLS or seconds < want:
        call()
        calls += 1
        seconds = time.perf_counter() - start
    return calls * rows, seconds


def sweep(make, batches, streams=1):
    """make(batch) gives a call of `streams` times batch sequences; the fastest per sequence: its batch and call. A size that does not fit
    is passed over."""
    best = None
    for batch in batches:
        try:
            call = make(batch)
            rows, seconds = measure(call, batch * streams, SWEEP)
        except (MemoryError, RuntimeError) as e:
            print(f"batch {batch}: {e}", file=sys.stderr)
            continue
        if best is None or rows / seconds > best[0]:
            best = rows / seconds, batch, call
    if best is None:
        raise RuntimeError("no batch size works")
    return best[1:]


def difference(peer, prefix, model):
    """The largest difference between the peer's outputs and seqnet's, relative to 1 or the largest output."""
    codes = np.fromfile(prefix + ".bases", np.uint8).reshape(-1, model.length)
    ours = np.fromfile(prefix + ".scores", np.float32).reshape(len(codes), model.tasks)
    theirs = np.asarray(peer.scores(one_hot(codes))).reshape(ours.shape)
    return float(np.abs(ours - theirs).max() / max(1.0, float(np.abs(ours).max())))
