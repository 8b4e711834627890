#!/usr/bin/env bash
# R1 (CPU for each Gbit forwarded) and R2 (what a relay adds to a round trip) of this node's relay, beside coturn and
# Syncthing's strelaysrv where these are installed (Debian packages coturn and syncthing-relaysrv), in turns, so that a
# neighbour's load falls on all of them. Medians as a table; what a server was not measured for is said.
#
#   tests/bench/relay-beside.sh <build directory> [rounds, 3] [seconds each, 5]
#
# Only loopback and ports that are free. Ends nothing but what it started. RAW=<directory> keeps every run's JSON;
# TURNSERVER and STRELAYSRV name programs that are elsewhere.
set -euo pipefail
export LC_ALL=C

if [ $# -lt 1 ] || [ ! -x "$1/atlas-bench" ] || [ ! -x "$1/atlas" ]; then
  echo "usage: $0 <build directory with atlas and atlas-bench> [rounds] [seconds each]" >&2
  exit 2
fi
build=$1 rounds=${2:-3} seconds=${3:-5}
work=$(mktemp -d)
raw=${RAW:-$work/raw}
mkdir -p "$raw"
started=()

clean_up() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# in_use <tcp|udp> <port>
in_use() {
  local hex
  hex=$(printf ':%04X' "$2")
  awk -v port="$hex" 'index($2, port) == length($2) - 4 { found = 1 } END { exit !found }' \
    "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    in_use tcp "$port" || in_use udp "$port" || break
  done
  echo "$port"
}

find_program() {
  local name
  for name in "$@"; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
      command -v "$name"
      return
    fi
  done
}

# start <name> <tcp|udp> <port> <command ...>: sets started_pid, 0 when it did not come up.
start() {
  local name=$1 kind=$2 port=$3
  shift 3
  "$@" >"$work/$name.log" 2>&1 &
  started_pid=$!
  started+=("$started_pid")
  for _ in $(seq 100); do
    if in_use "$kind" "$port"; then return; fi
    if ! kill -0 "$started_pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  echo "$name: skipped, it did not come up:" >&2
  tail -n 5 "$work/$name.log" >&2
  started_pid=0
}

# run <round> <name> <atlas-bench words ...>
run() {
  local round=$1 name=$2
  shift 2
  echo "round $round of $rounds: $name" >&2
  "$build/atlas-bench" "$@" --seconds "$seconds" --atlas "$build/atlas" >"$raw/$name.$round.json"
}

# figure <file> <key> [<object that it is in>]
figure() {
  awk -v key="\"$2\":" -v within="${3:+\"$3\":}" '
    within == "" || index($0, within) { inside = 1 }
    inside && index($0, key) { sub(/.*: /, ""); sub(/,$/, ""); print; exit }' "$1"
}

# figures <name> <key> [<object>]: of all rounds, sorted
figures() {
  local name=$1 round
  shift
  for round in $(seq "$rounds"); do figure "$raw/$name.$round.json" "$@"; done | sort -g
}

median() {
  figures "$@" |
    awk '{ all[NR] = $1 } END { printf "%.3f", all[int((NR + 1) / 2)] }'
}

most() {
  figures "$@" | awk '{ last = $1 } END { printf "%.2f", last }'
}

turnserver=$(find_program "${TURNSERVER:-}" turnserver /usr/bin/turnserver)
strelaysrv=$(find_program "${STRELAYSRV:-}" strelaysrv /usr/bin/strelaysrv)
turn_pid=0 stream_pid=0
if [ -z "$turnserver" ]; then
  echo "coturn: skipped, there is no turnserver here; the Debian package coturn has it" >&2
else
  turn_port=$(free_port)
  start coturn udp "$turn_port" "$turnserver" -n --no-auth --no-cli --no-tls --no-dtls --listening-ip 127.0.0.1 \
    --relay-ip 127.0.0.1 --listening-port "$turn_port" --allow-loopback-peers --userdb "$work/turndb" \
    --pidfile "$work/turnserver.pid" --log-file stdout --simple-log
  turn_pid=$started_pid
fi
if [ -z "$strelaysrv" ]; then
  echo "strelaysrv: skipped, it is not here; the Debian package syncthing-relaysrv has it" >&2
else
  stream_port=$(free_port)
  mkdir "$work/keys"
  start strelaysrv tcp "$stream_port" "$strelaysrv" -listen "127.0.0.1:$stream_port" -keys "$work/keys" -pools "" \
    -status-srv ""
  stream_pid=$started_pid
fi

for round in $(seq "$rounds"); do
  run "$round" atlas relay
  run "$round" atlas-rtt relay-rtt
  if [ "$turn_pid" != 0 ]; then run "$round" coturn turn --target "127.0.0.1:$turn_port" --pid "$turn_pid"; fi
  if [ "$stream_pid" != 0 ]; then
    run "$round" strelaysrv stream-relay --target "127.0.0.1:$stream_port" --pid "$stream_pid"
  fi
done

# row <shown> <file of R1> <file of R2>
row() {
  printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$(median "$2" srv_cpu_s_per_gbit)" \
    "$(median "$2" delivered_gbit_per_s)" "$(median "$3" p50 added_us)" "$(median "$3" p99 added_us)" \
    "$(most "$2" other_cores)"
}

echo "Medians of $rounds rounds of $seconds s. Figures with another program on more than 0.05 processors are doubtful."
echo
echo '| relay | R1: CPU s per Gbit | Gbit/s | R2: added round trip, p50 us | p99 us | other processors, most |'
echo '|---|---|---|---|---|---|'
row 'atlas, datagrams of 1 200 bytes' atlas atlas-rtt
if [ "$turn_pid" != 0 ]; then row 'coturn, UDP, datagrams of 1 200 bytes' coturn coturn; fi
if [ "$stream_pid" != 0 ]; then row 'strelaysrv, TCP streams' strelaysrv strelaysrv; fi
