#!/usr/bin/env bash
# check_headers.sh COMPILER LANGUAGE STANDARD INCLUDE_DIR: every C header of the SDK compiles alone, included twice,
# with every warning an error.
set -euo pipefail
compiler=$1 language=$2 standard=$3 include=$4
failed=0
for header in "$include"/atlas/plugin.h "$include"/atlas/ext/*.h; do
  name=${header#"$include"/}
  if ! printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
    "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" -; then
    echo "$name does not compile as $standard with $compiler" >&2
    failed=1
  fi
done
exit $failed
