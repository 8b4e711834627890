#!/usr/bin/env bash
# Cables that are pulled for three seconds, while traffic flows and messages are sent: what was connected goes on or
# connects anew, and no message is lost.
#
#   tests/netns/uplink.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
number=10
add() {
  add_home "$1" $number "$2"
  start "$1" agent --bind 10.0.$number.2 --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
  number=$((number + 1))
}
for name in far-a far-b; do add $name symmetric; done
for name in near-a near-b; do add $name port-restricted; done
all_announced relay 4

# The cable between a router and its provider; the one of the router is the end that is at the provider.
router() {
  ip -n "$net-open" link set "port-$1" down
  sleep 3
  ip -n "$net-open" link set "port-$1" up
  back=$(now_ms)
}
# The node's own: its interface is down, and its routes are gone until the interface is set up anew.
own() {
  ip -n "$net-$1" link set eth0 down
  sleep 3
  ip -n "$net-$1" link set eth0 up
  ip -n "$net-$1" route add default via "10.0.$2.1"
  back=$(now_ms)
}
# Nothing passes between two homes; the relay is reached by both.
between() {
  echo "add table ip cut
    add chain ip cut pass { type filter hook forward priority filter - 1; }
    add rule ip cut pass ip saddr 20.0.0.$2 drop
    add rule ip cut pass ip daddr 20.0.0.$2 drop" | inside "$1-nat" nft -f -
  sleep 3
  inside "$1-nat" nft delete table ip cut
  back=$(now_ms)
}

cat <<'PAGE'
## A cable is out for three seconds

While one agent pings the other every 50 ms and is given four messages, each of which arrives once.

| what is out | path before | path after | traffic stood still |
|---|---|---|---|
PAGE
join near-a near-b
event_row "the dialler's router" far-a far-b router 10
event_row "the other one's router" far-a far-b router 11
event_row "the dialler's own cable" far-a far-b own far-a 10
event_row "the way between the two, on a direct path" near-a near-b between near-a 13
exit $failed
