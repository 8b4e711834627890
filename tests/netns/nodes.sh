# Real nodes in the namespaces of network.sh, traffic between them, and what is told of it. Source this with the build
# directory as its argument; it leaves with 77 where namespaces or nftables are not to be had.
#
#   start NAME ROLE [OPTION...]  a node there; node[NAME] is its node id, pid[NAME] its process, target[NAME] by what it
#                                is dialled, its node id if nothing else
#   as NAME COMMAND...           atlas, beside the node of that name
#   until_true COMMAND...        tries for `seconds` (30)
#   pair_row, event_row          a row of the page: what two nodes come to
set -euo pipefail
export LC_ALL=C
umask 022  # a role that its group could write is not loaded
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$1" && pwd)
scenario=$(basename "$0" .sh)

skip() { echo "$scenario: skipped: $1" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
command -v ip >/dev/null && command -v nft >/dev/null || skip "needs ip (iproute2) and nft (nftables)"
. "$here/network.sh"
ip netns add "$net-try" 2>/dev/null || skip "this machine gives no network namespaces"
nft_works=$(ip netns exec "$net-try" nft list ruleset >/dev/null 2>&1 && echo yes || echo no)
ip netns del "$net-try"
[ "$nft_works" = yes ] || skip "nft does not work in a namespace here"

home=$(mktemp -d "${TMPDIR:-/tmp}/atlas-netns.XXXXXX")
trap 'close_network; rm -rf "$home"' EXIT
trap 'exit 130' INT TERM
failed=0 label=0
declare -A node=() pid=() options=() target=()

say() { echo "$scenario: $*" >&2; }
# A row of the page; what it says is not as it should be.
wrong() { say "WRONG: $*"; failed=1; }
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
since() { echo $(($(now_ms) - $1)); }
as() { local who=$1; shift; inside "$who" "$build/atlas" --root "$home/$who" "$@"; }

until_true() {
  local end=$(($(now_ms) + ${seconds:-30} * 1000))
  while ! "$@" >/dev/null 2>&1; do
    [ "$(now_ms)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

# Runs a node again with the options it had, once it is dead.
start_again() {
  local who=$1
  : >"$home/$who.ready"
  (set -f  # an IPv6 address in brackets is no pattern
    exec ip netns exec "$net-$who" "$build/atlas" --root "$home/$who" net listen --port 4433 ${options[$who]} \
      >"$home/$who.ready" 2>>"$home/$who.log") &
  pid[$who]=$!
  until_true grep -q '^ready ' "$home/$who.ready" || { cat "$home/$who.log" >&2; exit 1; }
  read -r _ _ node["$who"] < <(grep -m1 '^ready ' "$home/$who.ready")
  target[$who]=${target[$who]:-${node[$who]}}
}

# start NAME bootstrap|relay|agent OPTION...: without limits on what one peer may ask for, for tests ask much.
start() {
  local who=$1 role=$2
  shift 2
  as "$who" id init >/dev/null
  as "$who" config init --role "$role" >/dev/null
  options[$who]="$* --set rate_limit.per_peer_per_second=100000 --set rate_limit.per_peer_per_minute=1000000
    --set rate_limit.payload_per_minute=1000000000"
  start_again "$who"
}

# As a process that crashes.
kill_node() {
  kill -9 "${pid[$1]}"
  wait "${pid[$1]}" 2>/dev/null || true
}

# The number of agents that are announced at that relay.
announced() {
  local count
  count=$(as "$1" net relay status --json | sed -n 's/.*"announced":\([0-9]*\),"active".*/\1/p')
  [ "$count" = "$2" ]
}
all_announced() {
  until_true announced "$1" "$2" && return
  say "the agents did not announce themselves"
  as "$1" net relay status >&2
  tail -n 5 "$home"/*.log >&2
  exit 1
}

# path_of A B: direct, or relay and why; nothing when the session was made without a relay.
path_of() {
  as "$1" net status --json | sed -n "s/.*{\"node_id\":\"${node[$2]}\",\"path\":\"\([^\"]*\)\".*/\1/p"
}
is_direct() { [ "$(path_of "$1" "$2")" = direct ]; }
is_settled() {
  case $(path_of "$1" "$2") in direct | 'relay (direct failed'*) return 0 ;; esac
  return 1
}

# join A B: connects them, with as many attempts as `attempts` (1); sets path (direct, relayed or failed), first_ms and
# direct_ms (- when it never was).
join() {
  local began left=${attempts:-1}
  began=$(now_ms)
  first_ms=- direct_ms=- path=failed
  until as "$1" net connect "${target[$2]}" --json >"$home/connect" 2>&1; do
    left=$((left - 1))
    if [ $left = 0 ]; then
      wrong "$1 to $2: $(cat "$home/connect")"
      return
    fi
    say "$1 to $2: once more: $(head -n 1 "$home/connect")"
  done
  first_ms="$(since "$began") ms" path=relayed
  # A session that was made without the relay is not among the paths.
  grep -q '"path":"direct"' "$home/connect" || seconds=10 until_true is_settled "$1" "$2" || say "$1 to $2: undecided"
  if grep -q '"path":"direct"' "$home/connect" || is_direct "$1" "$2"; then
    path=direct direct_ms="$(since "$began") ms"
  fi
  as "$1" net send "${target[$2]}" '"hello"' >/dev/null 2>&1 || wrong "$1 to $2: no message arrived"
}

# One row of a table of pairs: what it is, and how they came together.
pair_row() {
  local what=$1
  join "$2" "$3"
  say "$what: $path, first $first_ms, direct $direct_ms"
  echo "| $what | $path | $first_ms | $direct_ms |"
}
pair_head() { printf '| %s | path | until a session answered | until it was direct |\n|---|---|---|---|\n' "$1"; }

# --- traffic that is watched ---

# traffic_begin A B: pings B from A every 50 ms, with a new command when one ends, until traffic_end. Every answer is a
# line of its time in the file `pongs`.
traffic_begin() {
  : >"$home/pongs"
  : >"$home/traffic"
  traffic_loop "$1" "$2" >>"$home/pongs" 2>>"$home/traffic.log" &
  traffic=$!
  seconds=15 until_true test -s "$home/pongs" || wrong "$1 to $2: no answer to the first ping"
}
traffic_loop() {
  local line
  while [ -e "$home/traffic" ]; do
    exec 3< <(exec ip netns exec "$net-$1" "$build/atlas" --root "$home/$1" net ping "${target[$2]}" --count 100000 \
      --interval 50ms 2>&1)
    echo $! >"$home/ping.pid"
    while read -r line <&3; do
      case $line in pong*) now_ms ;; *) echo "$(now_ms) $line" >&2 ;; esac
    done
    sleep 0.02
  done
}
traffic_end() {
  rm "$home/traffic"
  kill "$(cat "$home/ping.pid")" 2>/dev/null || true
  wait "$traffic" || true
}
# enough_since TIME: the traffic goes on, twenty answers have come. longest_pause TIME: between two answers, until now.
enough_since() { awk -v from="$1" '$1 > from { n++ } END { exit n < 20 }' "$home/pongs"; }
longest_pause() {
  { cat "$home/pongs"; now_ms; } |
    awk -v from="$1" '$1 > from && last && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }'
}

