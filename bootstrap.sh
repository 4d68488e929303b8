#!/bin/sh
# From a bare machine to a running seqnet: see `./bootstrap.sh help`.
set -eu
top=$(cd "$(dirname "$0")" && pwd)
build=$top/build

usage() {
    cat <<'TEXT'
usage: ./bootstrap.sh COMMAND

  demo              build, then train on real REST ChIP-seq peaks, scan a stretch of chr22 and report the motif found
  test              build, then run the test suite
  build             build in build/ (the program is build/seqnet)
  bench [ARGUMENT]  measure against PyTorch, TensorFlow, ONNX Runtime and OpenVINO (see `bench --help`; downloads them once)
  install [PREFIX]  build and install (default: /usr/local for root, else ~/.local)
  help              this text

Missing packages are installed with the package manager of the system (apt, dnf, pacman, apk or brew) when we are root or sudo asks for no
password; otherwise the command to do so is printed. With the packages there, neither root nor a network is needed.
TEXT
}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# ---- packages --------------------------------------------------------------------------------------------------------------------

have_module() { pkg-config --exists "$1" 2>/dev/null; }

# Is what we call $1 there?
have() {
    case $1 in
    compiler) command -v "${CC:-cc}" >/dev/null 2>&1 && echo '#include <stdio.h>' | "${CC:-cc}" -E - >/dev/null 2>&1 ;;
    ninja) command -v ninja >/dev/null 2>&1 || command -v ninja-build >/dev/null 2>&1 || command -v samu >/dev/null 2>&1 ;;
    meson) command -v meson >/dev/null 2>&1 ;;
    pkg-config) command -v pkg-config >/dev/null 2>&1 ;;
    *) have_module "$1" ;;
    esac
}

# Name of the package that brings $2 for package manager $1.
package() {
    case $1:$2 in
    *:meson) echo meson ;;
    apt:ninja | dnf:ninja) echo ninja-build ;;
    *:ninja) echo ninja ;;
    apt:compiler) echo gcc libc6-dev ;;
    dnf:compiler | pacman:compiler) echo gcc ;;
    apk:compiler) echo gcc musl-dev ;;
    brew:compiler) echo gcc ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    pacman:pkg-config | apk:pkg-config) echo pkgconf ;;
    *:pkg-config) echo pkg-config ;;
    apt:htslib) echo libhts-dev ;;
    dnf:htslib) echo htslib-devel ;;
    apk:htslib) echo htslib-dev ;;
    *:htslib) echo htslib ;;
    apt:yaml-0.1) echo libyaml-dev ;;
    dnf:yaml-0.1) echo libyaml-devel ;;
    apk:yaml-0.1) echo yaml-dev ;;
    *:yaml-0.1) echo libyaml ;;
    apt:jansson) echo libjansson-dev ;;
    dnf:jansson) echo jansson-devel ;;
    apk:jansson) echo jansson-dev ;;
    *:jansson) echo jansson ;;
    apt:zlib) echo zlib1g-dev ;;
    dnf:zlib) echo zlib-devel ;;
    apk:zlib) echo zlib-dev ;;
    *:zlib) echo zlib ;;
    apt:openblas) echo libopenblas-dev ;;
    dnf:openblas) echo openblas-devel ;;
    apk:openblas) echo openblas-dev ;;
    *:openblas) echo openblas ;;
    dnf:check) echo check-devel ;;
    apk:check) echo check-dev ;;
    *:check) echo check ;;
    esac
}

# The package manager of this system, or nothing.
manager() {
    for pair in apt-get:apt dnf:dnf pacman:pacman apk:apk brew:brew; do
        if command -v "${pair%%:*}" >/dev/null 2>&1; then
            echo "${pair##*:}"
            return
        fi
    done
}

# The command that installs packages with manager $1.
install_command() {
    case $1 in
    apt) echo "apt-get install -y --no-install-recommends" ;;
    dnf) echo "dnf install -y" ;;
    pacman) echo "pacman -S --needed --noconfirm" ;;
    apk) echo "apk add" ;;
    brew) echo "brew install" ;;
    esac
}

# What must stand before a command so that it may change the system: nothing or sudo; fails when neither helps.
privilege() {
    if [ "$1" = brew ] || [ "$(id -u)" -eq 0 ]; then
        echo ""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        echo "sudo -n"
    else
        return 1
    fi
}

missing_of() {
    missing=""
    for thing in "$@"; do
        have "$thing" || missing="$missing $thing"
    done
    echo "$missing"
}

