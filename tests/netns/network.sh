# Namespaces that play an internet: one open network 20.0.0.0/24, and homes behind NATs of every kind. Nothing in them
# reaches the machine's own network. Source this; needs root, ip and nft.
#
#   open_network                      makes the open network
#   add_host NAME 20.0.0.N            a host on it
#   add_home NAME 20.0.0.N KIND       a host NAME (10.0.N.2) behind a NAT of that kind, outside at 20.0.0.N
#   inside NAME COMMAND...            runs a command there
#   close_network                     ends what still runs inside, and removes everything
#
# Kinds are those of RFC 3489, section 5; what they do is said in RFC 4787: full-cone, restricted, port-restricted,
# symmetric.

net=atlas$$
names=()

namespace() {
  ip netns add "$net-$1"
  ip -n "$net-$1" link set lo up
  names+=("$1")
}

inside() {
  local name=$1
  shift
  ip netns exec "$net-$name" "$@"
}

open_network() {
  namespace open
  ip -n "$net-open" link add br0 type bridge
  ip -n "$net-open" link set br0 up
}

# An interface `wan` of that namespace, with that address, on the open network.
plug() {
  local name=$1 address=$2 port=p${2##*.}
  ip -n "$net-open" link add "$port" type veth peer name wan netns "$net-$name"
  ip -n "$net-open" link set "$port" master br0 up
  ip -n "$net-$name" addr add "$address/24" dev wan
  ip -n "$net-$name" link set wan up
}

add_host() {
  namespace "$1"
  plug "$1" "$2"
}

add_home() {
  local name=$1 outside=$2 kind=$3 number=${2##*.}
  namespace "$name-nat"
  plug "$name-nat" "$outside"
  namespace "$name"
  ip -n "$net-$name-nat" link add lan type veth peer name eth0 netns "$net-$name"
  ip -n "$net-$name-nat" addr add "10.0.$number.1/24" dev lan
  ip -n "$net-$name-nat" link set lan up
  ip -n "$net-$name" addr add "10.0.$number.2/24" dev eth0
  ip -n "$net-$name" link set eth0 up
  ip -n "$net-$name" route add default via "10.0.$number.1"
  inside "$name-nat" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  nat_rules "$kind" "10.0.$number.2" | inside "$name-nat" nft -f -
}

# What nobody asked for is dropped before it is remembered: an entry of the tracker would take the port away from the
# mapping that is made for the same two a moment later.
nat_rules() {
  local kind=$1 host=$2
  case $kind in
  full-cone | restricted)
    echo "table ip nat {
      chain out { type nat hook postrouting priority srcnat; oifname wan masquerade persistent; }
      chain in { type nat hook prerouting priority dstnat; iifname wan meta l4proto udp dnat to $host; }
    }"
    [ "$kind" = full-cone ] || echo "table ip filter {
      set spoken_to { type ipv4_addr; flags dynamic, timeout; timeout 120s; }
      chain pass { type filter hook forward priority filter; oifname wan update @spoken_to { ip daddr }
        iifname wan ip saddr != @spoken_to drop; }
    }"
    ;;
  port-restricted | symmetric)
    local how=persistent
    [ "$kind" = symmetric ] && how=fully-random
    echo "table ip nat {
      chain out { type nat hook postrouting priority srcnat; oifname wan masquerade $how; }
    }
    table ip filter {
      chain local { type filter hook input priority filter; iifname wan meta l4proto udp drop; }
    }"
    ;;
  *)
    echo "no NAT of kind $kind" >&2
    return 1
    ;;
  esac
}

close_network() {
  local name
  for name in "${names[@]}"; do
    ip netns pids "$net-$name" 2>/dev/null | xargs -r kill 2>/dev/null || true
  done
  for name in "${names[@]}"; do ip netns del "$net-$name" 2>/dev/null || true; done
}
