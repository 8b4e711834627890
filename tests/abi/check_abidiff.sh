#!/usr/bin/env bash
# check_abidiff.sh BASELINE PROBE SOURCE CC: what libabigail makes of the library that holds a pointer to every public
# struct. It is as in the baseline. When the headers say a later minor, structs may have become longer; libabigail then
# looks away from a struct that did, whatever else happened to it, so that prefix_test.cc has the last word. And the
# comparison sees what it has to see: fields that changed places, that are gone, that have another type.
set -euo pipefail
baseline=$1 probe=$2 source=$3 cc=$4
for tool in abidiff "$cc"; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -f "$baseline" ] || { echo "skipped: there is no $baseline"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%s\n' '[suppress_type]' 'type_kind = struct' 'has_data_member_inserted_at = end' 'has_size_change = yes' \
  >"$work/longer"
released=$(basename "$(dirname "$baseline")")
now=$(sed -n 's/^#define ATLAS_ABI_M[AI][JN]OR \([0-9]*\)u.*/\1/p' "$source/sdk/include/atlas/plugin.h" | paste -sd.)
allowed=()
[ "$released" = "$now" ] || allowed=(--suppressions "$work/longer" --no-added-syms)
abidiff "${allowed[@]}" "$baseline" "$probe" || {
  echo "the plugin ABI is not that of $baseline; docs/abi.md, \"Versions\", says what may change and how" >&2
  exit 1
}

# sample NAME EXPECTED SED_SCRIPT HEADER [OPTION...]: the comparison with headers that were changed so.
sample() {
  rm -rf "$work/atlas"
  cp -r "$source/sdk/include/atlas" "$work/atlas"
  sed -i "$3" "$work/atlas/$4"
  if cmp -s "$source/sdk/include/atlas/$4" "$work/atlas/$4"; then
    echo "sample $1 changes nothing" >&2
    exit 1
  fi
  "$cc" -std=c11 -g -shared -fPIC -fvisibility=hidden -I"$work" "${probe%.so}.c" -o "$work/probe.so"
  local code=0
  abidiff "${@:5}" "$baseline" "$work/probe.so" >"$work/out" || code=$?
  [ "$code" = "$2" ] || { echo "sample $1: abidiff says $code, expected $2: $(cat "$work/out")" >&2; exit 1; }
}
sample longer 0 's/^    void (\*random)(const atlas_host.*/&\n    void (*another)(void);/' plugin.h \
  --suppressions "$work/longer"
sample reordered 4 '/^    atlas_status (\*cancel)(const atlas_host/{h;d};/^} atlas_ext_messages/{x;G}' ext/messages.h
sample removed 4 '/^    uint32_t dialled;  /d' plugin.h
sample retyped 4 's/^    uint64_t rtt_us;/    uint32_t rtt_us;/' ext/messages.h
sample argument 4 's/uint32_t timeout_ms, atlas_answer_fn/uint64_t timeout_ms, atlas_answer_fn/' ext/messages.h
