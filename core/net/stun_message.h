// The few messages of STUN (RFC 8489) that a node needs to learn how others see its socket: Binding requests, their
// answers, and Binding indications, which keep a NAT's mapping open and ask for nothing.
// Pure functions; any thread.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "net/address.h"

namespace atlas::net {

using StunTransaction = base::ByteArray<12>;  // random: it is all that ties an answer to a request

inline constexpr std::size_t kStunHeaderBytes = 20;
using StunPacket = base::ByteArray<kStunHeaderBytes>;

// Can only be STUN on a socket shared with QUIC: the two top bits of the first byte are clear (RFC 9443), the cookie is
// there, and the length fits (RFC 8489, section 5).
bool is_stun(base::ByteView datagram);

StunPacket stun_request(const StunTransaction& transaction);
StunPacket stun_indication(const StunTransaction& transaction);

struct StunAnswer {
  StunTransaction transaction{};
  // XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS of servers of RFC 3489. Nothing in an error answer.
  std::optional<SocketAddress> mapped;
  std::uint16_t error = 0;  // 300..699
};
// Nothing for what is no answer to a Binding request, is malformed, or has an attribute that must be understood and is
// not (section 6.3.3).
std::optional<StunAnswer> parse_stun_answer(base::ByteView datagram);

}  // namespace atlas::net
