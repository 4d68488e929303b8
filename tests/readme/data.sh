#!/bin/sh
# The files of data/ are those that its README.md tells, one digest each. usage: data.sh DATA
set -eu
cd "$1"
listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
sed -n 's/^\([0-9a-f]\{64\}  .*\)$/\1/p' README.md >"$listed"
sha256sum -c "$listed"
find . -type f ! -name README.md | while read -r file; do
    grep -q "  ${file#./}\$" "$listed" || { echo "${file#./}: not in data/README.md" >&2; exit 1; }
done
