#!/usr/bin/env bash
# check_layout.sh LAYOUT GOLDEN: sizes and offsets, as LAYOUT prints them, are those of the file.
set -euo pipefail
if "$1" | diff "$2" -; then exit 0; fi
echo "The layout of the plugin ABI is not that of $2 (< was, > is)." >&2
echo "A released struct only ever gets longer, and by a new minor: docs/abi.md, \"Versions\". If this is one," >&2
echo "cmake --build <build> --target abi_freeze writes the file anew." >&2
exit 1
