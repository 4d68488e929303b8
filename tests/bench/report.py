"""The tables of a benchmark: a TSV with every setting, Markdown with what the README quotes."""
import datetime
import os
import pathlib
import platform
import subprocess


def cpu_info():
    """Model name and the vector instruction sets that matter."""
    name, flags = platform.machine(), set()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                name = value.strip()
            if key.strip() in ("flags", "Features"):
                flags = set(value.split())
    except OSError:
        pass
    known = [("avx2", "AVX2"), ("fma", "FMA"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX-512 BF16"), ("amx_tile", "AMX"), ("asimd", "NEON"),
             ("sve", "SVE")]
    return name, ", ".join(word for flag, word in known if flag in flags)


def revision(top):
    try:
        r = subprocess.run(["git", "-C", str(top), "describe", "--always", "--dirty"], capture_output=True, text=True, check=True)
        return r.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine(top):
    """[(what, value)] of this machine and day."""
    name, isa = cpu_info()
    return [("date", datetime.date.today().isoformat()), ("cpu", name), ("cores", str(len(os.sched_getaffinity(0)))), ("isa", isa),
            ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
            ("load", f"{os.getloadavg()[0]:.2f}"), ("revision", revision(top))]


def number(v):
    """Three digits that matter; whole from 100 up, with thin groups of thousands."""
    if v >= 1000:
        return f"{int(float(f'{v:.3g}')):,}".replace(",", " ")
    return f"{v:.3g}"


class Table:
    """Rows that are written as they come: TSV with `# key: value` lines first, so that an interrupted run leaves what it has."""

    def __init__(self, path, columns, head):
        self.path, self.columns, self.rows = pathlib.Path(path), columns, []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(f"# {k}: {v}\n" for k, v in head) + "\t".join(columns) + "\n")

    def add(self, **row):
        self.rows.append(row)
        with open(self.path, "a") as f:
            f.write("\t".join(str(row.get(c, "")) for c in self.columns) + "\n")


def markdown(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(v) for v in r) + " |" for r in rows]) + "\n"
