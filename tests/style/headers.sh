#!/bin/sh
# Every public header compiles alone, twice in a row, without a warning, as C11 or as C++11; and is named in include/seqnet/meson.build.
# Usage: headers.sh c|c++ SOURCE_ROOT BUILD_ROOT COMPILER...
set -eu
language=$1 source=$2 build=$3
shift 3
case $language in
c) standard=-std=c11 ;;
*) standard=-std=c++11 ;;
esac
bad=0
seen=0
for path in "$source"/include/seqnet/*.h "$build"/include/seqnet/version.h; do
    name=${path##*/}
    seen=$((seen + 1))
    if ! printf '#include <seqnet/%s>\n#include <seqnet/%s>\nint seqnet_unused;\n' "$name" "$name" |
        "$@" -x "$language" $standard -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
            -I "$source/include" -I "$build/include" -; then
        echo "seqnet/$name: does not compile alone as $language"
        bad=1
    fi
    if [ "$name" != version.h ] && ! grep -q "'$name'" "$source/include/seqnet/meson.build"; then
        echo "seqnet/$name: not named in include/seqnet/meson.build"
        bad=1
    fi
done
echo "$seen headers as $language"
exit $bad
