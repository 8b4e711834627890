// atlas/msgpack/writer.hpp - writes MessagePack, each value in its smallest encoding.
//
//   msgpack::Writer out;
//   out.map(2).text("msg_id").text(id).text("status").text("received");
//   reply(out.bytes());
//
// The caller counts: map(n) is followed by n keys and values. With a ceiling, a value that would pass it is left out,
// everything after it too, and ok() turns false. Not for several threads at once; owns its buffer.
#pragma once

#include <concepts>
#include <limits>
#include <utility>
#include <vector>

#include "head.hpp"

namespace atlas::msgpack {

class Writer {
 public:
  Writer() = default;
  explicit Writer(std::size_t max_bytes) : max_(max_bytes) {}

  Writer& map(std::size_t entries) { return container(entries, 0x80, 0xde); }
  Writer& array(std::size_t elements) { return container(elements, 0x90, 0xdc); }

  Writer& text(std::string_view value) {
    if (value.size() <= 31) {
      head(static_cast<std::uint8_t>(0xa0 | value.size()), 0, 0, value.size());
    } else {
      sized(value.size(), 0xd9, 0xda, 0xdb);
    }
    return append(value.data(), value.size());
  }
  Writer& bin(Bytes value) {
    sized(value.size(), 0xc4, 0xc5, 0xc6);
    return append(value.data(), value.size());
  }
  // An array of integers: how published nodes write a bytes field, and the only form that they read.
  Writer& byte_array(Bytes value) {
    array(value.size());
    for (const std::uint8_t byte : value) integer(byte);
    return *this;
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) Writer& integer(T value) {
    if constexpr (std::signed_integral<T>) {
      if (value < 0) return negative(value);
    }
    return positive(static_cast<std::uint64_t>(value));
  }
  Writer& boolean(bool value) { return head(value ? 0xc3 : 0xc2, 0, 0, 0); }
  Writer& nil() { return head(0xc0, 0, 0, 0); }
  Writer& f64(double value) { return head(0xcb, std::bit_cast<std::uint64_t>(value), 8, 0); }
  // A value that is encoded already.
  Writer& raw(Bytes value) { return append(value.data(), value.size()); }

  bool ok() const { return !overflowed_; }
  std::size_t size() const { return buffer_.size(); }
  Bytes bytes() const { return buffer_; }
  std::vector<std::uint8_t> take() { return std::exchange(buffer_, {}); }
  void clear() {
    buffer_.clear();
    overflowed_ = false;
  }
  void reserve(std::size_t bytes) { buffer_.reserve(bytes); }

 private:
  bool fits(std::size_t more) {
    if (overflowed_ || more > max_ - buffer_.size()) overflowed_ = true;
    return !overflowed_;
  }
  // One byte, then `size` bytes of number in network order; `follows` bytes will come next and must fit as well.
  Writer& head(std::uint8_t first, std::uint64_t number, unsigned size, std::size_t follows) {
    if (!fits(1 + size + follows)) return *this;
    std::uint8_t encoded[9] = {first};
    for (unsigned i = 0; i < size; ++i) encoded[1 + i] = static_cast<std::uint8_t>(number >> (8 * (size - 1 - i)));
    buffer_.insert(buffer_.end(), encoded, encoded + 1 + size);
    return *this;
  }
  Writer& append(const void* data, std::size_t size) {
    if (!fits(size) || size == 0) return *this;
    const auto* from = static_cast<const std::uint8_t*>(data);
    buffer_.insert(buffer_.end(), from, from + size);
    return *this;
  }
  // A length of 1, 2 or 4 bytes. What is longer than 4 GiB does not fit any message.
  void sized(std::size_t size, std::uint8_t one, std::uint8_t two, std::uint8_t four) {
    if (size <= 0xff) {
      head(one, size, 1, size);
    } else if (size <= 0xffff) {
      head(two, size, 2, size);
    } else if (size <= 0xffffffffu) {
      head(four, size, 4, size);
    } else {
      overflowed_ = true;
    }
  }
  Writer& container(std::size_t count, std::uint8_t fix, std::uint8_t two) {
    if (count <= 15) return head(static_cast<std::uint8_t>(fix | count), 0, 0, 0);
    if (count <= 0xffff) return head(two, count, 2, 0);
    if (count <= 0xffffffffu) return head(static_cast<std::uint8_t>(two + 1), count, 4, 0);
    overflowed_ = true;
    return *this;
  }
  Writer& positive(std::uint64_t value) {
    if (value <= 0x7f) return head(static_cast<std::uint8_t>(value), 0, 0, 0);
    if (value <= 0xff) return head(0xcc, value, 1, 0);
    if (value <= 0xffff) return head(0xcd, value, 2, 0);
    if (value <= 0xffffffffu) return head(0xce, value, 4, 0);
    return head(0xcf, value, 8, 0);
  }
  Writer& negative(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= -32) return head(static_cast<std::uint8_t>(bits), 0, 0, 0);
    if (value >= std::numeric_limits<std::int8_t>::min()) return head(0xd0, bits, 1, 0);
    if (value >= std::numeric_limits<std::int16_t>::min()) return head(0xd1, bits, 2, 0);
    if (value >= std::numeric_limits<std::int32_t>::min()) return head(0xd2, bits, 4, 0);
    return head(0xd3, bits, 8, 0);
  }

  std::size_t max_ = std::numeric_limits<std::size_t>::max();
  bool overflowed_ = false;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace atlas::msgpack
