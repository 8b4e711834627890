// SipHash-2-4 with a key of the process: the hash of every table whose keys a peer chooses, and the seal on cursors.
// Any thread; a plain value.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace bootstrap {

class SipHash {
 public:
  using Key = std::array<std::uint8_t, 16>;
  explicit SipHash(const Key& key) : k0_(word(key.data())), k1_(word(key.data() + 8)) {}

  std::uint64_t operator()(std::span<const std::uint8_t> data) const {
    State s{k0_ ^ 0x736f6d6570736575u, k1_ ^ 0x646f72616e646f6du, k0_ ^ 0x6c7967656e657261u, k1_ ^ 0x7465646279746573u};
    const std::size_t whole = data.size() / 8 * 8;
    for (std::size_t i = 0; i < whole; i += 8) s.absorb(word(data.data() + i));
    std::uint64_t last = static_cast<std::uint64_t>(data.size()) << 56;
    for (std::size_t i = whole; i < data.size(); ++i) last |= static_cast<std::uint64_t>(data[i]) << (8 * (i - whole));
    s.absorb(last);
    s.v2 ^= 0xff;
    for (int round = 0; round < 4; ++round) s.mix();
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  }
  std::uint64_t operator()(std::string_view text) const {
    return (*this)(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }

 private:
  struct State {
    std::uint64_t v0, v1, v2, v3;
    void mix() {
      v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
    void absorb(std::uint64_t m) {
      v3 ^= m;
      mix();
      mix();
      v0 ^= m;
    }
  };
  static std::uint64_t word(const std::uint8_t* at) {  // little-endian
    std::uint64_t out = 0;
    for (int i = 7; i >= 0; --i) out = out << 8 | at[i];
    return out;
  }
  std::uint64_t k0_, k1_;
};

}  // namespace bootstrap
