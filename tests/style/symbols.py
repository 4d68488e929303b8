"""Names that leave a library, and names it needs: nm on it. Usage: symbols.py NM shared|static|libm LIBRARY...

shared  exports seqnet_ only
static  globals begin with seqnet_ or sn_
libm    no function of libm whose last bit differs between systems, except where no weight or score passes"""

import re
import subprocess
import sys

from sources import report

ALLOWED = {"shared": re.compile(r"seqnet_"), "static": re.compile(r"(seqnet|sn)_")}
FLAGS = {"shared": ["-D", "--defined-only"], "static": ["-g", "--defined-only"], "libm": ["-u"]}
SANITIZER = re.compile(r"__(odr_)?[atul]b?san|__sancov|__start_|__stop_")
INEXACT = re.compile(r"((a?(sin|cos|tan)h?|sincos|atan2|exp(2|10|m1)?|log(2|10|1p)?|pow|cbrt|hypot|erfc?|[lt]gamma)[fl]?)(@.*)?$")
FREE = re.compile(r"src_(motif|report)_")


def symbols(nm, kind, library):
    """(object, kind letter, name) of each symbol."""
    out = subprocess.run([nm, "-A", *FLAGS[kind], library], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    for line in out.splitlines():
        *_, letter, name = line.split()
        if not SANITIZER.match(name):
            yield line.rsplit(":", 1)[0], letter, name


def main(nm, kind, libraries):
    problems, seen = [], 0
    for library in libraries:
        for where, letter, name in symbols(nm, kind, library):
            seen += 1
            if kind != "libm" and not ALLOWED[kind].match(name):
                problems.append(f"{where}: {letter} {name}: expected a name {ALLOWED[kind].pattern}...")
            if kind == "libm" and INEXACT.match(name) and not FREE.search(where):
                problems.append(f"{where}: calls {name} of libm; ours are in kernels/cpu/tmpl/mathfn.h")
    if seen == 0:
        problems.append(f"{', '.join(libraries)}: no symbol at all")
    return report(f"symbols ({seen} seen)", problems)


sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
