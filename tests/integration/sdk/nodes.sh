# Whole nodes that run until the test ends, each in a directory of its own. Sourced after common.sh.
#
#   configure NAME <<< TOML   its identity and its config.toml
#   start NAME                a node on loopback; address[NAME] is where it listens
#   as NAME COMMAND...        atlas, beside the node of that name
declare -A address=() node_pid=()
trap 'kill "${node_pid[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

configure() {
  atlas --root "$work/$1" id init >/dev/null
  cat >"$work/$1/state/config.toml"
}
start() {
  local name=$1 tries
  atlas --root "$work/$name" net listen --port 0 --bind 127.0.0.1 >"$work/$name.ready" 2>"$work/$name.log" &
  node_pid[$name]=$!
  for ((tries = 0; tries < 600; ++tries)); do
    if grep -q '^ready ' "$work/$name.ready"; then
      read -r _ address["$name"] _ < <(grep -m1 '^ready ' "$work/$name.ready")
      return
    fi
    kill -0 "${node_pid[$name]}" 2>/dev/null || break
    sleep 0.05
  done
  die "$name did not start: $(cat "$work/$name.ready" "$work/$name.log")"
}
as() {
  local name=$1
  shift
  atlas --root "$work/$name" "$@"
}
