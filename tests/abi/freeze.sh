#!/usr/bin/env bash
# freeze.sh SOURCE LAYOUT PROBE: keeps the C headers as they are as the release that they name themselves:
# sdk/abi/<major>.<minor>/ gets the headers, what LAYOUT prints, and the dump of the library PROBE where abidw is
# installed. `cmake --build <build> --target abi_freeze` calls it. A minor that was released is never written again: its
# directory has a file RELEASED that says with which atlas.
set -euo pipefail
source=$1 layout=$2 probe=$3
number() { sed -n "s/^#define ATLAS_ABI_$1 \([0-9]*\)u.*/\1/p" "$source/sdk/include/atlas/plugin.h"; }
version=$(number MAJOR).$(number MINOR)
target=$source/sdk/abi/$version
arch=$(uname -m)
if [ -e "$target/RELEASED" ]; then
  echo "plugin ABI $version was released with $(cat "$target/RELEASED"); what is new needs a higher" \
    "ATLAS_ABI_MINOR in sdk/include/atlas/plugin.h" >&2
  exit 1
fi
rm -rf "$target/atlas"
mkdir -p "$target/atlas/ext"
cp "$source/sdk/include/atlas/plugin.h" "$target/atlas/"
cp "$source"/sdk/include/atlas/ext/*.h "$target/atlas/ext/"
"$layout" >"$target/layout_$arch.txt"
"$layout" >"$source/tests/abi/layout_$arch.txt"
if command -v abidw >/dev/null; then
  abidw --no-corpus-path --no-comp-dir-path --no-show-locs "$probe" >"$target/probe_$arch.abi"
else
  rm -f "$target/probe_$arch.abi"
  echo "abidw is not installed: there is no probe_$arch.abi to compare with"
fi
echo "plugin ABI $version is in $target"
