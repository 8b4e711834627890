#!/usr/bin/env bash
# Every kind of NAT against every other, with real nodes, a real relay and the NAT of the kernel: who connects, who gets
# a direct path, and how long both take.
#
#   tests/netns/nat_matrix.sh BUILD
. "$(dirname "$0")/nodes.sh"

kinds=(full-cone restricted port-restricted symmetric)
open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
number=10
for side in a b; do
  for kind in "${kinds[@]}"; do
    add_home "$side-$kind" $number "$kind"
    start "$side-$kind" agent --bind "10.0.$number.2" --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
    number=$((number + 1))
  done
done
all_announced relay 8

middle() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)], "ms"; else print "-" }'; }
: >"$home/first"
: >"$home/direct"
echo "## NAT against NAT"
echo
echo "One agent at home behind each kind of NAT, RFC 3489's names, against one behind each other."
echo
echo "| from \\ to |$(printf ' %s |' "${kinds[@]}")"
echo "|---|$(printf -- '---|%.0s' "${kinds[@]}")"
for from in "${kinds[@]}"; do
  row="| **$from** |"
  for to in "${kinds[@]}"; do
    join "a-$from" "b-$to"
    say "$from to $to: $path, first $first_ms, direct $direct_ms"
    [ "$first_ms" = - ] || echo "$first_ms" >>"$home/first"
    [ "$direct_ms" = - ] || echo "$direct_ms" >>"$home/direct"
    row="$row $path |"
  done
  echo "$row"
done
echo
echo "| medians | of pairs | time |"
echo "|---|---|---|"
echo "| until a session answered | $(wc -l <"$home/first") | $(middle <"$home/first") |"
echo "| until it was direct | $(wc -l <"$home/direct") | $(middle <"$home/direct") |"
exit $failed
