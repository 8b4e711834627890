// Byte views, hex and constant-time comparison.
// Any thread. Views own nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::base {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

template <std::size_t N>
using ByteArray = std::array<std::uint8_t, N>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower case.
std::string to_hex(ByteView bytes);
// Accepts upper and lower case; an odd length or any other character gives nothing.
std::optional<Bytes> from_hex(std::string_view text);

// Takes the same time whatever the contents; the only comparison allowed on secrets and tags.
bool equal_constant_time(ByteView a, ByteView b);

// Overwrites memory in a way that the optimiser keeps.
void wipe(MutableBytes secret);

}  // namespace atlas::base
