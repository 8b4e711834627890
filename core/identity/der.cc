#include "identity/der.h"

namespace atlas::identity::der {
namespace {

struct Length {
  std::size_t value;
  std::size_t size;  // bytes that its encoding takes
};

// The definite, shortest form only (X.690, 10.1). Two length bytes are more than any element here needs.
std::optional<Length> read_length(base::ByteView data) {
  if (data.empty()) return std::nullopt;
  const std::uint8_t first = data[0];
  if (first < 0x80) return Length{first, 1};
  const std::size_t count = first & 0x7f;
  if (count == 0 || count > 2 || data.size() < 1 + count) return std::nullopt;
  std::size_t value = 0;
  for (std::size_t i = 1; i <= count; ++i) value = value << 8 | data[i];
  const std::size_t shortest = value < 0x80 ? 0 : value < 0x100 ? 1 : 2;
  if (shortest != count) return std::nullopt;
  return Length{value, 1 + count};
}

void append(base::Bytes& out, base::ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

}  // namespace

std::optional<base::ByteView> Reader::take(std::uint8_t tag) {
  if (!next_is(tag)) return std::nullopt;
  const auto length = read_length(rest_.subspan(1));
  if (!length) return std::nullopt;
  const base::ByteView body = rest_.subspan(1 + length->size);
  if (body.size() < length->value) return std::nullopt;
  rest_ = body.subspan(length->value);
  return body.first(length->value);
}

base::Bytes element(std::uint8_t tag, base::ByteView contents) {
  base::Bytes out;
  out.reserve(contents.size() + 4);
  out.push_back(tag);
  const std::size_t size = contents.size();
  if (size >= 0x100) {
    out.insert(out.end(), {0x82, static_cast<std::uint8_t>(size >> 8)});
  } else if (size >= 0x80) {
    out.push_back(0x81);
  }
  out.push_back(static_cast<std::uint8_t>(size));
  append(out, contents);
  return out;
}

base::Bytes element(std::uint8_t tag, std::initializer_list<base::Bytes> parts) {
  base::Bytes contents;
  for (const auto& part : parts) append(contents, part);
  return element(tag, contents);
}

base::Bytes unsigned_integer(base::ByteView big_endian) {
  while (big_endian.size() > 1 && big_endian.front() == 0) big_endian = big_endian.subspan(1);
  base::Bytes contents;
  if (big_endian.empty() || big_endian.front() >= 0x80) contents.push_back(0);
  append(contents, big_endian);
  return element(kInteger, contents);
}

base::Bytes bit_string(base::ByteView bits, std::uint8_t unused) {
  base::Bytes contents{unused};
  append(contents, bits);
  return element(kBitString, contents);
}

}  // namespace atlas::identity::der
