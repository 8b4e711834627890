// What of a datagram a dialler may read while its handshake is unfinished: the packets with long headers. An Atlas
// listener sends nothing else then, for it does not know yet who is dialling.
// Pure function, any thread.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace atlas::quic {

// Length of the prefix that holds only packets with long headers; 0 when the first one is short. What does not parse is
// left whole: the library judges it, as it does Version Negotiation and Retry, which fill a datagram (RFC 9000, 17.2).
std::size_t long_header_prefix(base::ByteView datagram);

}  // namespace atlas::quic
