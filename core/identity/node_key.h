// The node's one Ed25519 key: its file, its id, its signatures and its certificate.
// Immutable once made, so any thread may use it. The secret half is locked in memory and wiped on destruction; only
// pem() copies it out, and it shows in no log.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace atlas::identity {

using PublicKey = base::ByteArray<32>;
using Signature = base::ByteArray<64>;

// "atlas_" + lower-case hex of SHA-256 of the key (wire protocol, section 1).
std::string node_id_of(const PublicKey& key);

// RFC 8032 strictly: a canonical signature, no small-order and no non-canonical point.
bool verify(const PublicKey& key, base::ByteView message, base::ByteView signature);

// True for a canonical encoding of no small-order point (A12). A table look-up: whether it is on the curve at all shows
// when the owner's signature is verified, which every use of a peer's key begins with.
bool is_acceptable(const PublicKey& key);

class NodeKey {
 public:
  static NodeKey generate(base::Random& random);
  // The caller wipes its copy of the seed.
  static NodeKey from_seed(const base::ByteArray<32>& seed);
  // PKCS#8 PEM, version 1 or 2 (RFC 8410). Refused: a file that group or others can read or write, a symbolic link,
  // another owner than the caller or root, a key of another kind, anything over 16 KiB. The text says what to do.
  static base::Result<NodeKey> load(const std::filesystem::path& file);
  // Writes PKCS#8 version 1, mode 0600, through a temporary file and rename; never overwrites (kConflict).
  base::Result<void> save(const std::filesystem::path& file) const;

  NodeKey(NodeKey&&) noexcept;
  NodeKey& operator=(NodeKey&&) noexcept;
  ~NodeKey();

  const PublicKey& public_key() const;
  const std::string& node_id() const;
  Signature sign(base::ByteView message) const;
  // Self-signed X.509 v3 in DER (wire protocol, section 1): CN=atlas, CA:FALSE, keyUsage digitalSignature.
  const base::Bytes& certificate() const;
  // The whole secret as PKCS#8 PEM; the caller wipes it.
  std::string pem() const;

 private:
  struct Secret;
  explicit NodeKey(std::unique_ptr<Secret> secret);
  std::unique_ptr<Secret> secret_;
};

}  // namespace atlas::identity
