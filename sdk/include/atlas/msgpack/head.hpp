// atlas/msgpack/head.hpp - the first bytes of one MessagePack value: its kind, its length, where it ends.
//
// Every read is bounded by the end it is given, so even bytes that nobody checked are never read past.
// Any thread; pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace atlas::msgpack {

using Bytes = std::span<const std::uint8_t>;

enum class Kind : std::uint8_t { kNil, kBool, kInteger, kFloat, kText, kBin, kArray, kMap, kExt };

enum class Fault : std::uint8_t {
  kNone,
  kEmpty,         // no value at all
  kTruncated,     // a value goes on past the end
  kCount,         // an array or map declares more elements than the bytes left can hold
  kReserved,      // the byte c1
  kUtf8,          // a str that is no UTF-8 (RFC 3629)
  kDepth,         // more containers inside each other than allowed
  kMapTooLarge,   // more entries in one map than allowed
  kDuplicateKey,  // two equal keys in one map
  kContainerKey,  // an array or a map as a key
  kTrailing,      // bytes after the value
  kNotMap,        // check_map() only: the value is no map
  kTooLarge       // more than 4 GiB: offsets here have 32 bits
};

// For logs and test failures; peers only ever see Error 2003.
constexpr std::string_view to_text(Fault fault) {
  constexpr std::string_view names[] = {
      "none",          "empty",         "truncated",        "count too high", "reserved byte", "not UTF-8", "depth",
      "map too large", "duplicate key", "container as key", "trailing bytes", "not a map",     "too large"};
  const auto at = static_cast<std::size_t>(fault);
  return at < std::size(names) ? names[at] : "unknown";
}

// What stands at the front of a value.
struct Head {
  Kind kind = Kind::kNil;
  bool negative = false;     // kInteger: number holds the two's complement of a value below zero
  bool single = false;       // kFloat: it came as 32 bits
  std::int8_t ext_type = 0;  // kExt
  std::uint32_t size = 0;    // bytes of the head itself
  std::uint64_t number = 0;  // kInteger and kBool: the value; kFloat: the bits of the double
  std::uint32_t length = 0;  // kText, kBin, kExt: bytes that follow; kArray: elements; kMap: entries
  // Bytes that follow the head and belong to this value alone (elements of containers are values of their own).
  std::uint32_t body() const { return kind == Kind::kText || kind == Kind::kBin || kind == Kind::kExt ? length : 0; }
  // Values that follow: elements of an array, keys and values of a map.
  std::uint64_t children() const {
    return kind == Kind::kArray ? length : kind == Kind::kMap ? 2 * std::uint64_t{length} : 0;
  }
};

namespace detail {

template <unsigned N>
inline std::uint64_t big_endian(const std::uint8_t* at) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < N; ++i) value = value << 8 | at[i];
  return value;
}

inline double widen(std::uint32_t bits) {
  return static_cast<double>(std::bit_cast<float>(bits));
}

inline void set_signed(Head& head, std::int64_t value) {
  head.kind = Kind::kInteger;
  head.negative = value < 0;
  head.number = static_cast<std::uint64_t>(value);
}

// Heads of one byte with their argument in it; false when the byte asks for more.
inline bool read_short_head(std::uint8_t first, Head& head) {
  head.size = 1;
  if (first <= 0x7f) {
    head.kind = Kind::kInteger;
    head.number = first;
  } else if (first <= 0x8f) {
    head.kind = Kind::kMap;
    head.length = first & 0x0f;
  } else if (first <= 0x9f) {
    head.kind = Kind::kArray;
    head.length = first & 0x0f;
  } else if (first <= 0xbf) {
    head.kind = Kind::kText;
    head.length = first & 0x1f;
  } else if (first >= 0xe0) {
    set_signed(head, static_cast<std::int8_t>(first));
  } else if (first == 0xc0) {
    head.kind = Kind::kNil;
  } else if (first == 0xc2 || first == 0xc3) {
    head.kind = Kind::kBool;
    head.number = first & 1;
  } else {
    return false;
  }
  return true;
}