# Makes sure that everything named is there; installs it or says how.
need() {
    missing=$(missing_of "$@")
    [ -n "$missing" ] || return 0
    say "missing:$missing"
    pm=$(manager)
    [ -n "$pm" ] || die "no package manager that we know; install the above and try again"
    packages=""
    for thing in $missing; do packages="$packages $(package "$pm" "$thing")"; done
    command="$(install_command "$pm")$packages"
    if ! sudo=$(privilege "$pm"); then
        say "installing packages needs root; run"
        printf '    sudo %s\n' "$command" >&2
        die "and try again"
    fi
    say "installing:$packages"
    # shellcheck disable=SC2086 # lists of words
    if [ "$pm" = apt ]; then
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 || say "apt-get update failed; trying with the package lists that are here"
        $sudo env DEBIAN_FRONTEND=noninteractive $command >&2 || die "failed: $command"
    else
        $sudo $command >&2 || die "failed: $command"
    fi
    missing=$(missing_of "$@")
    [ -z "$missing" ] || die "still missing after the installation:$missing"
}

# ---- building --------------------------------------------------------------------------------------------------------------------

needed="meson ninja compiler pkg-config htslib yaml-0.1 jansson zlib openblas"

# Configures build/ when needed and compiles; arguments go to meson.
compile() {
    # shellcheck disable=SC2086 # a list of words
    need $needed
    case $(meson --version) in
    0.*) die "meson $(meson --version) is too old, 1.0 or newer is needed (python3 -m pip install --user meson)" ;;
    esac
    if [ ! -f "$build/build.ninja" ]; then
        meson setup "$build" "$top" -Dtests=false "$@" >&2
    elif [ $# -gt 0 ]; then
        meson configure "$build" "$@" >&2
    fi
    meson compile -C "$build" >&2
}

do_build() {
    compile
    say "built $build/seqnet"
}

count() { grep -c -E "\"result\": \"($1)\"" "$log" || true; }

do_test() {
    log=$build/meson-logs/testlog.json
    rm -f "$log"
    rc=0
    needed="$needed check"
    (compile -Dtests=true) || rc=$?
    if [ "$rc" -eq 0 ]; then meson test -C "$build" --print-errorlogs || rc=$?; fi
    if [ ! -s "$log" ]; then
        say "the tests did not run"
        echo "0 passed, 1 failed"
        exit 1
    fi
    passed=$(count 'OK|EXPECTEDFAIL')
    skipped=$(count 'SKIP|IGNORED')
    total=$(wc -l <"$log")
    failed=$((total - passed - skipped))
    if [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
    line="$passed passed, $failed failed"
    if [ "$skipped" -gt 0 ]; then line="$line, $skipped skipped"; fi
    echo "$line"
    [ "$failed" -eq 0 ] || exit 1
}

do_install() {
    if [ $# -gt 0 ]; then
        prefix=$1
    elif [ "$(id -u)" -eq 0 ]; then
        prefix=/usr/local
    else
        prefix=$HOME/.local
    fi
    case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
    esac
    mkdir -p "$prefix" 2>/dev/null || die "$prefix: cannot create it; choose another PREFIX or become root"
    [ -w "$prefix" ] || die "$prefix: cannot write there; choose another PREFIX or become root"
    compile "-Dprefix=$prefix"
    meson install -C "$build" --no-rebuild --quiet >&2
    if [ "$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null 2>&1; then ldconfig || true; fi
    say "installed in $prefix: the program bin/seqnet, the library, its headers, seqnet.pc and the architectures of models/"
    case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) say "$prefix/bin is not in PATH" ;;
    esac
}

# The peers live in a virtual environment of their own: tests/bench/environment.py.
do_bench() {
    command -v python3 >/dev/null 2>&1 || die "bench: python3 is missing"
    case " $* " in *" -h "* | *" --help "*) exec python3 "$top/tests/bench/bench.py" --help ;; esac
    needed="$needed check"
    compile -Dtests=true
    meson compile -C "$build" bench_kernels bench_machine bench_model bench_passes bench_work >&2
    exec python3 "$top/tests/bench/bench.py" "$@"
}

do_demo() {
    compile
    exec sh "$top/demo/run.sh" "$build/seqnet"
}

case ${1:-help} in
demo | build | test)
    [ $# -eq 1 ] || die "$1: no further argument expected, got '$2'"
    "do_$1"
    ;;
install)
    [ $# -le 2 ] || die "install: expected one PREFIX, got '$3', too"
    shift
    do_install "$@"
    ;;
bench)
    shift
    do_bench "$@"
    ;;
help | -h | --help) usage ;;
*)
    usage >&2
    die "unknown command '$1'"
    ;;
esac
