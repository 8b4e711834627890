#!/usr/bin/env bash
# A NAT forgets what it knew and gives out another port, while traffic flows: the pair goes on.
#
#   tests/netns/nat_rebind.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
add_host public 4
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
start public agent --bind 20.0.0.4 --bootstrap 20.0.0.2:4433
target[public]=20.0.0.4:4433
number=10
declare -A home_number kind_of_home
add() {
  local name=$1 kind=$2
  add_home "$name" $number "$kind"
  start "$name" agent --bind "10.0.$number.2" --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
  home_number[$name]=$number kind_of_home[$name]=$kind
  number=$((number + 1))
}
for name in plain near-a near-b near-c near-d; do add $name port-restricted; done
for name in far-a far-b; do add $name symmetric; done
all_announced relay 7
outside=30000
rebind_home() {
  rebind "$1" "${kind_of_home[$1]}" "${home_number[$1]}" $outside-$((outside + 999))
  outside=$((outside + 1000))
}

cat <<'PAGE'
## A NAT rebinds

While one agent pings the other every 50 ms and is given four messages, each of which arrives once, a NAT loses its
table and gives out another port.

| whose NAT | path before | path after | traffic stood still |
|---|---|---|---|
PAGE
# These have been direct for a while when their turn comes: for three seconds the library still looks at the old path.
join near-a near-b
join near-c near-d
event_row "the dialler's, to a public node" plain public rebind_home plain
event_row "the dialler's" near-a near-b rebind_home near-a
event_row "the other one's" near-c near-d rebind_home near-d
event_row "the dialler's, both symmetric" far-a far-b rebind_home far-a
event_row "the other one's, both symmetric" far-a far-b rebind_home far-b
exit $failed