struct LongHead {
  Kind kind;
  std::uint8_t argument;  // bytes after the first one, the type byte of an ext not counted
};
// c4 .. df without c0-c3: what each first byte announces.
inline constexpr LongHead kLongHeads[] = {
    {Kind::kBin, 1},     {Kind::kBin, 2},     {Kind::kBin, 4},                           // c4 c5 c6
    {Kind::kExt, 1},     {Kind::kExt, 2},     {Kind::kExt, 4},                           // c7 c8 c9
    {Kind::kFloat, 4},   {Kind::kFloat, 8},                                              // ca cb
    {Kind::kInteger, 1}, {Kind::kInteger, 2}, {Kind::kInteger, 4}, {Kind::kInteger, 8},  // cc cd ce cf
    {Kind::kInteger, 1}, {Kind::kInteger, 2}, {Kind::kInteger, 4}, {Kind::kInteger, 8},  // d0 d1 d2 d3
    {Kind::kExt, 0},     {Kind::kExt, 0},     {Kind::kExt, 0},     {Kind::kExt, 0},      // d4 d5 d6 d7
    {Kind::kExt, 0},                                                                     // d8
    {Kind::kText, 1},    {Kind::kText, 2},    {Kind::kText, 4},                          // d9 da db
    {Kind::kArray, 2},   {Kind::kArray, 4},   {Kind::kMap, 2},     {Kind::kMap, 4},      // dc dd de df
};

inline std::uint64_t read_argument(const std::uint8_t* at, unsigned size) {
  switch (size) {
    case 1:
      return big_endian<1>(at);
    case 2:
      return big_endian<2>(at);
    case 4:
      return big_endian<4>(at);
    case 8:
      return big_endian<8>(at);
    default:
      return 0;
  }
}

inline std::int64_t sign_extend(std::uint64_t value, unsigned size) {
  const unsigned shift = 64 - 8 * size;
  return static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace detail

// The head of the value at `at`. kNone, kEmpty, kTruncated or kReserved. A text's, bin's or ext's body is inside too.
inline Fault read_head(const std::uint8_t* at, const std::uint8_t* end, Head& head) {
  head = Head{};
  if (at >= end) return Fault::kEmpty;
  const std::size_t left = static_cast<std::size_t>(end - at);
  const std::uint8_t first = *at;
  if (!detail::read_short_head(first, head)) {
    if (first == 0xc1) return Fault::kReserved;
    const detail::LongHead& form = detail::kLongHeads[first - 0xc4];
    head.kind = form.kind;
    head.size = 1u + form.argument + (form.kind == Kind::kExt ? 1u : 0u);
    if (left < head.size) return Fault::kTruncated;
    const std::uint64_t argument = detail::read_argument(at + 1, form.argument);
    switch (form.kind) {
      case Kind::kInteger:
        if (first >= 0xd0) {
          detail::set_signed(head, detail::sign_extend(argument, form.argument));
        } else {
          head.number = argument;
        }
        break;
      case Kind::kFloat:
        head.single = form.argument == 4;
        head.number =
            head.single ? std::bit_cast<std::uint64_t>(detail::widen(static_cast<std::uint32_t>(argument))) : argument;
        break;
      case Kind::kExt:
        head.length = form.argument == 0 ? 1u << (first - 0xd4) : static_cast<std::uint32_t>(argument);
        head.ext_type = static_cast<std::int8_t>(at[head.size - 1]);
        break;
      default:
        head.length = static_cast<std::uint32_t>(argument);
        break;
    }
  }
  return left - head.size < head.body() ? Fault::kTruncated : Fault::kNone;
}

// Where the value at `at` ends, elements included; null when the bytes end before. No recursion.
inline const std::uint8_t* skip(const std::uint8_t* at, const std::uint8_t* end) {
  for (std::uint64_t pending = 1; pending != 0; --pending) {
    Head head;
    if (read_head(at, end, head) != Fault::kNone) return nullptr;
    at += head.size + std::size_t{head.body()};
    pending += head.children();
    if (pending - 1 > static_cast<std::uint64_t>(end - at)) return nullptr;
  }
  return at;
}

// RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
inline bool is_utf8(const std::uint8_t* at, const std::uint8_t* end) {
  while (at < end) {
    while (end - at >= 8) {  // plain ASCII, eight bytes at a time
      std::uint64_t word;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080u) != 0) break;
      at += 8;
    }
    if (at == end) break;
    const std::uint8_t first = *at;
    const int size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || end - at < size) return false;
    for (int i = 1; i < size; ++i) {
      if ((at[i] & 0xc0) != 0x80) return false;
    }
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
        (first == 0xf4 && at[1] > 0x8f)) {
      return false;
    }
    at += size;
  }
  return true;
}
inline bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  return is_utf8(at, at + text.size());
}

}  // namespace atlas::msgpack
