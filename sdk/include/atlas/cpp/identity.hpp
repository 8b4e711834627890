// atlas/cpp/identity.hpp - keys, node ids, and signatures in this plugin's name (atlas/ext/identity.h says over what).
//
// Any thread; plain values.
#pragma once

#include <array>
#include <optional>

#include "../ext/identity.h"
#include "host.hpp"

namespace atlas {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

class Identity {
 public:
  explicit Identity(const Host& host) : host_(host), table_(host.table<atlas_ext_identity>(ATLAS_EXT_IDENTITY)) {}

  // This node's; nothing where there is no node (atlas merely lists the role).
  std::optional<PublicKey> key() const {
    atlas_public_key out{};
    return taken(ATLAS_CALL(table_, atlas_ext_identity, self, host_.c(), &out), out);
  }
  // The key that a live session was authenticated with.
  std::optional<PublicKey> key_of(Peer peer) const {
    atlas_public_key out{};
    return taken(ATLAS_CALL(table_, atlas_ext_identity, peer, host_.c(), peer, &out), out);
  }
  // Nothing for a key that no honest node can have.
  std::optional<std::string> node_id(const PublicKey& key) const {
    const atlas_public_key c = c_key(key);
    atlas_node_id out{};
    if (ATLAS_CALL(table_, atlas_ext_identity, node_id, host_.c(), &c, &out) < 0) return std::nullopt;
    return std::string(out.text, sizeof out.text);
  }
  std::optional<Signature> sign(std::string_view context, ByteArg message) const {
    atlas_signature c{};
    if (ATLAS_CALL(table_, atlas_ext_identity, sign, host_.c(), c_text(context), c_bytes(message.bytes), &c) < 0) {
      return std::nullopt;
    }
    Signature out;
    std::memcpy(out.data(), c.bytes, out.size());
    return out;
  }
  // plugin: in whose name it was made; empty for the role's own.
  bool verify(const PublicKey& key, std::string_view context, ByteArg message, const Signature& signature,
              std::string_view plugin = "") const {
    const atlas_public_key by = c_key(key);
    atlas_signature c{};
    std::memcpy(c.bytes, signature.data(), signature.size());
    return ATLAS_CALL(table_, atlas_ext_identity, verify, host_.c(), &by, c_text(plugin), c_text(context),
                      c_bytes(message.bytes), &c) >= 0;
  }

 private:
  static atlas_public_key c_key(const PublicKey& key) {
    atlas_public_key out{};
    std::memcpy(out.bytes, key.data(), key.size());
    return out;
  }
  static std::optional<PublicKey> taken(atlas_status status, const atlas_public_key& c) {
    if (status < 0) return std::nullopt;
    PublicKey out;
    std::memcpy(out.data(), c.bytes, out.size());
    return out;
  }

  const Host& host_;
  const atlas_ext_identity* table_;
};

inline Identity Host::identity() const {
  return Identity(*this);
}

}  // namespace atlas
