// Frames as they come: well-formed in themselves, made of random fields, in any order.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"

namespace atlas::hostile {

inline void put_varint(base::Bytes& out, std::uint64_t value) {
  if (value < 64) {
    out.push_back(static_cast<std::uint8_t>(value));
    return;
  }
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift | (shift == 56 ? 0xc0u : 0u)));
  }
}

// Small numbers mostly, for they are the ones that mean something.
inline std::uint64_t any_number(base::Random& random) {
  switch (random.below(8)) {
    case 0:
      return random.u64() >> (2 + random.below(62));
    case 1:
      return (std::uint64_t{1} << 62) - 1 - random.below(4);
    default:
      return random.below(12);
  }
}

inline void put_bytes(base::Bytes& out, base::Random& random, std::size_t count) {
  for (; count > 0; --count) out.push_back(static_cast<std::uint8_t>(random.u64()));
}

// One frame of the given type, 0x00 to 0x1e.
inline void put_frame(base::Bytes& out, base::Random& random, std::uint64_t type) {
  const auto numbers = [&](int count) {
    for (; count > 0; --count) put_varint(out, any_number(random));
  };
  const auto counted = [&](std::size_t most) {
    const std::size_t length = random.below(most + 1);
    put_varint(out, length);
    put_bytes(out, random, length);
  };
  put_varint(out, type);
  if (type >= 0x08 && type <= 0x0f) {
    numbers((type & 4) != 0 ? 2 : 1);
    if ((type & 2) != 0) counted(30);
    return;
  }
  switch (type) {
    case 0x02:
    case 0x03: {
      numbers(2);
      const std::uint64_t ranges = random.below(4);
      put_varint(out, ranges);
      numbers(static_cast<int>(1 + 2 * ranges + (type == 0x03 ? 3 : 0)));
      return;
    }
    case 0x04:
      return numbers(3);
    case 0x05:
    case 0x11:
    case 0x15:
      return numbers(2);
    case 0x06:
      numbers(1);
      return counted(40);
    case 0x07:
      return counted(40);
    case 0x18: {
      numbers(2);
      const auto length = static_cast<std::uint8_t>(random.below(10) == 0 ? random.below(30) : 8);
      out.push_back(length);
      return put_bytes(out, random, length + 16u);
    }
    case 0x1a:
    case 0x1b:
      return put_bytes(out, random, 8);
    case 0x1c:
      numbers(2);
      return counted(20);
    case 0x1d:
      numbers(1);
      return counted(20);
    case 0x00:
    case 0x01:
    case 0x1e:
      return;
    default:
      return numbers(1);
  }
}

inline base::Bytes any_frames(base::Random& random, std::size_t most_bytes) {
  base::Bytes out;
  for (std::uint64_t count = 1 + random.below(6); count > 0; --count) {
    base::Bytes frame;
    // Closing is the one thing that ends the conversation: seldom.
    std::uint64_t type = random.below(0x1f);
    if ((type == 0x1c || type == 0x1d) && random.below(20) != 0) type = 0x01;
    put_frame(frame, random, type);
    if (random.below(50) == 0 && !frame.empty()) frame[random.below(frame.size())] ^= 0xff;
    if (out.size() + frame.size() > most_bytes) break;
    out.insert(out.end(), frame.begin(), frame.end());
  }
  return out;
}

}  // namespace atlas::hostile
