"""Metrics by scikit-learn and SciPy for the unit test of src/train/metrics.c. Usage: metrics.py > metrics.h"""

import warnings

import numpy as np
import scipy
import sklearn
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

BINARY, CLASSES, NUMBER = "SN_TASK_BINARY", "SN_TASK_CLASSES", "SN_TASK_NUMBER"
warnings.simplefilter("ignore")
rng = np.random.default_rng(7)


def of_binary(y, s, classes):
    both = 0 < y.sum() < len(y)
    out = {
        "auroc": roc_auc_score(y, s) if both else np.nan,
        "auprc": average_precision_score(y, s) if both else np.nan,
        "base_rate": y.mean(),
    }
    if not classes:
        out["accuracy"] = accuracy_score(y, s > 0.5)
    return out


def of_number(y, s):
    flat = y.std() == 0 or s.std() == 0
    return {
        "pearson": np.nan if flat else pearsonr(y, s)[0],
        "spearman": np.nan if flat else spearmanr(y, s)[0],
    }


def rows_of(kind, scores, targets):
    """(task, name, value) in the order of sn_metrics()."""
    rows, per_task = [], []
    for t in range(scores.shape[1]):
        seen = ~np.isnan(targets[:, t])
        y, s = targets[seen, t], scores[seen, t]
        values = of_number(y, s) if kind == NUMBER else of_binary(y, s, kind == CLASSES)
        rows += [(t, name, value) for name, value in values.items()]
        if kind != CLASSES:
            rows.append((t, "n", seen.sum()))
        per_task.append(values)
    for name in per_task[0]:
        rows.append((-1, name, np.nanmean([v[name] for v in per_task])))
    if kind == CLASSES:
        seen = ~np.isnan(targets).any(axis=1)
        rows.append((-1, "accuracy", accuracy_score(targets[seen].argmax(1), scores[seen].argmax(1))))
        rows.append((-1, "n", seen.sum()))
    else:
        rows.append((-1, "n", (~np.isnan(targets)).sum()))
    return rows


def cases():
    n = 60
    y = (rng.random((n, 3)) < [0.5, 0.2, 0.4]).astype(np.float32)
    s = np.clip(0.3 * y + 0.7 * rng.random((n, 3)), 0, 1)
    s[:, 1] = np.round(s[:, 1], 1)  # many ties
    y[rng.random(n) < 0.3, 1] = np.nan
    y[:, 2] = 1  # one class only
    yield "binary", BINARY, s, y
    yield "inverted", BINARY, np.round(1 - s[:, :1], 2), y[:, :1]

    k = rng.integers(0, 4, n)
    p = rng.random((n, 4)) + 1.0 * np.eye(4)[k] * (rng.random((n, 1)) < 0.6)
    p /= p.sum(1, keepdims=True)
    y = np.eye(4)[k]
    y[::13] = np.nan
    yield "classes", CLASSES, p, y

    x = rng.normal(size=(n, 3))
    s = 0.6 * x + rng.normal(size=(n, 3))
    x[:, 1], s[:, 1] = np.round(x[:, 1]), np.round(s[:, 1], 1)  # ties on both sides
    x[rng.random(n) < 0.2, 1] = np.nan
    x[:, 2] = 2.5  # no variance
    yield "numbers", NUMBER, s, x


def number(v):
    return "NAN" if np.isnan(v) else format(v, ".17g")


def array(name, values):
    floats = ["NAN" if np.isnan(v) else format(float(v), ".9g") for v in values.astype(np.float32).ravel()]
    lines = [", ".join(floats[i : i + 12]) + "," for i in range(0, len(floats), 12)]
    print(f"static const float {name}[] = {{")
    print("\n".join("    " + line for line in lines))
    print("};")


def main():
    print(f"/* Written by metrics.py with scikit-learn {sklearn.__version__}, SciPy {scipy.__version__}; do not edit. */")
    print("/* clang-format off */")
    table = []
    for name, kind, scores, targets in cases():
        scores, targets = scores.astype(np.float32).astype(float), targets.astype(np.float32).astype(float)
        array(f"{name}_scores", scores)
        array(f"{name}_targets", targets)
        rows = rows_of(kind, scores, targets)
        print(f"static const struct metric_golden {name}_metrics[] = {{")
        for task, metric, value in rows:
            print(f'    {{{task}, "{metric}", {number(value)}}},')
        print("};")
        fields = f'"{name}", {kind}, {scores.shape[0]}, {scores.shape[1]}, {name}_scores, {name}_targets'
        table.append(f"    {{{fields}, {name}_metrics, {len(rows)}}},")
    print("static const struct metric_case metric_cases[] = {")
    print("\n".join(table))
    print("};")
    print("/* clang-format on */")


main()
