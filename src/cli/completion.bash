# bash completion for seqnet, from the program's own table of options
_seqnet() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$(seqnet --list-options | cut -f1 | uniq) --help --version"
    else
        words=$(seqnet --list-options | awk -F'\t' -v c="$command" -v p="$prev" \
            '$1 == c && ($2 == p || "-" $3 == p) && $4 == "word" { gsub(/\|/, " ", $5); print $5 }')
        [ -z "$words" ] && [ "${cur#-}" != "$cur" ] && words=$(seqnet --list-options | awk -F'\t' -v c="$command" '$1 == c { print $2 }')
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _seqnet seqnet
