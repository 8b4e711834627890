// From the connection id of a datagram to what owns it. Peers choose some of these keys, so every table hashes with a
// key of its own (A06). Loop thread only; the tables point at routes, their owners take themselves out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/keyed_hash.h"

namespace atlas::quic {

// What a datagram can be for.
struct Route {
  enum class Kind : std::uint8_t { kConnection, kTombstone, kExpected, kForward };
  explicit Route(Kind k) : kind(k) {}
  const Kind kind;
};

// Open addressing with linear probing; a removal closes its gap, so no table fills up with marks of the dead.
// Key is a plain array of bytes.
template <class Key>
class RouteTable {
 public:
  explicit RouteTable(base::Random& random) : hash_(random) {}

  Route* find(const Key& key) const {
    if (size_ == 0) return nullptr;
    for (std::size_t at = home(key);; at = next(at)) {
      if (slots_[at].route == nullptr) return nullptr;
      if (slots_[at].key == key) return slots_[at].route;
    }
  }

  // A later claim of the same key replaces the earlier one.
  void insert(const Key& key, Route* route) {
    if ((size_ + 1) * 3 > slots_.size() * 2) grow();
    std::size_t at = home(key);
    while (slots_[at].route != nullptr && slots_[at].key != key) at = next(at);
    if (slots_[at].route == nullptr) ++size_;
    slots_[at] = {key, route};
  }

  // Only the claim of this owner: a key that somebody else claimed meanwhile stays theirs.
  void erase(const Key& key, const Route* owner) {
    if (size_ == 0) return;
    std::size_t at = home(key);
    while (slots_[at].route != nullptr && slots_[at].key != key) at = next(at);
    if (slots_[at].route != owner || owner == nullptr) return;
    --size_;
    for (std::size_t probe = next(at); slots_[probe].route != nullptr; probe = next(probe)) {
      const std::size_t wanted = home(slots_[probe].key);
      // The entry may move back unless its home lies between the gap and where it is now.
      const bool stays = at <= probe ? (at < wanted && wanted <= probe) : (at < wanted || wanted <= probe);
      if (stays) continue;
      slots_[at] = slots_[probe];
      at = probe;
    }
    slots_[at] = {};
  }

  std::size_t size() const { return size_; }

 private:
  struct Slot {
    Key key{};
    Route* route = nullptr;
  };

  std::size_t home(const Key& key) const { return hash_(base::ByteView(key)) & (slots_.size() - 1); }
  std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.route != nullptr) insert(slot.key, slot.route);
    }
  }

  base::KeyedHash hash_;
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

// Ids that this endpoint gives out.
inline constexpr std::size_t kIdLength = 8;
using ServerId = base::ByteArray<kIdLength>;

// Ids of a connection that runs through a forwarder begin with the prefix of a route that leads here (wire protocol,
// section 8); what follows tells them apart. The tables hold the prefix alone.
inline constexpr std::size_t kRoutedIdLength = 12;

// The id that a client makes up for its first packets: 8 to 20 bytes (RFC 9000, 7.2). Byte 0 is the length.
using FirstId = base::ByteArray<21>;
inline FirstId first_id(base::ByteView id) {
  FirstId out{};
  out[0] = static_cast<std::uint8_t>(id.size());
  std::copy_n(id.begin(), std::min<std::size_t>(id.size(), 20), out.begin() + 1);
  return out;
}

// The last bytes of a stateless reset.
using ResetToken = base::ByteArray<16>;

}  // namespace atlas::quic
