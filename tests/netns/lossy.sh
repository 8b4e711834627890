#!/usr/bin/env bash
# Links that lose up to a fifth of the packets, let others arrive twice or out of order: agents meet all the same, find
# their direct path, and no message is lost.
#
#   tests/netns/lossy.sh BUILD
. "$(dirname "$0")/nodes.sh"
command -v tc >/dev/null || skip "needs tc (iproute2)"

# weather NAME LOSS: of the packets that leave that home LOSS % are lost, 5 % leave twice, 10 % wait for 10 ms or more.
weather() {
  local nat=$1-nat
  inside "$nat" nft -f - <<RULES
    table netdev weather
    delete table netdev weather
    table netdev weather {
      chain out { type filter hook egress device wan priority 0;
        numgen random mod 100 < $2 drop
        numgen random mod 100 < 5 dup to wan
        numgen random mod 100 < 10 meta priority set 1:2
      }
    }
RULES
}
# The slow lane for those that wait.
slow_lane() {
  ip -n "$net-$1-nat" link set wan gso_max_segs 1 &&  # packets are lost, not whole batches of them
    inside "$1-nat" tc qdisc add dev wan root handle 1: htb default 1 &&
    inside "$1-nat" tc class add dev wan parent 1: classid 1:1 htb rate 1gbit quantum 1514 &&
    inside "$1-nat" tc class add dev wan parent 1: classid 1:2 htb rate 1mbit burst 1514 cburst 1514 quantum 1514
}

open_network
add_host bootstrap 2
add_host relay 3
start bootstrap bootstrap --bind 20.0.0.2
start relay relay --bind 20.0.0.3 --bootstrap 20.0.0.2:4433
for number in 10 11; do
  [ $number = 10 ] && name=a || name=b
  add_home $name $number port-restricted
  { slow_lane $name && weather $name 1; } 2>"$home/weather" ||
    skip "no loss, duplicates and reordering here: $(head -n 1 "$home/weather")"
  start $name agent --bind 10.0.$number.2 --bootstrap 20.0.0.2:4433 --relay 20.0.0.3:4433
done
all_announced relay 2

cat <<'PAGE'
## Links that lose packets

Both agents have port-restricted NATs. Of the packets that leave either home some are lost, 5 % leave twice and 10 %
late. Four messages arrive once each, and each of forty pings, one every 50 ms, is answered. Where the time until it was
direct is missing, it was still looking.

| lost | until a session answered | until it was direct | slowest ping |
|---|---|---|---|
PAGE
for loss in 1 5 10 20; do
  weather a $loss
  weather b $loss
  attempts=3 join a b  # each has five seconds: at 20 % one in ten or so is not done by then
  send_begin a b
  pinged=$(as a net ping "${node[b]}" --count 40 --interval 50ms --json 2>>"$home/a.log") || true
  grep -q '"received":40' <<<"$pinged" || wrong "$loss %: not every ping was answered: $pinged"
  slowest=$(sed -n 's/.*"max":\([0-9]*\).*/\1/p' <<<"$pinged")
  send_end a b
  say "$loss %: $path, first $first_ms, direct $direct_ms, slowest ping $slowest ms"
  echo "| $loss % | $first_ms | $direct_ms | $slowest ms |"
  as a net disconnect "${node[b]}" >/dev/null
done
exit $failed
