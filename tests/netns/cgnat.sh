#!/usr/bin/env bash
# Homes whose provider has a NAT of its own: two translations in a row on one side or on both, and two homes behind the
# same one.
#
#   tests/netns/cgnat.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
add_carrier east 4 port-restricted
add_carrier west 5 port-restricted
add_carrier random 6 symmetric
add_carrier turning 7 hairpin
number=10
add() {
  add_home "$1" $number port-restricted "${2:-}"
  start "$1" agent --bind "10.0.$number.2" --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
  number=$((number + 1))
}
add alone
add east-a east
add east-b east
add west-a west
add random-a random
add turning-a turning
add turning-b turning
all_announced relay 7

cat <<'PAGE'
## Behind a carrier's NAT

Every home has a port-restricted NAT; most are behind that of a carrier besides. Where the carrier's turns packets back
that customers send to each other's outside addresses (RFC 4787, REQ-9), two of its customers find the direct path;
where it does not, they stay with the relay.

PAGE
pair_head "from, to"
pair_row "home, home behind a port-restricted carrier" alone west-a
pair_row "home behind a port-restricted carrier, home" east-b alone
pair_row "homes behind a port-restricted carrier each" east-a west-a
pair_row "home behind a symmetric carrier, behind a port-restricted one" random-a west-a
pair_row "homes behind one carrier that turns nothing back" east-a east-b
pair_row "homes behind one carrier that turns packets back" turning-a turning-b
exit $failed