# --- messages that must not be lost ---

# send_begin A B: gives A's node four messages for B, one every 250 ms. send_end A B: waits until all of them are there,
# once each.
send_begin() {
  local i
  label=$((label + 1))
  (for i in $(seq 4); do
    as "$1" net send "${target[$2]}" "\"message $label.$i\"" >/dev/null 2>>"$home/sends.log" &
    sleep 0.25
  done; wait) &
  sends=$!
}
bodies() {
  as "$2" net inbox --json --from "${node[$1]}" --limit 1000 | grep -o "\"message $label\.[0-9]*\"" | sort | uniq -c
}
arrived() { [ "$(bodies "$@" | awk '$1 == 1' | wc -l)" = 4 ]; }
send_end() {
  wait "$sends" || true
  seconds=30 until_true arrived "$@" || wrong "$1 to $2: of four messages there are $(bodies "$@" | tr '\n' ' ')"
}

# watch A B COMMAND...: what the traffic from A to B does when that happens. Sets before and after (direct, relayed or
# lost), pause_ms and again_ms: from `back`, when the command says that all is well again, else from its beginning, to
# the next answer. Messages are sent besides.
watch() {
  local a=$1 b=$2 began
  shift 2
  join "$a" "$b"
  before=$path
  traffic_begin "$a" "$b"
  send_begin "$a" "$b"
  sleep 0.5
  began=$(now_ms) back=0 after=relayed
  "$@"
  [ "$back" != 0 ] || back=$began
  seconds=20 until_true enough_since "$back" || after=lost
  pause_ms=$(longest_pause "$began")
  again_ms=$(awk -v from="$back" '$1 > from { print $1 - from; exit }' "$home/pongs")
  traffic_end
  if [ $after = lost ]; then
    wrong "$a to $b: the traffic did not come back in 20 s"
  elif [ -z "$(path_of "$a" "$b")" ] || is_direct "$a" "$b"; then
    after=direct
  fi
  say "$a to $b: $before, pause $pause_ms ms, again after ${again_ms:--} ms, then $after"
  send_end "$a" "$b"
}
# event_row WHAT A B COMMAND...: a row about that.
event_row() {
  local what=$1
  shift
  watch "$@"
  echo "| $what | $before | $after | $pause_ms ms |"
}
