#!/bin/sh
# usage: client.sh BUILD PREFIX LIBDIR BINDIR [compiler flag]: installs into a temporary folder, then builds and runs the programs beside this file.
set -eu
build=$1 prefix=$2 libdir=$3 bindir=$4 flag=$5
here=$(cd "$(dirname "$0")" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
meson install -C "$build" --no-rebuild --destdir "$stage" >"$stage/log" 2>&1 || { cat "$stage/log"; exit 1; }
cd "$stage"
export PKG_CONFIG_PATH="$stage$libdir/pkgconfig" LD_LIBRARY_PATH="$stage$libdir"
unset SEQNET_MODELS SEQNET_MOTIFS SEQNET_DATA
for name in train predict explain motifs; do
    # shellcheck disable=SC2086,SC2046 # lists of words
    ${CC:-cc} -std=c11 -Wall -Wextra -Werror $flag "$here/$name.c" -o $name $(pkg-config --define-variable=prefix="$stage$prefix" --cflags --libs seqnet)
done
./train "$here/tiny.yaml" model.seqnet
./predict model.seqnet TTGACTCATTGACTCAGGCA CCGTAAGCTTCAGGATTTCC
./explain model.seqnet TTGACTCATTGACTCAGGCA
./motifs "$here/ap1.meme" | grep -q '^AP1 MA0835.3 BATF3 + 3.45e-06$'
# the installed program finds its library and its architectures and databases by itself
LD_LIBRARY_PATH='' "$stage$bindir/seqnet" info cnn | grep -q '^architecture: cnn$'
LD_LIBRARY_PATH='' "$stage$bindir/seqnet" motifs match "$here/ap1.meme" --db jaspar-all --top 1 | grep -q '^AP1'
LD_LIBRARY_PATH='' "$stage$bindir/seqnet" info --digest model.seqnet
