"""What no file may contain: places on somebody's own machine, work left open, tabs and blanks where they do not belong; and functions that
grew beyond what fits a screen. Usage: words.py SOURCE_ROOT"""

import re
import sys

from sources import read, report, walk

TEXT = (".c", ".h", ".in", ".py", ".sh", ".yaml", ".md", ".build", ".txt", ".yml", "run")
FORBIDDEN = [
    (re.compile(r"(?<![\w.$}/])/(home|root|work|Users|mnt)/\w"), "a path on somebody's machine"),
    (re.compile(r"\.\./shared\b"), "a path outside the repository"),
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"), "work left open"),
    (re.compile(r"[ \t]+$"), "blanks at the end of the line"),
    (re.compile(r"\r"), "carriage return"),
]
MAX_FUNCTION = 80


def lines_of(path, text):
    if not text.endswith("\n") and text:
        yield f"{path}: no newline at the end"
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in FORBIDDEN:
            if pattern.search(line):
                yield f"{path}:{number}: {what}: {line.strip()[:100]}"
        if "\t" in line and path.endswith((".c", ".h")):
            yield f"{path}:{number}: tab"


def functions_of(path, text):
    """Functions longer than allowed: from their first line to the '}' at the margin."""
    start = None
    for number, line in enumerate(text.split("\n"), 1):
        if re.match(r"[A-Za-z_].*\(", line):
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > MAX_FUNCTION:
                yield f"{path}:{start}: function of {number - start + 1} lines, at most {MAX_FUNCTION}"
            start = None


def main(root):
    problems = []
    for path in walk(root, TEXT):
        problems += lines_of(path, read(root, path))
    for path in walk(root, (".c", ".h"), ("include", "src", "kernels")):
        problems += functions_of(path, read(root, path))
    return report("words", problems)


sys.exit(main(sys.argv[1]))
