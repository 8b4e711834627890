// Variable-length integers of RFC 9000, section 16.
// Plain functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace atlas::quic {

// Reads at `at` and moves it past; false at the end of the data.
inline bool read_varint(base::ByteView data, std::size_t& at, std::uint64_t& out) {
  if (at >= data.size()) return false;
  const std::size_t length = std::size_t{1} << (data[at] >> 6);
  if (length > data.size() - at) return false;
  out = data[at] & 0x3f;
  for (std::size_t i = 1; i < length; ++i) out = out << 8 | data[at + i];
  at += length;
  return true;
}

}  // namespace atlas::quic
