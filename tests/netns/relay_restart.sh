#!/usr/bin/env bash
# The relay crashes and is started again: a pair that has no other way meets again, and no message is lost.
#
#   tests/netns/relay_restart.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
add_home a 10 symmetric
add_home b 11 symmetric
start a agent --bind 10.0.10.2 --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
start b agent --bind 10.0.11.2 --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
all_announced relay 2

crash() {
  kill_node relay
  sleep "$1"
  start_again relay
  back=$(now_ms)
}

cat <<'PAGE'
## The relay restarts

Both agents are behind symmetric NATs. The relay's process is killed (SIGKILL) and started again; meanwhile one agent
pings the other every 50 ms and is given four messages, each of which arrives once.

| the relay is away for | path before | path after | traffic stood still | of it, since the relay was ready |
|---|---|---|---|---|
PAGE
for away in 0 2; do
  watch a b crash $away
  echo "| $away s | $before | $after | $pause_ms ms | ${again_ms:--} ms |"
done
exit $failed
