# Namespaces that play an internet: an open network of IPv4 and IPv6, and homes behind NATs of every kind, also behind
# the NAT of a carrier. Nothing in them reaches the machine's own network. Source this; needs root, ip and nft.
#
#   open_network                    makes the open network, 20.0.0.0/24 and 2a00:20::/64
#   add_host NAME N                 a host on it, 20.0.0.N and 2a00:20::N
#   add_carrier NAME N KIND         a carrier's NAT at 20.0.0.N; its customers are in 100.64.N.0/24
#   add_home NAME N KIND [CARRIER]  a host NAME, 10.0.N.2, behind a NAT of that kind: NAME-nat, 20.0.0.N outside, or
#                                   100.64.C.N at a carrier with the number C
#   add_home6 NAME N KIND           a host 2a00:20:0:N::2 behind a router: `open`, or `firewall`, which lets in answers
#   inside NAME COMMAND...          runs a command there
#   close_network                   ends what still runs inside, and removes everything
#
# Kinds of NAT are those of RFC 3489, section 5; what they do is said in RFC 4787: full-cone, restricted,
# port-restricted, symmetric. Of carriers there is `hairpin`, too: a full cone whose customers reach each other at their
# outside addresses.

net=atlas$$
names=()
declare -A number_of=() kind_of=()  # of carriers

namespace() {
  ip netns add "$net-$1"
  names+=("$1")
  # A new address is used at once, not after a second of asking whether somebody else has it; the routes stay.
  ip netns exec "$net-$1" sh -c 'cd /proc/sys/net/ipv6/conf && for key in accept_dad accept_ra accept_redirects; do
    echo 0 >all/$key; echo 0 >default/$key; done'
  ip -n "$net-$1" link set lo up
}

inside() {
  local name=$1
  shift
  ip netns exec "$net-$name" "$@"
}

# setting NAME KEY VALUE, a key of the kernel below net, dots as slashes
setting() { inside "$1" sh -c "echo $3 >/proc/sys/net/$2"; }

# With an address of its own: else it takes that of a port, another one each time that one is added.
add_bridge() {
  ip -n "$net-$1" link add br0 address 02:00:00:00:00:01 type bridge mcast_snooping 0
  ip -n "$net-$1" link set br0 up
}

open_network() {
  namespace open
  add_bridge open
  ip -n "$net-open" addr add 2a00:20::1/64 dev br0
  setting open ipv6/conf/all/forwarding 1
}

