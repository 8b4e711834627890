// atlas/json/from_msgpack.hpp - a MessagePack value as JSON text, for people and their programs.
//
//   nil, bool, integers, floats, text, arrays, maps   what they are; infinities and NaN become null
//   bin                                               a string in base64 (RFC 4648, padded)
//   ext                                               {"type": n, "data": "<base64>"}
//   map keys that are no text                         the JSON text of the key as a string: 1 becomes "1"; for an ext
//   the
//                                                     base64 of its encoding
// A bin or ext does not come back as one from to_msgpack(). Text is at most about 6 times as long as the value.
// Any thread; a pure function.
#pragma once

#include <array>

#include "../msgpack/check.hpp"
#include "../msgpack/view.hpp"
#include "writer.hpp"

namespace atlas::json {

// Padded, with + and /.
inline void base64(std::string& out, msgpack::Bytes bytes) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group = bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    out += alphabet[group >> 18];
    out += alphabet[group >> 12 & 63];
    out += left > 1 ? alphabet[group >> 6 & 63] : '=';
    out += left > 2 ? alphabet[group & 63] : '=';
  }
}

namespace detail {

// A value without elements.
inline void scalar(std::string& out, const msgpack::View& value) {
  switch (value.kind()) {
    case msgpack::Kind::kBool:
      out += *value.boolean() ? "true" : "false";
      return;
    case msgpack::Kind::kInteger:
      if (const auto positive = value.u64()) return number(out, *positive);
      return number(out, *value.i64());
    case msgpack::Kind::kFloat:
      if (value.is_single()) return number(out, static_cast<float>(*value.f64()));
      return number(out, *value.f64());
    case msgpack::Kind::kText:
      return quote(out, *value.text());
    case msgpack::Kind::kBin:
      out += '"';
      base64(out, *value.bin());
      out += '"';
      return;
    case msgpack::Kind::kExt:
      out += "{\"type\":";
      number(out, static_cast<int>(value.ext()->first));
      out += ",\"data\":\"";
      base64(out, value.ext()->second);
      out += "\"}";
      return;
    default:
      out += "null";
      return;
  }
}

inline void key(std::string& out, const msgpack::View& value) {
  switch (value.kind()) {
    case msgpack::Kind::kText:
    case msgpack::Kind::kBin:
      scalar(out, value);
      return;
    case msgpack::Kind::kExt:
      out += '"';
      base64(out, value.raw());
      out += '"';
      return;
    default:
      out += '"';
      scalar(out, value);
      out += '"';
      return;
  }
}

struct Level {
  std::uint64_t left = 0;  // values still to come, keys included
  bool map = false;
};

}  // namespace detail

// Nothing for bytes that check() refuses.
inline std::optional<std::string> from_msgpack(msgpack::Bytes bytes, const msgpack::Limits& limits = {}) {
  if (msgpack::check(bytes, limits) != msgpack::Fault::kNone) return std::nullopt;
  std::string out;
  std::array<detail::Level, msgpack::kDepthCeiling> levels;
  std::size_t depth = 0;
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  do {
    const msgpack::View value(at, end);
    const bool is_key = depth != 0 && levels[depth - 1].map && levels[depth - 1].left % 2 == 0;
    msgpack::Head head;
    msgpack::read_head(at, end, head);
    if (is_key) {
      detail::key(out, value);
      at = msgpack::skip(at, end);
      --levels[depth - 1].left;
      out += ':';
      continue;
    }
    if (depth != 0) --levels[depth - 1].left;
    at += head.size + std::size_t{head.body()};
    if (head.kind == msgpack::Kind::kMap || head.kind == msgpack::Kind::kArray) {
      levels[depth++] = {head.children(), head.kind == msgpack::Kind::kMap};
      out += head.kind == msgpack::Kind::kMap ? '{' : '[';
    } else {
      detail::scalar(out, value);
    }
    while (depth != 0 && levels[depth - 1].left == 0) out += levels[--depth].map ? '}' : ']';
    if (depth != 0 && out.back() != '{' && out.back() != '[') out += ',';
  } while (depth != 0);
  return out;
}

}  // namespace atlas::json
