#include "base/random.h"

#include <sodium.h>

#include <cstring>
#include <stdexcept>

namespace atlas::base {

SystemRandom::SystemRandom() {
  if (sodium_init() < 0) throw std::runtime_error("libsodium could not be initialised");
}

void SystemRandom::fill(MutableBytes out) {
  if (out.empty()) return;
  randombytes_buf(out.data(), out.size());
}

SeededRandom::SeededRandom(std::uint64_t seed) {
  std::memcpy(seed_.data(), &seed, sizeof seed);
}

void SeededRandom::fill(MutableBytes out) {
  if (out.empty()) return;
  ByteArray<crypto_stream_chacha20_NONCEBYTES> nonce{};
  std::memcpy(nonce.data(), &block_, sizeof block_);
  ++block_;
  crypto_stream_chacha20(out.data(), out.size(), nonce.data(), seed_.data());
}

}  // namespace atlas::base
