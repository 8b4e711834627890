#include "base/keyed_hash.h"

#include <sodium.h>

#include <cstring>

namespace atlas::base {

std::uint64_t KeyedHash::operator()(ByteView data) const {
  ByteArray<crypto_shorthash_BYTES> digest;
  crypto_shorthash(digest.data(), data.data(), data.size(), key_.data());
  std::uint64_t out;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

}  // namespace atlas::base
