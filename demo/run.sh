#!/bin/sh
# Trains on REST ChIP-seq peaks, tests on held-out ones, scans a stretch of chromosome 22, reports what was learned.
# usage: run.sh SEQNET [FOLDER for the results, default demo-out]
set -eu
LC_ALL=C
export LC_ALL
top=$(cd "$(dirname "$0")/.." && pwd)
seqnet=${1:?usage: run.sh SEQNET [FOLDER]}
out=${2:-demo-out}
peaks=$top/data/tf_rest_gm12878
chr22=$top/data/minigenome_chr22
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
run explain "$out/rest.seqnet" "$out/test.fa" -o "$out/peaks"
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
# The first pattern and the known motif that is most like it; a pattern without one has dots.
awk -F '\t' 'NR == 2 {
    printf "The strongest pattern in the contributions: %s, %d places, consensus %s", $1, $2, $3
    if ($5 == ".") print ", like no known motif."
    else printf ": the known motif most like it is %s (%s, E = %s).\n", $6, $5, $11
}' "$out/peaks/motifs.tsv"
filter=$(awk -F '\t' 'NR > 1 && $7 == "REST" && $8 > r { r = $8; best = $1 " " $8 } END { if (r) print best }' "$out/peaks/filters.tsv")
if [ -n "$filter" ]; then echo "The filter of the first layer that looks most like REST: ${filter% *}, correlation ${filter#* }."; fi

strongest() { find "$1/logos" -name 'sequence_001_*.svg' 2>/dev/null; }
cat <<TEXT
The report, for any browser: $out/peaks/report.html
Pictures:
  the bases that make a REST peak    $(strongest "$out/peaks")
  the bases of the strongest site    $(strongest "$out/sites")
The model: $out/rest.seqnet, the sites: $out/sites.bed, the motifs: $out/peaks/motifs.meme.
TEXT
