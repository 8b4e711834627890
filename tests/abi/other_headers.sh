#!/usr/bin/env bash
# other_headers.sh earlier|later INCLUDE_DIR OUT_DIR: the C headers of the SDK as another minor may have them. "earlier"
# lacks the last field of structs that plugins fill in or look into, "later" has one more in each. A place that is not
# found is an error.
set -euo pipefail
which=$1 include=$2 out=$3
rm -rf "$out"
mkdir -p "$out"
cp -r "$include/atlas" "$out/"

# without HEADER STRUCT FIELD_PATTERN: takes the line out that has the field.
without() {
  local file=$out/atlas/$1
  awk -v record="$2" -v field="$3" '
    $0 ~ "struct " record " [{]" { inside = 1 }
    inside && $0 ~ field { found = 1; skipping = 1 }
    /^[}]/ { inside = 0 }
    skipping { if ($0 ~ /;/) skipping = 0; next }
    { print }
    END { exit !found }' "$file" >"$file.new" || { echo "$1: no $3 in $2" >&2; exit 1; }
  mv "$file.new" "$file"
}
# longer HEADER STRUCT FIELD: puts a field at the end.
longer() {
  local file=$out/atlas/$1
  awk -v record="$2" -v field="$3" '
    $0 ~ "struct " record " [{]" { inside = 1 }
    inside && /^[}]/ { print "    " field; inside = 0; found = 1 }
    { print }
    END { exit !found }' "$file" >"$file.new" || { echo "$1: no $2" >&2; exit 1; }
  mv "$file.new" "$file"
}

if [ "$which" = earlier ]; then
  without plugin.h atlas_host '[(][*]random[)]'
  without plugin.h atlas_plugin '[(][*]peer_event[)]'
  without ext/cli.h atlas_cli_arg 'char [*]help;'
  without ext/cli.h atlas_cli_command 'char [*]display;'
  without ext/messages.h atlas_answer 'rtt_us;'
  without ext/messages.h atlas_ext_messages '[(][*]fail[)]'
  without ext/peers.h atlas_ext_peers '[(][*]upsert[)]'
  without ext/protocols.h atlas_protocol_limits 'connection_window;'
  without ext/protocols.h atlas_ext_protocols '[(][*]open[)]'
  without ext/routes.h atlas_route_options 'byte_budget;'
  without ext/routes.h atlas_ext_routes '[(][*]expect[)]'
else
  minor=$(sed -n 's/^#define ATLAS_ABI_MINOR \([0-9]*\)u.*/\1/p' "$out/atlas/plugin.h")
  sed -i "s/^#define ATLAS_ABI_MINOR .*/#define ATLAS_ABI_MINOR $((minor + 1))u/" "$out/atlas/plugin.h"
  longer plugin.h atlas_host 'void (*later)(const atlas_host *host);'
  longer plugin.h atlas_plugin 'void (*later)(void *self);'
  longer ext/cli.h atlas_cli_arg 'const char *later;'
  longer ext/cli.h atlas_cli_command 'const char *later;'
  longer ext/messages.h atlas_message 'uint64_t later;'
  longer ext/messages.h atlas_ext_messages 'void (*later)(const atlas_host *host);'
  longer ext/protocols.h atlas_protocol_limits 'uint64_t later;'
  longer ext/protocols.h atlas_protocol 'uint64_t later;'
  longer ext/routes.h atlas_route_options 'uint64_t later;'
fi
