// atlas/cpp/base.hpp - status values, borrowed text and bytes, and the safe way to call a table of the host.
// Any thread; plain values.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../plugin.h"

namespace atlas {

// What a call came to. Every negative code means "failed", also one that this header does not know.
struct [[nodiscard]] Status {
  atlas_status code = ATLAS_OK;

  bool ok() const { return code >= 0; }
  explicit operator bool() const { return ok(); }
  bool operator==(const Status&) const = default;
  std::string_view text() const {
    switch (code) {
      case ATLAS_OK:
        return "ok";
      case ATLAS_E_ARG:
        return "an argument is out of range";
      case ATLAS_E_STATE:
        return "not possible now";
      case ATLAS_E_CONFLICT:
        return "somebody else owns it";
      case ATLAS_E_GONE:
        return "it does not exist any more";
      case ATLAS_E_TIMEOUT:
        return "no answer in time";
      case ATLAS_E_FULL:
        return "a queue or quota is full";
      case ATLAS_E_DENIED:
        return "refused";
      case ATLAS_E_CONFIG:
        return "the configuration does not allow it";
      case ATLAS_E_STOPPING:
        return "the node is shutting down";
      case ATLAS_E_UNREACHABLE:
        return "no address answered";
      default:
        return "internal error";
    }
  }
};

using Bytes = std::span<const std::uint8_t>;

// Bytes or text as an argument: a body, a key, a value. Borrowed for the call.
struct ByteArg {
  ByteArg(Bytes bytes) : bytes(bytes) {}
  ByteArg(const std::vector<std::uint8_t>& bytes) : bytes(bytes) {}
  ByteArg(std::string_view text) : bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) {}
  ByteArg(const std::string& text) : ByteArg(std::string_view(text)) {}
  ByteArg(const char* text) : ByteArg(std::string_view(text)) {}
  Bytes bytes;
};

inline atlas_text c_text(std::string_view text) {
  return {text.data(), text.size()};
}
inline atlas_bytes c_bytes(Bytes bytes) {
  return {bytes.data(), bytes.size()};
}
inline std::string_view view(atlas_text text) {
  return text.size ? std::string_view(text.data, text.size) : "";
}
inline Bytes view(atlas_bytes bytes) {
  return bytes.size ? Bytes(bytes.data, bytes.size) : Bytes();
}

// A function object as the `arg` of a C callback that ends before the call does.
template <class F>
void* as_arg(F& function) {
  return const_cast<void*>(static_cast<const void*>(&function));
}

// Text out of pieces: concat("peer ", id, " answered after ", 12, " ms").
namespace detail {
inline void append(std::string& out, std::string_view text) {
  out += text;
}
inline void append(std::string& out, char letter) {
  out += letter;
}
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) void append(std::string& out, T number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end.ptr);
}
}  // namespace detail

template <class... Pieces>
std::string concat(const Pieces&... pieces) {
  std::string out;
  (detail::append(out, pieces), ...);
  return out;
}

// What an absent table or function answers.
inline constexpr atlas_status kAbsent = ATLAS_E_STATE;

}  // namespace atlas

// Calls a function of a table that may be absent, or shorter than this header knows; then kAbsent.
#define ATLAS_CALL(table, type, function, ...)                                            \
  ((table) != nullptr && ATLAS_HAS(table, type, function) && (table)->function != nullptr \
       ? (table)->function(__VA_ARGS__)                                                   \
       : ::atlas::kAbsent)
// The same for functions that return nothing.
#define ATLAS_CALL_VOID(table, type, function, ...)                                               \
  do {                                                                                            \
    if ((table) != nullptr && ATLAS_HAS(table, type, function) && (table)->function != nullptr) { \
      (table)->function(__VA_ARGS__);                                                             \
    }                                                                                             \
  } while (false)
