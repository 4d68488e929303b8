# bash completion for seqnet, from the program's own table of options
_seqnet() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words
    local table second
    table=$(seqnet --list-options)
    second=$(awk -F'[\t ]' -v c="$command" '$1 == c && $2 !~ /^-/ { print $2 }' <<<"$table" | uniq) # of a group of commands
    [ -n "$second" ] && command="$command ${COMP_WORDS[2]}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$(cut -f1 <<<"$table" | cut -d' ' -f1 | uniq) --help --version"
    elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$second" ]; then
        words="$second --help"
    else
        words=$(awk -F'\t' -v c="$command" -v p="$prev" \
            '$1 == c && ($2 == p || "-" $3 == p) && $4 == "word" { gsub(/\|/, " ", $5); print $5 }' <<<"$table")
        [ -z "$words" ] && [ "${cur#-}" != "$cur" ] && words=$(awk -F'\t' -v c="$command" '$1 == c { print $2 }' <<<"$table")
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _seqnet seqnet
