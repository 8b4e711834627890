// atlas/json/writer.hpp - builds JSON objects and arrays as text.
//
//   json::Object out;
//   out.text("node_id", id).integer("sent", 4).object("rtt_ms", json::Object().number("min", 0.2));
//   call.result(out.str());
//
// Plain values; any thread. The caller keeps keys different from each other.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "../msgpack/head.hpp"

namespace atlas::json {

namespace detail {

inline void escape_control(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  switch (byte) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      (out += "\\u00") += {digits[byte >> 4], digits[byte & 15]};
      return;
  }
}

// Bytes of the UTF-8 character at the front; 0 when there is none.
inline std::size_t character(std::string_view text) {
  for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (msgpack::is_utf8(text.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace detail

// A string with its quotes.
inline void quote(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t size = 1;
    if (first == '"' || first == '\\') {
      (out += '\\') += static_cast<char>(first);
    } else if (first < 0x20 || first == 0x7f) {
      detail::escape_control(out, first);
    } else if (first < 0x80) {
      out += static_cast<char>(first);
    } else if ((size = detail::character(text)) != 0) {
      out += text.substr(0, size);
    } else {
      out += "\xef\xbf\xbd";
      size = 1;
    }
    text.remove_prefix(size);
  }
  out += '"';
}
inline std::string quote(std::string_view text) {
  std::string out;
  quote(out, text);
  return out;
}

// The shortest text that reads back as the same number; null for infinities and NaN, which JSON does not have.
inline void number(std::string& out, std::floating_point auto value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[40];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  const std::string_view text(digits, end - digits);
  out += text;
  // A float stays one for whoever reads it: 1.0, not 1.
  if (text.find_first_of(".en") == std::string_view::npos) out += ".0";
}
inline void number(std::string& out, std::integral auto value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

class Array;

class Object {
 public:
  Object& text(std::string_view key, std::string_view value) {
    begin(key);
    quote(body_, value);
    return *this;
  }
  // null when there is no value.
  Object& text(std::string_view key, const std::optional<std::string>& value) {
    return value ? text(key, std::string_view(*value)) : null(key);
  }
  Object& text(std::string_view key, const char* value) { return text(key, std::string_view(value)); }
  Object& text(std::string_view key, const std::string& value) { return text(key, std::string_view(value)); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) Object& integer(std::string_view key, T value) {
    begin(key);
    json::number(body_, value);
    return *this;
  }
  // With at most `decimals` digits after the point.
  Object& number(std::string_view key, double value, int decimals = 3) {
    begin(key);
    const double scale = std::pow(10.0, decimals);
    json::number(body_, std::isfinite(value) && std::abs(value) < 1e12 ? std::round(value * scale) / scale : value);
    return *this;
  }
  Object& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  Object& null(std::string_view key) { return raw(key, "null"); }
  Object& object(std::string_view key, const Object& value) { return raw(key, value.str()); }
  Object& array(std::string_view key, const Array& value);
  // The texts of anything that can be walked and shown as a string_view.
  template <class Range>
  Object& texts(std::string_view key, const Range& values);
  // JSON text that is whole already.
  Object& raw(std::string_view key, std::string_view json) {
    begin(key);
    body_ += json;
    return *this;
  }
  std::string str() const { return "{" + body_ + "}"; }

 private:
  void begin(std::string_view key) {
    if (!body_.empty()) body_ += ',';
    quote(body_, key);
    body_ += ':';
  }
  std::string body_;
};

class Array {
 public:
  Array& text(std::string_view value) {
    begin();
    quote(body_, value);
    return *this;
  }
  Array& object(const Object& value) { return raw(value.str()); }
  Array& raw(std::string_view json) {
    begin();
    body_ += json;
    return *this;
  }
  bool empty() const { return body_.empty(); }
  std::size_t bytes() const { return body_.size() + 2; }  // of str()
  std::string str() const { return "[" + body_ + "]"; }

 private:
  void begin() {
    if (!body_.empty()) body_ += ',';
  }
  std::string body_;
};

inline Object& Object::array(std::string_view key, const Array& value) {
  return raw(key, value.str());
}
template <class Range>
Object& Object::texts(std::string_view key, const Range& values) {
  Array out;
  for (const auto& value : values) out.text(value);
  return array(key, out);
}

}  // namespace atlas::json
