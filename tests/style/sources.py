"""The files of the repository that the style checks read."""

import os

FOLDERS = ("include", "src", "kernels", "tests", "models", "demo", ".ci")


def walk(root, extensions, folders=FOLDERS):
    """Paths relative to root, sorted; with every folder, files that lie at the root itself, too."""
    found = []
    if folders == FOLDERS:
        found += [f for f in os.listdir(root) if os.path.isfile(os.path.join(root, f))]
    for folder in folders:
        for where, dirs, files in os.walk(os.path.join(root, folder)):
            dirs[:] = [d for d in dirs if not d.startswith("__")]
            found += [os.path.relpath(os.path.join(where, f), root) for f in files]
    return sorted(f for f in found if f.endswith(extensions))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", newline="") as f:
        return f.read()


def report(what, problems):
    """Prints the problems; returns the exit code."""
    for p in problems:
        print(p)
    print(f"{what}: {len(problems)} problem(s)")
    return 1 if problems else 0