# An interface `wan` of that namespace, with that address, on the bridge of another; its other end is called port-N.
plug() {
  local name=$1 upstream=$2 address=$3 port=${3%/*}
  port=port-${port##*[.:]}
  ip -n "$net-$upstream" link add "$port" type veth peer name wan netns "$net-$name"
  ip -n "$net-$upstream" link set "$port" master br0 up
  ip -n "$net-$name" addr add "$address" dev wan
  ip -n "$net-$name" link set wan up
}

add_host() {
  namespace "$1"
  plug "$1" open "20.0.0.$2/24"
  ip -n "$net-$1" addr add "2a00:20::$2/64" dev wan
  ip -n "$net-$1" route add default via 2a00:20::1
}

add_carrier() {
  local name=$1 number=$2 kind=$3
  namespace "$name"
  plug "$name" open "20.0.0.$number/24"
  add_bridge "$name"
  ip -n "$net-$name" addr add "100.64.$number.1/24" dev br0
  setting "$name" ipv4/ip_forward 1
  number_of[$name]=$number kind_of[$name]=$kind
  nat_rules "$kind" | inside "$name" nft -f -
}

add_home() {
  local name=$1 number=$2 kind=$3 carrier=${4:-} outside=20.0.0.$2
  namespace "$name-nat"
  if [ -z "$carrier" ]; then
    plug "$name-nat" open "$outside/24"
  else
    outside=100.64.${number_of[$carrier]}.$number
    plug "$name-nat" "$carrier" "$outside/24"
    ip -n "$net-$name-nat" route add default via "100.64.${number_of[$carrier]}.1"
    if [ "${kind_of[$carrier]}" = hairpin ]; then
      local at=20.0.0.${number_of[$carrier]} port=$((20000 + number))
      echo "add rule ip nat in ip daddr $at udp dport $port dnat to $outside:4433
        add rule ip nat out ip saddr $outside meta l4proto udp snat to $at:$port" | inside "$carrier" nft -f -
    fi
  fi
  add_lan "$name" "10.0.$number.1/24" "10.0.$number.2/24"
  ip -n "$net-$name" route add default via "10.0.$number.1"
  setting "$name-nat" ipv4/ip_forward 1
  nat_rules "$kind" "10.0.$number.2" | inside "$name-nat" nft -f -
}

add_home6() {
  local name=$1 number=$2 kind=$3
  namespace "$name-nat"
  plug "$name-nat" open "2a00:20::$number/64"
  ip -n "$net-open" route add "2a00:20:0:$number::/64" via "2a00:20::$number"
  ip -n "$net-$name-nat" route add default via 2a00:20::1
  add_lan "$name" "2a00:20:0:$number::1/64" "2a00:20:0:$number::2/64"
  ip -n "$net-$name" route add default via "2a00:20:0:$number::1"
  setting "$name-nat" ipv6/conf/all/forwarding 1
  [ "$kind" = firewall ] || return 0
  echo 'table ip6 filter {
    chain pass { type filter hook forward priority filter; iifname wan ct state != { established, related } drop; }
  }' | inside "$name-nat" nft -f -
}

# The link between a router and its host.
add_lan() {
  local name=$1 router=$2 host=$3
  namespace "$name"
  ip -n "$net-$name-nat" link add lan type veth peer name eth0 netns "$net-$name"
  ip -n "$net-$name-nat" addr add "$router" dev lan
  ip -n "$net-$name-nat" link set lan up
  ip -n "$net-$name" addr add "$host" dev eth0
  ip -n "$net-$name" link set eth0 up
}

# What nobody asked for is dropped before it is remembered: an entry of the tracker would take the port away from the
# mapping that is made for the same two a moment later. The third argument are the ports to give out, else the host's
# own.
nat_rules() {
  local kind=$1 host=${2:-} to=${3:+to :$3}
  case $kind in
  full-cone | restricted)
    echo "table ip nat {
      chain out { type nat hook postrouting priority srcnat; oifname wan meta l4proto udp masquerade $to persistent; }
      chain in { type nat hook prerouting priority dstnat; iifname wan meta l4proto udp dnat to $host:4433; }
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
      chain out { type nat hook postrouting priority srcnat; oifname wan meta l4proto udp masquerade $to $how; }
    }
    table ip filter {
      chain local { type filter hook input priority filter; iifname wan meta l4proto udp drop; }
    }"
    ;;
  hairpin)  # each customer gets a port of his own when he is added
    echo 'table ip nat {
      chain in { type nat hook prerouting priority dstnat; }
      chain out { type nat hook postrouting priority srcnat; }
    }'
    ;;
  *)
    echo "no NAT of kind $kind" >&2
    return 1
    ;;
  esac
}

# Gives that home's NAT another outside port, as one that was restarted: what it knew is forgotten.
rebind() {
  local name=$1 kind=$2 number=$3 ports=$4
  { echo "flush ruleset"; nat_rules "$kind" "10.0.$number.2" "$ports"; } | inside "$name-nat" nft -f -
  # The kernel forgets the masquerades of an interface that goes down.
  ip -n "$net-$name-nat" link set wan down
  ip -n "$net-$name-nat" link set wan up
}

close_network() {
  local name tries pids
  for tries in TERM TERM KILL; do
    pids=$(for name in "${names[@]}"; do ip netns pids "$net-$name" 2>/dev/null; done)
    [ -n "$pids" ] || break
    kill "-$tries" $pids 2>/dev/null || true
    for _ in $(seq 20); do
      kill -0 $pids 2>/dev/null || break
      sleep 0.05
    done
  done
  for name in "${names[@]}"; do ip netns del "$net-$name" 2>/dev/null || true; done
}
