// atlas/json/to_msgpack.hpp - JSON text as a MessagePack value.
//
// Strict RFC 8259: one value, no comments, no trailing commas, no leading zeros, UTF-8 only, surrogates in pairs. A key
// that occurs twice in one object is refused, and so is more nesting than max_depth. Whole numbers that fit 64 bits
// become integers, all others float 64; a number past the range of a double is refused. Any thread; a pure function, no
// recursion.
#pragma once

#include <array>
#include <vector>

#include "../msgpack/check.hpp"
#include "../msgpack/writer.hpp"
#include "writer.hpp"

namespace atlas::json {

namespace detail {

class Reader {
 public:
  Reader(std::string_view text, std::uint32_t max_depth)
      : text_(text), max_depth_(std::min(max_depth, msgpack::kDepthCeiling)) {}

  std::optional<std::vector<std::uint8_t>> run() {
    if (!msgpack::is_utf8(text_)) return std::nullopt;
    do {
      if (!element()) return std::nullopt;
    } while (depth_ != 0);
    spaces();
    if (at_ != text_.size()) return std::nullopt;
    const msgpack::Limits limits{max_depth_, 0xffffffffu};
    if (msgpack::check(out_, limits) != msgpack::Fault::kNone) return std::nullopt;
    return std::move(out_);
  }

 private:
  struct Level {
    std::size_t start = 0;  // of the head in out_
    std::uint32_t count = 0;
    bool map = false;
  };

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char expected) {
    if (peek() != expected || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void spaces() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  void append(msgpack::Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  // One value at the top, or the next step of the innermost container: its end, or a comma and an element.
  bool element() {
    spaces();
    if (depth_ != 0) {
      Level& level = levels_[depth_ - 1];
      if (take(level.map ? '}' : ']')) return close();
      if (level.count != 0) {
        if (!take(',')) return false;
        spaces();
      }
      ++level.count;
      if (level.map) {
        if (!take('"') || !string()) return false;
        spaces();
        if (!take(':')) return false;
        spaces();
      }
    }
    return value();
  }

  bool value() {
    if (take('{')) return open(true);
    if (take('[')) return open(false);
    if (take('"')) return string();
    if (word("true")) return put([](auto& w) { w.boolean(true); });
    if (word("false")) return put([](auto& w) { w.boolean(false); });
    if (word("null")) return put([](auto& w) { w.nil(); });
    return number();
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  template <class F>
  bool put(F write) {
    msgpack::Writer writer;
    write(writer);
    append(writer.bytes());
    return true;
  }

  // The number of elements is known at the end: leave room for the longest head and close the gap then. Contents move
  // at most once for each level that they are in.
  static constexpr std::size_t kRoom = 5;
  bool open(bool map) {
    if (depth_ == max_depth_) return false;
    levels_[depth_++] = {out_.size(), 0, map};
    out_.resize(out_.size() + kRoom);
    return true;
  }
  bool close() {
    const Level& level = levels_[--depth_];
    msgpack::Writer head;
    level.map ? head.map(level.count) : head.array(level.count);
    std::copy(head.bytes().begin(), head.bytes().end(), out_.begin() + static_cast<std::ptrdiff_t>(level.start));
    const auto gap = out_.begin() + static_cast<std::ptrdiff_t>(level.start + head.size());
    out_.erase(gap, gap + static_cast<std::ptrdiff_t>(kRoom - head.size()));
    return true;
  }

  // After the opening quote.
  bool string() {
    std::string value;
    for (;;) {
      if (at_ == text_.size()) return false;
      const char letter = text_[at_++];
      if (letter == '"') break;
      if (static_cast<unsigned char>(letter) < 0x20) return false;
      if (letter != '\\') {
        value += letter;
      } else if (!escape(value)) {
        return false;
      }
    }
    return put([&](auto& w) { w.text(value); });
  }
  bool escape(std::string& out) {
    if (at_ == text_.size()) return false;
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const char letter = text_[at_++];
    if (const auto known = letters.find(letter); known != std::string_view::npos) {
      out += meanings[known];
      return true;
    }
    std::uint32_t code = 0;
    if (letter != 'u' || !hex4(code)) return false;
    if (code >= 0xdc00 && code <= 0xdfff) return false;
    if (code >= 0xd800 && code <= 0xdbff) {
      std::uint32_t low = 0;
      if (!word("\\u") || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    encode(out, code);
    return true;
  }
  bool hex4(std::uint32_t& out) {
    if (text_.size() - at_ < 4) return false;
    const char* from = text_.data() + at_;
    const auto [end, error] = std::from_chars(from, from + 4, out, 16);
    at_ += 4;
    return error == std::errc() && end == from + 4;
  }
  static void encode(std::string& out, std::uint32_t code) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0 | code >> 6);
      tail(0);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xe0 | code >> 12);
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xf0 | code >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  void digits() {
    while (peek() >= '0' && peek() <= '9') ++at_;
  }
  bool number() {
    const std::size_t start = at_;
    const bool negative = take('-');
    if (peek() < '0' || peek() > '9') return false;
    if (!take('0')) digits();
    bool whole = true;
    if (take('.')) {
      whole = false;
      if (peek() < '0' || peek() > '9') return false;
      digits();
    }
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      if (peek() < '0' || peek() > '9') return false;
      digits();
    }
    const char* from = text_.data() + start;
    const char* to = text_.data() + at_;
    if (whole && (negative ? integer<std::int64_t>(from, to) : integer<std::uint64_t>(from, to))) return true;
    double value = 0;
    if (std::from_chars(from, to, value).ec != std::errc()) return false;
    return put([&](auto& w) { w.f64(value); });
  }
  template <class T>
  bool integer(const char* from, const char* to) {
    T value = 0;
    if (std::from_chars(from, to, value).ec != std::errc()) return false;
    if (value == 0 && *from == '-') return false;  // -0 is a float
    return put([&](auto& w) { w.integer(value); });
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t max_depth_;
  std::uint32_t depth_ = 0;
  std::array<Level, msgpack::kDepthCeiling> levels_{};
  std::vector<std::uint8_t> out_;
};

}  // namespace detail

// max_depth counts containers inside each other. A value that will be a field of a payload stands one deeper there: 15.
inline std::optional<std::vector<std::uint8_t>> to_msgpack(std::string_view text, std::uint32_t max_depth = 16) {
  return detail::Reader(text, max_depth).run();
}

}  // namespace atlas::json
