#include "identity/node_key.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "identity/certificate.h"
#include "identity/key_file.h"

namespace atlas::identity {

std::string node_id_of(const PublicKey& key) {
  base::ByteArray<crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), key.data(), key.size());
  return "atlas_" + base::to_hex(digest);
}

// libsodium refuses an S of L or more, an A that is small or not canonical, and compares R as bytes, so that only its
// canonical form passes; tests/unit/identity holds it to that.
bool verify(const PublicKey& key, base::ByteView message, base::ByteView signature) {
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()) == 0;
}

namespace {

// The y coordinates of the points of order 1, 2, 4 and 8 on edwards25519, little-endian, without the sign of x.
constexpr std::array<PublicKey, 5> kSmallOrder = {{
    {0x00},
    {0x01},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
}};

// y below p = 2^255 - 19 (RFC 8032, section 5.1.3).
bool is_canonical(const PublicKey& y) {
  if (y[31] != 0x7f || y[0] < 0xed) return true;
  return std::any_of(y.begin() + 1, y.end() - 1, [](std::uint8_t byte) { return byte != 0xff; });
}

}  // namespace

bool is_acceptable(const PublicKey& key) {
  PublicKey y = key;
  y[31] &= 0x7f;
  return is_canonical(y) && std::find(kSmallOrder.begin(), kSmallOrder.end(), y) == kSmallOrder.end();
}

struct NodeKey::Secret {
  LockedBytes key{crypto_sign_SECRETKEYBYTES};  // seed, then public key: libsodium's form
  PublicKey public_key{};
  std::string node_id;
  base::Bytes certificate;

  explicit Secret(base::ByteView seed) {
    crypto_sign_seed_keypair(public_key.data(), key.data(), seed.data());
    key.freeze();
    node_id = node_id_of(public_key);
    certificate = make_certificate(public_key, [this](base::ByteView message) { return sign(message); });
  }

  Signature sign(base::ByteView message) const {
    Signature out;
    crypto_sign_detached(out.data(), nullptr, message.data(), message.size(), key.data());
    return out;
  }

  base::ByteView seed() const { return key.view().first(kSeedSize); }
};

NodeKey::NodeKey(std::unique_ptr<Secret> secret) : secret_(std::move(secret)) {}
NodeKey::NodeKey(NodeKey&&) noexcept = default;
NodeKey& NodeKey::operator=(NodeKey&&) noexcept = default;
NodeKey::~NodeKey() = default;

NodeKey NodeKey::generate(base::Random& random) {
  LockedBytes seed(kSeedSize);
  random.fill(seed.bytes());
  return NodeKey(std::make_unique<Secret>(seed.view()));
}

NodeKey NodeKey::from_seed(const base::ByteArray<32>& seed) {
  return NodeKey(std::make_unique<Secret>(seed));
}

base::Result<NodeKey> NodeKey::load(const std::filesystem::path& file) {
  const auto contents = read_private_file(file);
  if (!contents) return std::unexpected(contents.error());
  const auto seed = from_pem(base::as_text(contents->view()), file.string());
  if (!seed) return std::unexpected(seed.error());
  return NodeKey(std::make_unique<Secret>(seed->view()));
}

base::Result<void> NodeKey::save(const std::filesystem::path& file) const {
  return write_private_file(file, to_pem(secret_->seed()).view());
}

const PublicKey& NodeKey::public_key() const {
  return secret_->public_key;
}
const std::string& NodeKey::node_id() const {
  return secret_->node_id;
}
Signature NodeKey::sign(base::ByteView message) const {
  return secret_->sign(message);
}
const base::Bytes& NodeKey::certificate() const {
  return secret_->certificate;
}

std::string NodeKey::pem() const {
  return std::string(base::as_text(to_pem(secret_->seed()).view()));
}

}  // namespace atlas::identity
