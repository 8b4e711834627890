#!/usr/bin/env bash
# check_readme.sh COMPILER INCLUDE_DIR FILE...: the first ```cpp block of each file, the role that it shows people,
# compiles as it stands.
set -euo pipefail
compiler=$1 include=$2
shift 2
failed=0
for file in "$@"; do
  block=$(awk '/^```cpp$/ && !seen { inside = seen = 1; next } /^```/ { inside = 0 } inside' "$file")
  if [[ $block != *ATLAS_PLUGIN* ]]; then
    echo "$file: its first cpp block is no role" >&2
    failed=1
  elif ! "$compiler" -x c++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" - <<<"$block"; then
    echo "$file: the role that it shows does not compile" >&2
    failed=1
  fi
done
exit $failed
