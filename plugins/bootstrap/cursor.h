// Where a listing in pages goes on. The whole state travels with the asker, sealed with the key of the process, so a
// listing costs the server nothing between two pages; a cursor of another process, or of another filter, does not fit.
// Any thread; plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "siphash.h"

namespace bootstrap {

// A page walks the slots from `next` up, and once past the last goes on from 0 up to `start`.
struct Cursor {
  std::uint32_t start = 0;
  std::uint32_t next = 0;
  bool wrapped = false;
};

inline constexpr std::size_t kCursorBytes = 1 + 4 + 4 + 8;

std::vector<std::uint8_t> seal(const Cursor& cursor, std::uint64_t filter, const SipHash& hash);
// Nothing for bytes that this process did not seal for this filter.
std::optional<Cursor> unseal(std::span<const std::uint8_t> bytes, std::uint64_t filter, const SipHash& hash);

}  // namespace bootstrap
