#include "cursor.h"

namespace bootstrap {

namespace {

constexpr std::uint8_t kFresh = 1, kWrapped = 2;  // the first byte; other values are for later layouts
constexpr std::size_t kBody = kCursorBytes - 8;

template <class T>
void append(std::vector<std::uint8_t>& out, T number) {
  for (std::size_t i = 0; i < sizeof number; ++i) out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}
std::uint32_t number_at(const std::uint8_t* at) {
  return at[0] | at[1] << 8 | at[2] << 16 | static_cast<std::uint32_t>(at[3]) << 24;
}

// Binds the position to the filter. The text in front keeps these hashes apart from those of the tables.
std::uint64_t tag(std::span<const std::uint8_t> body, std::uint64_t filter, const SipHash& hash) {
  constexpr std::string_view domain = "cursor";
  std::vector<std::uint8_t> sealed(domain.begin(), domain.end());
  append(sealed, filter);
  sealed.insert(sealed.end(), body.begin(), body.end());
  return hash(sealed);
}

}  // namespace

std::vector<std::uint8_t> seal(const Cursor& cursor, std::uint64_t filter, const SipHash& hash) {
  std::vector<std::uint8_t> out = {cursor.wrapped ? kWrapped : kFresh};
  append(out, cursor.start);
  append(out, cursor.next);
  append(out, tag(out, filter, hash));
  return out;
}

std::optional<Cursor> unseal(std::span<const std::uint8_t> bytes, std::uint64_t filter, const SipHash& hash) {
  if (bytes.size() != kCursorBytes) return std::nullopt;
  std::vector<std::uint8_t> expected;
  append(expected, tag(bytes.first(kBody), filter, hash));
  std::uint8_t difference = 0;  // in constant time: the seal is a secret's work
  for (std::size_t i = 0; i < expected.size(); ++i) difference |= expected[i] ^ bytes[kBody + i];
  if (difference != 0 || (bytes[0] != kFresh && bytes[0] != kWrapped)) return std::nullopt;
  return Cursor{number_at(&bytes[1]), number_at(&bytes[5]), bytes[0] == kWrapped};
}

}  // namespace bootstrap
