#!/usr/bin/env bash
# Agents, bootstrap node and relay that have IPv6 only. Homes have no NAT then, but most have a firewall that lets in
# answers alone.
#
#   tests/netns/ipv6.sh BUILD
. "$(dirname "$0")/nodes.sh"

open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 2a00:20::2
start relay relay --bind 2a00:20::3 --bootstrap '[2a00:20::2]:4433'
add() {
  local name=$1 number=$2 kind=$3
  add_home6 "$name" "$number" "$kind"
  start "$name" agent --bind "2a00:20:0:$number::2" --bootstrap '[2a00:20::2]:4433' --relay '[2a00:20::3]:4433'
}
add open-a 10 open
add open-b 11 open
add walled-a 12 firewall
add walled-b 13 firewall
all_announced relay 4

cat <<'PAGE'
## IPv6 alone

Neither agents nor relay have an IPv4 address. A firewall lets in answers only.

PAGE
pair_head "from, to"
pair_row "open, open" open-a open-b
pair_row "open, behind a firewall" open-a walled-b
pair_row "behind a firewall, open" walled-a open-b
pair_row "behind a firewall, behind a firewall" walled-a walled-b
exit $failed
