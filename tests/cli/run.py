#!/usr/bin/env python3
"""Command-line cases. usage: run.py SEQNET [CASE...]

A case is a folder in cases/:
  cmd     run with `sh -u` in an empty folder; $SEQNET is the program, $FIX the folder that fixture.py made
  code    exit code expected of cmd (default 0); 77 from cmd means skipped
  stdout  expected output: a line here is a shell pattern, matched by some line of the output, in order; "=" alone at the top: line by line
  stderr  the same for stderr
  absent  names that must not exist afterwards
Nothing half-written (*.tmp.*) may stay behind in any case."""
import fnmatch
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 60


def heed_hangup():
    """Under nohup the signal is ignored, and cases that send it would wait in vain."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def read(path):
    return path.read_text() if path.exists() else None


def matches(line, pattern):
    # [ ] are common in messages: only * and ? are special
    return fnmatch.fnmatchcase(line, pattern.replace("[", "[[]"))


def compare(expected, got):
    """None when `got` is as expected, else what is wrong."""
    want = expected.splitlines()
    have = got.splitlines()
    if want[:1] == ["="] or not want:
        want = want[1:]
        if len(want) != len(have):
            return f"{len(want)} lines expected, {len(have)} found"
        bad = [w for w, h in zip(want, have) if not matches(h, w)]
        return f"no match for {bad[0]!r}" if bad else None
    at = 0
    for pattern in want:
        while at < len(have) and not matches(have[at], pattern):
            at += 1
        if at == len(have):
            return f"no line matches {pattern!r}"
        at += 1
    return None


def run_case(folder, env):
    """(status, notes): status is ok, skip or fail."""
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="seqnet-cli-"))
    problems = []
    try:
        try:
            p = subprocess.run(["sh", "-u", str(folder / "cmd")], cwd=scratch, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                               preexec_fn=heed_hangup, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return "fail", [f"still running after {TIMEOUT} s"]
        out, err = (x.decode(errors="replace") for x in (p.stdout, p.stderr))
        if p.returncode == 77:
            return "skip", [err.strip()]
        code = int(read(folder / "code") or 0)
        if p.returncode != code:
            problems.append(f"exit code {p.returncode}, expected {code}")
        for name, got in (("stdout", out), ("stderr", err)):
            expected = read(folder / name)
            wrong = compare(expected, got) if expected is not None else None
            if wrong:
                problems.append(f"{name}: {wrong}")
        for name in (read(folder / "absent") or "").split():
            if (scratch / name).exists():
                problems.append(f"{name} was left behind")
        problems += [f"{x.name} was left behind" for x in scratch.rglob("*.tmp.*")]
        if problems:
            problems += ["stdout:"] + out.splitlines()[:20] + ["stderr:"] + err.splitlines()[:20]
        return ("fail" if problems else "ok"), problems
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main():
    seqnet = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or sorted(x.name for x in (HERE / "cases").iterdir() if (x / "cmd").exists())
    fixture = pathlib.Path(tempfile.mkdtemp(prefix="seqnet-fixture-"))
    env = dict(os.environ, SEQNET=str(seqnet), FIX=str(fixture), HERE=str(HERE), LC_ALL="C")
    failures = 0
    try:
        made = subprocess.run([sys.executable, str(HERE / "fixture.py"), str(seqnet), str(fixture)], env=env)
        if made.returncode:
            print("Bail out! fixture.py failed")
            return 1
        print(f"1..{len(names)}", flush=True)
        for i, name in enumerate(names, 1):
            status, notes = run_case(HERE / "cases" / name, env)
            failures += status == "fail"
            print(("not ok" if status == "fail" else "ok") + f" {i} - {name}" + (" # SKIP " + " ".join(notes) if status == "skip" else ""))
            if status == "fail":
                print("\n".join("# " + n for n in notes))
            sys.stdout.flush()
    finally:
        shutil.rmtree(fixture, ignore_errors=True)
    return failures > 0


sys.exit(main())
