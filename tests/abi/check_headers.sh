#!/usr/bin/env bash
# check_headers.sh COMPILER LANGUAGE STANDARD INCLUDE_DIR HEADER...: each header below INCLUDE_DIR/atlas compiles alone,
# included twice, and all of them together in either order, with every warning an error. What a header needs it includes
# itself.
set -euo pipefail
compiler=$1 language=$2 standard=$3 include=$4
shift 4
failed=0
compile() { # NAME, the source on standard input
  if ! "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" -; then
    echo "$1 does not compile as $standard with $compiler" >&2
    failed=1
  fi
}
includes() { printf '#include <%s>\n' "$@"; }

[ $# -gt 0 ] || { echo "no headers below $include" >&2; exit 1; }
names=("${@#"$include"/}")
for name in "${names[@]}"; do includes "$name" "$name" | compile "$name"; done
includes "${names[@]}" | compile "all headers together"
includes "${names[@]}" | tac | compile "all headers together, the last first"
exit $failed
