// SipHash with a key of its own for every process: the hash for every table whose keys a peer can choose.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"

namespace atlas::base {

class KeyedHash {
 public:
  explicit KeyedHash(Random& random) { random.fill(key_); }
  std::uint64_t operator()(ByteView data) const;

 private:
  ByteArray<16> key_{};
};

}  // namespace atlas::base
