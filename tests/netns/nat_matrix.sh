#!/usr/bin/env bash
# Every kind of NAT against every other, with real nodes, a real relay and the NAT of the kernel: who connects, who gets
# a direct path, and how long both take. Prints the table of docs/reference/nat-matrix.md.
#
#   tests/netns/nat_matrix.sh BUILD [--write FILE]
#
# Exit 77 where namespaces or nftables are not to be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
write=${3:-}
skip() { echo "nat_matrix: skipped: $1" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v ip >/dev/null && command -v nft >/dev/null || skip "needs ip (iproute2) and nft (nftables)"
ip netns add "atlas$$-try" 2>/dev/null || skip "this machine gives no network namespaces"
inside_works=$(ip netns exec "atlas$$-try" nft list ruleset >/dev/null 2>&1 && echo yes || echo no)
ip netns del "atlas$$-try"
[ "$inside_works" = yes ] || skip "nft does not work in a namespace here"

. "$here/network.sh"
home=$(mktemp -d "${TMPDIR:-/tmp}/atlas-netns.XXXXXX")
trap 'close_network; rm -rf "$home"' EXIT
umask 022

as() { local who=$1; shift; inside "$who" "$build/atlas" --root "$home/$who" "$@"; }
until_true() {
  local tries
  for tries in $(seq "${tenths:-300}"); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}
declare -A node
start() {
  local who=$1 role=$2
  shift 2
  as "$who" id init >/dev/null
  as "$who" config init --role "$role" >/dev/null
  as "$who" net listen --port 4433 "$@" >"$home/$who.ready" 2>"$home/$who.log" &
  until_true grep -q '^ready ' "$home/$who.ready" || { cat "$home/$who.log" >&2; exit 1; }
  read -r _ _ node["$who"] < <(grep '^ready ' "$home/$who.ready")
}
now_ms() { date +%s%3N; }
middle() { sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'; }

kinds=(full-cone restricted port-restricted symmetric)
open_network
add_host bootstrap 20.0.0.2
add_host relay 20.0.0.3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433 --set rate_limit.per_peer_per_minute=600
number=10
for side in a b; do
  for kind in "${kinds[@]}"; do
    add_home "$side-$kind" "20.0.0.$number" "$kind"
    start "$side-$kind" agent --bind "10.0.$number.2" --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
    number=$((number + 1))
  done
done
announced() { [ "$(as relay net relay status --json | grep -o '"announced":8' | wc -l)" = 1 ]; }
until_true announced || {
  echo "nat_matrix: the agents did not announce themselves" >&2
  as relay net relay status >&2
  tail -n 5 "$home"/*.log >&2
  exit 1
}

path_of() {
  as "$1" net status --json | grep -o "{\"node_id\":\"$2\",\"path\":\"[^\"]*\"}" | sed 's/.*"path":"//; s/".*//'
}
is_direct() { [ "$(path_of "$1" "$2")" = direct ]; }

failed=0
first_times=$home/first direct_times=$home/direct
: >"$first_times"
: >"$direct_times"
table="| from \\ to |$(printf ' %s |' "${kinds[@]}")"$'\n'"|---|$(printf -- '---|%.0s' "${kinds[@]}")"
for from in "${kinds[@]}"; do
  row="| **$from** |"
  for to in "${kinds[@]}"; do
    began=$(now_ms)
    if as "a-$from" net connect "${node["b-$to"]}" --json >"$home/connect" 2>&1; then
      echo $(($(now_ms) - began)) >>"$first_times"
      cell=relayed
      # A session that was made without the relay is not among the paths.
      if grep -q '"path":"direct"' "$home/connect" || tenths=60 until_true is_direct "a-$from" "${node["b-$to"]}"; then
        cell=direct
        echo $(($(now_ms) - began)) >>"$direct_times"
      fi
      as "a-$from" net send "${node["b-$to"]}" '"hello"' >/dev/null 2>&1 || { cell="$cell, no message"; failed=1; }
    else
      cell=failed
      failed=1
      cat "$home/connect" >&2
    fi
    row="$row $cell |"
    echo "nat_matrix: $from to $to: $cell" >&2
  done
  table+=$'\n'"$row"
done
text="$table

Until a session answered (\`net connect\`, the program's own start included): median $(middle <"$first_times") ms
of $(wc -l <"$first_times"). Until the path was direct, where it became so: median $(middle <"$direct_times") ms of
$(wc -l <"$direct_times")."
echo "$text"
[ -z "$write" ] || cat >"$write" <<PAGE
# Which pairs find a direct path

Two agents, each behind a NAT of the Linux kernel, with a relay between them: what \`net connect\` by node id came to.
Every pair connects, because the relay is always there; \`direct\` says that the session left it. The kinds are those of
RFC 3489, section 5. This page is what \`tests/netns/nat_matrix.sh BUILD --write docs/reference/nat-matrix.md\` saw on a
machine of two cores; nothing here was written by hand.

$text
PAGE
exit $failed
