"""Who may include whom: every arrow points down the house (CONTRIBUTING.md), and every quoted include names an existing file by its
path from include/, src/ or kernels/. Usage: includes.py SOURCE_ROOT"""

import os
import re
import sys

from sources import read, report, walk

BELOW = {
    "core": set(),
    "seq": {"core"},
    "kernels": {"core"},
    "ops": {"kernels", "core"},
    "graph": {"ops", "kernels", "core"},
    "model": {"graph", "ops", "kernels", "core", "seq/alphabet.h"},
    "motif": {"core"},
    "report": {"core"},
    "cli": set(),
}
for top in ("scan", "train", "explain"):
    BELOW[top] = {"model", "graph", "ops", "kernels", "seq", "core"}
BELOW["api"] = set(BELOW) - {"cli"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
PUBLIC_SYSTEM = {"stdbool.h", "stddef.h", "stdint.h"}


def room_of(path):
    """The room of a file given from the source root; what lies in src/ itself (the generated configuration) belongs to core."""
    parts = path.split(os.sep)
    if parts[0] == "include":
        return "public"
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else "core"
    return parts[0]


def is_generated(root, path):
    """Is `path` the output of a configure_file in its folder's meson.build?"""
    meson = os.path.join(os.path.dirname(path), "meson.build")
    return os.path.isfile(os.path.join(root, meson)) and f"output: '{os.path.basename(path)}'" in read(root, meson)


def resolve(root, path, target):
    """The file that a quoted include means, from the source root, or None."""
    for base in ("include", "src", "kernels", os.path.dirname(path)):
        full = os.path.normpath(os.path.join(base, target))
        if os.path.isfile(os.path.join(root, full)) or is_generated(root, full):
            return full
    return None


def problem(root, path, quote, target):
    room = room_of(path)
    if quote == "<" and not target.startswith("seqnet/"):
        if room == "public" and target not in PUBLIC_SYSTEM:
            return "a public header includes only the standard's " + ", ".join(sorted(PUBLIC_SYSTEM))
        if room == "cli" and "/" in target and not target.startswith("sys/"):
            return "cli includes seqnet/ and the system only"
        return None
    if ".." in target.split("/"):
        return "includes go by the path from include/, src/ or kernels/"
    file = resolve(root, path, target)
    if file is None:
        return "no such file"
    to = room_of(file)
    if to in ("public", room) or room == "tests":
        return None
    if to in BELOW.get(room, set()) or target in BELOW.get(room, set()):
        return None
    return f"{room} may not know {to}"


def main(root):
    problems = []
    for path in walk(root, (".c", ".h", ".in"), ("include", "src", "kernels")):
        text = read(root, path)
        for m in INCLUDE.finditer(text):
            why = problem(root, path, m.group(1), m.group(2))
            if why:
                problems.append(f"{path}:{text.count(chr(10), 0, m.start(2)) + 1}: includes {m.group(2)}: {why}")
    return report("includes", problems)


sys.exit(main(sys.argv[1]))
