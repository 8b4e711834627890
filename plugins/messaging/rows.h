// Keys of the role's rows: a prefix, then a number in eight bytes so that rows lie in order of age.
// Plain functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace messaging {

inline std::string numbered(std::string_view prefix, std::uint64_t number) {
  std::string key(prefix);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift & 0xff));
  return key;
}

inline std::uint64_t number_of(std::string_view prefix, std::string_view key) {
  std::uint64_t number = 0;
  for (std::size_t i = prefix.size(); i < key.size(); ++i) number = number << 8 | static_cast<std::uint8_t>(key[i]);
  return number;
}

inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace messaging
