#!/bin/sh
# Runs the blocks of README.md that are marked `<!-- run -->`, in order and in one shell, where `build` and `data` are what a reader has.
# usage: run.sh SOURCE_ROOT BUILD_ROOT
set -eu
source=$1 build=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
ln -s "$build" build
ln -s "$source/data" "$source/tests" .
awk '
    /^<!-- run -->$/ { marked = 1; next }
    /^```sh$/ && marked { inside = 1; blocks++; next }
    /^```$/ { inside = 0 }
    inside { print }
    { marked = 0 }
    END { if (!blocks) print "no block is marked in README.md" >"/dev/stderr"; exit !blocks }' "$source/README.md" >blocks.sh
for command in train evaluate predict scan explain info 'motifs match' 'motifs scan'; do
    grep -q "^ *seqnet $command " blocks.sh || { echo "README.md does not show seqnet $command" >&2; exit 1; }
done
unset SEQNET_MODELS SEQNET_MOTIFS SEQNET_DATA SEQNET_MODULE_PATH
sh -eux blocks.sh >log 2>&1 || { cat log; exit 1; }
for result in rest.seqnet scores.tsv rest.bedgraph.gz.tbi rest.bed rest/filters.meme filters.tsv sites.bed ctcf.seqnet mine.seqnet; do
    test -s "out/$result" || { cat log; echo "out/$result was not made" >&2; exit 1; }
done
