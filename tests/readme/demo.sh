#!/bin/sh
# The demo finds what it is about. usage: demo.sh SOURCE_ROOT SEQNET
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
sh "$1/demo/run.sh" "$2" "$place/out" >"$place/said" 2>"$place/log" || { cat "$place/log"; exit 1; }
cat "$place/said"
fail() {
    echo "demo: $*" >&2
    exit 1
}
awk '/auROC of/ { sub(/\.$/, "", $NF); ok = $NF >= 0.99 } END { exit !ok }' "$place/said" || fail "auROC below 0.99"
[ "$(grep -c 'kept out of the training: number [1-9] of the sites' "$place/said")" -eq 2 ] || fail "the two peaks are not among the first nine sites"
grep -q 'strongest pattern .*the known motif most like it is REST (MA0138' "$place/said" || fail "the pattern is not REST"
grep -q 'looks most like REST: .* correlation \(0\.9[0-9]*\|1\)\.$' "$place/said" || fail "no filter like REST"
[ "$(sed -n 's/.* \(.*\.svg\)$/\1/p' "$place/said" | while read -r svg; do grep -l '</svg>' "$svg"; done | wc -l)" -eq 2 ] || fail "not two pictures"
grep -q 'MA0138' "$(sed -n 's/^The report.*: //p' "$place/said")" || fail "the report does not name REST"
grep -q 'warning: .*trained against shuffled sequences' "$place/log" || fail "scan does not repeat the warning"
