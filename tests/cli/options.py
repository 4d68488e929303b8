#!/usr/bin/env python3
"""Every declared option is accepted by its commands, stands in their --help, and is used. usage: options.py SEQNET SOURCE_ROOT"""
import pathlib
import re
import subprocess
import sys

seqnet, root = sys.argv[1], pathlib.Path(sys.argv[2])
bad = []


def run(*args):
    return subprocess.run([seqnet, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def sample(kind, values):
    if kind == "word":
        return values.split("|")[0]
    return "text" if kind == "text" else values.split(" ")[0]


def check_parsing():
    rows = [line.split("\t") for line in run("--list-options").stdout.splitlines()]
    helps = {}
    for command, option, letter, kind, values in rows:
        words = command.split(" ")
        helps.setdefault(command, run(*words, "--help"))
        shown = helps[command]
        spelled = f"-{letter}, {option}" if letter != "." else f"    {option}"
        if shown.returncode != 0 or spelled not in shown.stdout:
            bad.append(f"{command} --help does not show {spelled.strip()}")
        value = [] if kind == "flag" else [sample(kind, values)]
        forms = [[option, *value]]
        if value:
            forms += [[f"{option}={value[0]}"]]
        if letter != ".":
            forms += [[f"-{letter}", *value]] + ([[f"-{letter}{value[0]}"]] if value else [])
        for form in forms:
            p = run(*words, *form, "--help") if option != "--help" else run(*words, *form)
            if p.returncode != 0:
                bad.append(f"{command} {' '.join(form)}: {p.stderr.strip()}")
        twice = run(*words, *forms[0], *forms[0])
        if option not in ("--help", "--version") and (twice.returncode != 2 or "twice" not in twice.stderr):
            bad.append(f"{command} {option} is accepted twice")
    return len(rows)


def check_use():
    """The field an option sets is read somewhere else than in the table and in the defaults."""
    table = (root / "src/cli/options.c").read_text()
    fields = set(re.findall(r"AT\(([\w.]+)\)", table))
    text = "".join(p.read_text() for p in sorted((root / "src").rglob("*.c")) if p != root / "src/cli/options.c")
    text = "".join(line for line in text.splitlines(True) if "sn_check_" not in line and "check_set_" not in line)
    for field in sorted(fields):
        if not re.search(r"(?:->|\.)" + field.split(".")[-1] + r"\b(?!\s*=[^=])", text):
            bad.append(f"the value of {field} is never read")
    return len(fields)


n_options, n_fields = check_parsing(), check_use()
if n_options < 50 or n_fields < 40:
    bad.append(f"only {n_options} options and {n_fields} fields found: is the table read?")
print("\n".join(bad) if bad else f"{n_options} options, {n_fields} fields")
sys.exit(bool(bad))
