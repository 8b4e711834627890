#!/usr/bin/env bash
# check_symbols.sh PLUGIN.so: it exports atlas_plugin_v1 and nothing else, leaves nothing undefined that is the core's
# or a library's that only the core may use, and loads the C and C++ runtimes only.
set -euo pipefail
plugin=$1
failed=0
complain() {
  echo "$plugin: $1" >&2
  failed=1
}

defined=$(nm -D --defined-only "$plugin" | awk '{print $NF}' | sed 's/@.*//')
[ "$defined" = "atlas_plugin_v1" ] || complain "exports: $(echo $defined)"

foreign=$(nm -D --undefined-only --demangle "$plugin" |
  grep -E 'atlas|ngtcp2|gnutls|sqlite3|uv_|crypto_|spdlog|fmt::' || true)
[ -z "$foreign" ] || complain "needs from elsewhere: $foreign"

libraries=$(ldd "$plugin" | awk '{print $1}' |
  grep -vE '^(linux-vdso|libstdc\+\+|libm|libgcc_s|libc|libpthread|/lib.*/ld-linux)[.-]' || true)
[ -z "$libraries" ] || complain "loads: $(echo $libraries)"
exit $failed
