#!/usr/bin/env bash
# Agents that have IPv4 only, IPv6 only or both, and a relay that has both: those without a family in common stay with
# the relay, but they meet.
#
#   tests/netns/mixed.sh BUILD
. "$(dirname "$0")/nodes.sh"

relay4=20.0.0.3:4433
relay6='[2a00:20::3]:4433'
open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2 --bind 2a00:20::2
start relay relay --bind 20.0.0.3 --bind 2a00:20::3 --bootstrap 20.0.0.2:4433
add_home four-a 10 port-restricted
start four-a agent --bind 10.0.10.2 --bootstrap 20.0.0.2:4433 --relay $relay4
add_home four-b 11 port-restricted
start four-b agent --bind 10.0.11.2 --bootstrap 20.0.0.2:4433 --relay $relay4
add_home6 six-a 12 firewall
start six-a agent --bind 2a00:20:0:12::2 --bootstrap '[2a00:20::2]:4433' --relay "$relay6"
add_home6 six-b 13 firewall
start six-b agent --bind 2a00:20:0:13::2 --bootstrap '[2a00:20::2]:4433' --relay "$relay6"
# One that has both, and keeps to the relay over the one that it was told.
for family in 4 6; do
  add_host both-$family $((14 + family))
  relay=relay$family
  start both-$family agent --bind 20.0.0.$((14 + family)) --bind 2a00:20::$((14 + family)) \
    --bootstrap 20.0.0.2:4433 --relay "${!relay}"
done
all_announced relay 6

cat <<'PAGE'
## IPv4 and IPv6 mixed

The relay has both. An agent that has both, too, is announced over the family that is named; the relay tells others its
address of that family alone.

PAGE
pair_head "from, to"
pair_row "IPv4, IPv6" four-a six-a
pair_row "IPv6, IPv4" six-b four-b
pair_row "IPv4, both (announced over IPv4)" four-a both-4
pair_row "IPv6, both (announced over IPv6)" six-a both-6
pair_row "both (announced over IPv4), IPv4" both-4 four-b
pair_row "both (announced over IPv4), IPv6" both-4 six-b
pair_row "IPv4, both (announced over IPv6)" four-a both-6
pair_row "both, both (over IPv4, over IPv6)" both-4 both-6
exit $failed
