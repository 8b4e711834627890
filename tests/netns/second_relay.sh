#!/usr/bin/env bash
# Agents with two relays, one of which dies for good: pairs go on through the other, whoever they had met through.
#
#   tests/netns/second_relay.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
add_host spare 4
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
start spare relay --bind 20.0.0.4 --bootstrap 20.0.0.2:4433
number=10
for name in a b c; do
  add_home $name $number symmetric
  start $name agent --bind 10.0.$number.2 --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433 --relay 20.0.0.4:4433
  number=$((number + 1))
done
all_announced relay 3
all_announced spare 3

cat <<'PAGE'
## A second relay

Three agents behind symmetric NATs are announced at two relays. The first is killed (SIGKILL) and stays away.

| pair | path before | path after | until it was reached through the second relay |
|---|---|---|---|
PAGE
watch a b kill_node relay
echo "| traffic under way | $before | $after | $again_ms ms |"
join a c
echo "| met after that | - | $path | $first_ms |"
exit $failed
