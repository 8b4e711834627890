#!/usr/bin/env bash
# check_program.sh PROGRAM: it offers plugins no symbol. What a linker puts there all the same are variables of the
# libraries that it loads: copies of theirs, with their version, and type names that they have too.
set -euo pipefail
symbols=$(nm -D --defined-only --demangle "$1")
wrong=$(grep -vE '@' <<<"$symbols" | awk '$2 !~ /^[Vu]$/' || true)
ours=$(grep -i 'atlas' <<<"$symbols" || true)
[ -z "$wrong$ours" ] && exit 0
echo "$1 exports: $wrong $ours" >&2
exit 1
