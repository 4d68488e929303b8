#!/bin/sh
# Trains on REST ChIP-seq peaks, tests on held-out ones, scans a stretch of chromosome 22, draws what was learned.
# usage: run.sh SEQNET [FOLDER for the results, default demo-out]
set -eu
LC_ALL=C
export LC_ALL
top=$(cd "$(dirname "$0")/.." && pwd)
seqnet=${1:?usage: run.sh SEQNET [FOLDER]}
out=${2:-demo-out}
peaks=$top/data/tf_rest_gm12878
chr22=$top/data/minigenome_chr22
motifs=$top/data/motifs/JASPAR2024_subset.meme
fpr=0.001

step() { printf '\n== %s\n' "$*" >&2; }
run() {
    printf '$ seqnet %s\n' "$*" >&2
    "$seqnet" "$@"
}

mkdir -p "$out"
rm -rf "$out"/peaks "$out"/sites # what an earlier demo explained

# The stretch of chromosome 22 holds two of the peaks. They stay out of the training, so that the scan can show whether they are found.
gzip -dc "$peaks/train.tsv.gz" "$peaks/valid.tsv.gz" | awk -F '\t' '
    FNR == NR { held[$4]; next }
    $1 == 1 && !(("train_" (FNR - 1)) in held) { printf ">peak%d\n%s\n", ++n, $2 }' "$chr22/rest_chip.bed" - >"$out/train.fa"
gzip -dc "$peaks/test.tsv.gz" | awk -F '\t' '$1 == 1 { printf ">test%d\n%s\n", ++n, $2 }' >"$out/test.fa"

step "train the default architecture on peaks alone: seqnet shuffles them for negatives, and warns"
run train -m cnn --pos "$out/train.fa" -o "$out/rest.seqnet" --log "$out/train.tsv"
step "evaluate on test peaks and their shuffles"
run evaluate "$out/rest.seqnet" --data "$peaks/test.tsv.gz" -o "$out/test.tsv"
step "scan 505 kb of chromosome 22"
run scan "$out/rest.seqnet" "$chr22/mini.fa.gz" --fpr "$fpr" -o "$out/sites.bed"
sites=$(grep -c -v '^#' "$out/sites.bed" || true)
step "explain the test peaks, then the sites called on chromosome 22"
run explain "$out/rest.seqnet" "$out/test.fa" --motifs "$motifs" -o "$out/peaks"
if [ "$sites" -gt 0 ]; then
    run explain "$out/rest.seqnet" "$out/sites.bed" -f "$chr22/mini.fa.gz" --window 101 -o "$out/sites"
fi

# ---- what was found --------------------------------------------------------------------------------------------------------------

auroc=$(awk -F '\t' '$1 == "mean" && $2 == "auroc" { printf "%.4f", $3 }' "$out/test.tsv")
# windows that pass by chance: bases / stride * rate; the stride stands in the first line of the sites
chance=$(gzip -dc "$chr22/mini.fa.gz" | awk -v fpr="$fpr" '
    FNR == NR { if (match($0, /stride [0-9]+/)) stride = substr($0, RSTART + 7, RLENGTH - 7); next }
    !/^>/ { bases += length($0) }
    END { printf "%.0f", fpr * bases / stride }' "$out/sites.bed" -)

cat <<TEXT

== what was found
On held-out REST peaks and their shuffles the network reaches an auROC of $auroc.
On the stretch of chromosome 22 it calls $sites sites at a false positive rate of $fpr, where about $chance windows should pass by chance
(a site joins several windows; expect more false ones, as the warning says: genome is not shuffled sequence).
TEXT
# Sites by falling score; contig chr22a starts after base 20 000 000 of GRCh37, chr22b after 20 795 000.
grep -v '^#' "$out/sites.bed" | sort -k 7,7nr | awk -F '\t' -v bed="$chr22/rest_chip.bed" '
    BEGIN { while ((getline line <bed) > 0) { split(line, f, "\t"); chrom[++n] = f[1]; from[n] = f[2]; to[n] = f[3] } }
    {
        offset = $1 == "chr22a" ? 20000000 : 20795000
        if (NR == 1) printf "  strongest site: %s:%d-%d (GRCh37 chr22:%d-%d), score %s\n", $1, $2 + 1, $3, $2 + 1 + offset, $3 + offset, $7
        for (i = 1; i <= n; i++) if ($1 == chrom[i] && $2 < to[i] && $3 > from[i] && !rank[i]) rank[i] = NR
    }
    END {
        for (i = 1; i <= n; i++)
            printf "  ChIP-seq peak %s:%d-%d, kept out of the training: %s\n", chrom[i], from[i] + 1, to[i],
                rank[i] ? "number " rank[i] " of the sites" : "not called"
    }'
filter=$(awk -F '\t' 'NR > 1 && $7 == "REST" && $8 > r { r = $8; best = $1 " " $5 " " $6 " " length($5) }
    END { if (r) printf "%s %.3f", best, r }' "$out/peaks/filters.tsv")
if [ -n "$filter" ]; then
    # shellcheck disable=SC2086 # a list of words
    set -- $filter
    echo "The filter that looks most like REST: $1, consensus $2, correlation $5 with JASPAR $3 over $4 bases."
    picture=$out/peaks/logos/filter_$1.svg
else
    echo "No filter looks most like REST."
    picture="-"
fi

strongest() { find "$1/logos" -name 'sequence_001_*.svg' 2>/dev/null; }
cat <<TEXT
Pictures, for any browser:
  what that filter looks for         $picture
  the bases that make a REST peak    $(strongest "$out/peaks")
  the bases of the strongest site    $(strongest "$out/sites")
The model: $out/rest.seqnet, the sites: $out/sites.bed, all filters as motifs: $out/peaks/filters.meme.
TEXT
