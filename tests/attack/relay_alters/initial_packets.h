// Opens QUIC Initial packets as anyone on the way can: their keys come from a connection id that everybody sees (RFC
// 9001, section 5.2). What they hold is as good as plaintext.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace atlas::attack {

// The frames of each Initial packet that opens, in the order of the datagrams; both directions.
std::vector<base::Bytes> open_initials(const std::vector<base::Bytes>& datagrams);

}  // namespace atlas::attack
