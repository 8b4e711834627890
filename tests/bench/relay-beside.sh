#!/usr/bin/env bash
# R1 (CPU for each Gbit forwarded), R2 (what a relay adds to a round trip), R3 (how well a bandwidth limit holds) and F1
# (a relay is killed and restarted: until a pair passes traffic again) of this node's relay, beside coturn and
# Syncthing's strelaysrv where these are installed (Debian packages coturn and syncthing-relaysrv). All in turns, so
# that a neighbour's load falls on all of them. Medians as a table, then the same as JSON; what is not installed is
# skipped, and said so.
#
#   tests/bench/relay-beside.sh <build directory> [rounds, 3] [seconds each, 5]
#
# Only loopback and ports that are free. Ends nothing but what it started. RAW=<directory> keeps every run's JSON;
# TURNSERVER and STRELAYSRV name programs that are elsewhere; PATIENCE is how long F1 waits for a pair of coturn's.
# F1 of strelaysrv is that of clients which join again at once; Syncthing's own wait longer.
set -euo pipefail
export LC_ALL=C

if [ $# -lt 1 ] || [ ! -x "$1/atlas-bench" ] || [ ! -x "$1/atlas" ]; then
  echo "usage: $0 <build directory with atlas and atlas-bench> [rounds] [seconds each]" >&2
  exit 2
fi
build=$1 rounds=${2:-3} seconds=${3:-5} patience=${PATIENCE:-60}
stream_limit=1048576 # bytes a second
work=$(mktemp -d)
raw=${RAW:-$work/raw}
mkdir -p "$raw"
rm -f "$raw"/*.json
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

# Of these, never the same one twice.
next_port=$((20000 + RANDOM % 10000))
free_port() {
  port=$next_port
  while in_use tcp "$port" || in_use udp "$port"; do port=$((port + 1)); done
  next_port=$((port + 1))
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

# run <round> <name> <atlas-bench words ...>: a run that fails is said, and missing in the medians.
run() {
  local round=$1 name=$2
  shift 2
  echo "round $round of $rounds: $name" >&2
  if ! "$build/atlas-bench" "$@" >"$work/out.json" 2>"$work/errors"; then
    echo "round $round of $rounds: $name failed: $(tail -n 1 "$work/errors")" >&2
    return
  fi
  mv "$work/out.json" "$raw/$name.$round.json"
}

# figure <file> <key> [<object that it is in>]
figure() {
  awk -v key="\"$2\":" -v within="${3:+\"$3\":}" '
    within == "" || index($0, within) { inside = 1 }
    inside && index($0, key) { sub(/.*: /, ""); sub(/,$/, ""); print; exit }' "$1"
}

# median <name> <key> [<object>]: of all rounds that have a number there; null when none has
median() {
  local name=$1 round
  shift
  for round in $(seq "$rounds"); do
    if [ -f "$raw/$name.$round.json" ]; then figure "$raw/$name.$round.json" "$@"; fi
  done | { grep -v null || true; } | sort -g |
    awk '{ all[NR] = $1 } END { if (NR == 0) print "null"; else printf "%.4f\n", all[int((NR + 1) / 2)] }'
}

# --- the others, once for all rounds ---

turnserver=$(find_program "${TURNSERVER:-}" turnserver /usr/bin/turnserver)
strelaysrv=$(find_program "${STRELAYSRV:-}" strelaysrv /usr/bin/strelaysrv)

# turn_words <port>, stream_words <port> <more ...>: what starts one there, into `words`
turn_words() {
  words=("$turnserver" -n --no-auth --no-cli --no-tls --no-dtls --listening-ip 127.0.0.1 --relay-ip 127.0.0.1
    --listening-port "$1" --allow-loopback-peers --userdb "$work/turndb" --pidfile "$work/turnserver.$1.pid"
    --log-file stdout --simple-log)
}
stream_words() {
  local port=$1
  shift
  mkdir -p "$work/keys.$port"
  words=("$strelaysrv" -listen "127.0.0.1:$port" -keys "$work/keys.$port" -pools "" -status-srv "" "$@")
}

turn_pid=0 stream_pid=0 limited_pid=0
if [ -z "$turnserver" ]; then
  echo "coturn: skipped, there is no turnserver here; the Debian package coturn has it" >&2
else
  free_port
  turn_port=$port
  turn_words "$turn_port"
  start coturn udp "$turn_port" "${words[@]}"
  turn_pid=$started_pid
fi
if [ -z "$strelaysrv" ]; then
  echo "strelaysrv: skipped, it is not here; the Debian package syncthing-relaysrv has it" >&2
else
  free_port
  stream_port=$port
  stream_words "$stream_port"
  start strelaysrv tcp "$stream_port" "${words[@]}"
  stream_pid=$started_pid
  free_port
  limited_port=$port
  stream_words "$limited_port" -per-session-rate "$stream_limit"
  start strelaysrv-limited tcp "$limited_port" "${words[@]}"
  limited_pid=$started_pid
fi

for round in $(seq "$rounds"); do
  run "$round" atlas relay --seconds "$seconds" --atlas "$build/atlas"
  run "$round" atlas-rtt relay-rtt --seconds "$seconds" --atlas "$build/atlas"
  if [ "$turn_pid" != 0 ]; then
    run "$round" coturn turn --seconds "$seconds" --target "127.0.0.1:$turn_port" --pid "$turn_pid"
  fi
  if [ "$stream_pid" != 0 ]; then
    run "$round" strelaysrv stream-relay --seconds "$seconds" --target "127.0.0.1:$stream_port" --pid "$stream_pid"
  fi
  run "$round" atlas-limit relay-limit --atlas "$build/atlas"
  if [ "$limited_pid" != 0 ]; then
    run "$round" strelaysrv-limit stream-limit --limit "$stream_limit" --target "127.0.0.1:$limited_port" \
      --pid "$limited_pid"
  fi
  run "$round" atlas-restart relay-restart --pairs 3 --atlas "$build/atlas"
  if [ "$stream_pid" != 0 ]; then
    free_port
    stream_words "$port"
    run "$round" strelaysrv-restart stream-restart --target "127.0.0.1:$port" -- "${words[@]}"
  fi
done
if [ "$turn_pid" != 0 ]; then # once: it is known to wait
  free_port
  turn_words "$port"
  run 1 coturn-restart turn-restart --seconds "$patience" --target "127.0.0.1:$port" -- "${words[@]}"
fi

# --- what came out ---

relays=(atlas)
if [ "$turn_pid" != 0 ]; then relays+=(coturn); fi
if [ "$stream_pid" != 0 ]; then relays+=(strelaysrv); fi
declare -A what=([atlas]='UDP, 1 200 bytes' [coturn]='UDP, 1 200 bytes' [strelaysrv]='TCP streams')

# measured <relay>: sets the figures of one row; null for what was not measured or did not happen in time
measured() {
  local trips=$1 within=round_trip
  if [ "$1" = atlas ]; then trips=atlas-rtt within=figures; fi
  cpu=$(median "$1" srv_cpu_s_per_gbit) rate=$(median "$1" delivered_gbit_per_s) others=$(median "$1" other_cores)
  added=$(median "$trips" p50 added_us) added90=$(median "$trips" p90 added_us)
  relayed=$(median "$trips" p50 relayed_us) direct=$(median "$trips" p50 direct_us)
  bare=$(median "$trips" p50 bare_added_us) lost=$(median "$trips" lost "$within")
  error=$(median "$1-limit" worst_error figures) again=$(median "$1-restart" seconds figures)
}

shown() {
  if [ "$1" = null ]; then echo "${2:--}"; else echo "$1"; fi
}

echo "Medians of $rounds rounds of $seconds s. Figures with another program on more than 0.05 processors are doubtful."
echo
printf '| relay | R1: CPU s per Gbit | Gbit/s | R2: added round trip, p50 us | p90 us | a bare forwarder adds, p50 us |'
printf ' R3: worst error over 10 s | F1: s until traffic | other processors |\n|---|---|---|---|---|---|---|---|---|\n'
for relay in "${relays[@]}"; do
  measured "$relay"
  late=-
  if [ "$relay" = coturn ] && [ -f "$raw/coturn-restart.1.json" ]; then late="> $patience"; fi
  printf '| %s, %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$relay" "${what[$relay]}" "$(shown "$cpu")" \
    "$(shown "$rate")" "$(shown "$added")" "$(shown "$added90")" "$(shown "$bare")" "$(shown "$error")" \
    "$(shown "$again" "$late")" "$(shown "$others")"
done
echo
printf '{"rounds":%s,"seconds":%s,"patience_s":%s,"relays":[' "$rounds" "$seconds" "$patience"
comma=
for relay in "${relays[@]}"; do
  measured "$relay"
  printf '%s\n {"relay":"%s","srv_cpu_s_per_gbit":%s,"gbit_per_s":%s,"other_cores":%s,"limit_worst_error":%s,' \
    "$comma" "$relay" "$cpu" "$rate" "$others" "$error"
  printf '"restart_s":%s,"round_trip_us":{"added_p50":%s,"added_p90":%s,"relayed_p50":%s,"direct_p50":%s,' \
    "$again" "$added" "$added90" "$relayed" "$direct"
  printf '"bare_added_p50":%s,"lost":%s}}' "$bare" "$lost"
  comma=,
done
printf '\n]}\n'
