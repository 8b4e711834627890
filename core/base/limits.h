// Every limit of the node as a constant and as a row of one table; the rows are in base/limits.def.
// Constant data; any thread. limits::wire_max_payload is the value of the row wire.max_payload.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace atlas::base {

struct Limit {
  std::string_view key;
  std::uint64_t value;
  std::string_view unit, scope, refusal, counter, test, doc;
};

namespace limits {
#define LIMIT(section, name, value, unit, scope, refusal, counter, test, doc) \
  inline constexpr std::uint64_t section##_##name = value;
#include "base/limits.def"
#undef LIMIT

inline constexpr Limit kTable[] = {
#define LIMIT(section, name, value, unit, scope, refusal, counter, test, doc) \
  {#section "." #name, value, unit, scope, refusal, counter, test, doc},
#include "base/limits.def"
#undef LIMIT
};
}  // namespace limits

inline constexpr std::span<const Limit> all_limits() {
  return limits::kTable;
}

}  // namespace atlas::base
