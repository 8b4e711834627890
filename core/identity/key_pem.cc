// The text half of key_file.h: PEM around base64 around PKCS#8 around the seed.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "identity/der.h"
#include "identity/key_file.h"

namespace atlas::identity {
namespace {

using base::ByteView;
using base::Fault;

constexpr std::string_view kBegin = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END PRIVATE KEY-----";
constexpr std::string_view kSpace = " \t\r\n";

// SEQUENCE { INTEGER 0, SEQUENCE { 1.3.101.112 }, OCTET STRING { OCTET STRING (32 bytes follow) } }
constexpr std::uint8_t kPkcs8Prefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                         0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::uint8_t kEd25519[] = {0x2b, 0x65, 0x70};
constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;

bool same(ByteView a, ByteView b) {
  return std::ranges::equal(a, b);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// What sort of file this is, for the text of the refusal.
std::string_view kind_of(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"-----BEGIN ENCRYPTED PRIVATE KEY-----", "an encrypted key, and a node has nobody to ask for the password"},
      {"-----BEGIN OPENSSH PRIVATE KEY-----", "a key of OpenSSH"},
      {"-----BEGIN EC PRIVATE KEY-----", "an elliptic-curve key, not Ed25519"},
      {"-----BEGIN RSA PRIVATE KEY-----", "an RSA key, not Ed25519"},
      {"-----BEGIN PUBLIC KEY-----", "a public key; the private one is needed"},
      {"-----BEGIN CERTIFICATE-----", "a certificate; the private key is needed"},
  };
  for (const auto& [begin, what] : kKinds) {
    if (text.starts_with(begin)) return what;
  }
  return "no PEM private key (it must begin with -----BEGIN PRIVATE KEY-----)";
}

std::unexpected<base::Error> refuse(std::string_view where, std::string_view why) {
  return base::fail(Fault::kArgument,
                    fmt::format("{}: {}. Put an Ed25519 key in PKCS#8 PEM there, or move the file away "
                                "and make a new key with `atlas id init`",
                                where, why));
}

// The optional tail of RFC 5958: attributes [0], which are not looked at, and the public half [1].
bool tail_fits(der::Reader& fields, bool version_2, ByteView seed) {
  if (fields.next_is(der::kContextConstructed0) && !fields.take(der::kContextConstructed0)) return false;
  if (version_2 && fields.next_is(der::kContext1)) {
    const auto bits = fields.take(der::kContext1);
    PublicKey key;
    LockedBytes secret(crypto_sign_SECRETKEYBYTES);
    crypto_sign_seed_keypair(key.data(), secret.data(), seed.data());
    if (!bits || bits->size() != 1 + key.size() || bits->front() != 0 || !same(bits->subspan(1), key)) return false;
  }
  return fields.at_end();
}

// The 32-byte seed inside the DER; `why` says what is wrong when there is none.
std::optional<ByteView> seed_in(ByteView pkcs8, std::string_view& why) {
  why = "its contents are not PKCS#8";
  der::Reader outer(pkcs8);
  const auto body = outer.take(der::kSequence);
  if (!body || !outer.at_end()) return std::nullopt;
  der::Reader fields(*body);
  const auto version = fields.take(der::kInteger);
  if (!version || version->size() != 1 || version->front() > 1) return std::nullopt;
  const auto algorithm = fields.take(der::kSequence);
  if (!algorithm) return std::nullopt;
  der::Reader inside(*algorithm);
  const auto object_id = inside.take(der::kObjectId);
  if (!object_id) return std::nullopt;
  if (!same(*object_id, kEd25519)) {
    why = "it holds a key of another kind than Ed25519";
    return std::nullopt;
  }
  const auto wrapped = fields.take(der::kOctetString);
  if (!inside.at_end() || !wrapped) return std::nullopt;
  der::Reader key(*wrapped);
  const auto seed = key.take(der::kOctetString);
  if (!seed || seed->size() != kSeedSize || !key.at_end()) return std::nullopt;
  if (!tail_fits(fields, version->front() == 1, *seed)) {
    why = "its public half does not belong to its private one, or something follows the key";
    return std::nullopt;
  }
  return seed;
}

}  // namespace

LockedBytes::LockedBytes(std::size_t size) : size_(size) {
  if (sodium_init() < 0) throw std::bad_alloc();
  data_ = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (data_ == nullptr) throw std::bad_alloc();
}

LockedBytes::LockedBytes(LockedBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

LockedBytes& LockedBytes::operator=(LockedBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

LockedBytes::~LockedBytes() {
  sodium_free(data_);
}

void LockedBytes::freeze() {
  sodium_mprotect_readonly(data_);
}

LockedBytes to_pem(ByteView seed) {
  LockedBytes pkcs8(sizeof kPkcs8Prefix + kSeedSize);
  std::memcpy(pkcs8.data(), kPkcs8Prefix, sizeof kPkcs8Prefix);
  std::memcpy(pkcs8.data() + sizeof kPkcs8Prefix, seed.data(), kSeedSize);

  // 48 bytes make exactly one line of 64 characters.
  const std::size_t coded = sodium_base64_encoded_len(pkcs8.size(), kBase64);  // counts the closing zero
  LockedBytes line(coded);
  sodium_bin2base64(reinterpret_cast<char*>(line.data()), coded, pkcs8.data(), pkcs8.size(), kBase64);

  LockedBytes out(kBegin.size() + coded + kEnd.size() + 2);
  auto* at = reinterpret_cast<char*>(out.data());
  at = std::ranges::copy(kBegin, at).out;
  *at++ = '\n';
  at = std::copy_n(reinterpret_cast<const char*>(line.data()), coded - 1, at);
  *at++ = '\n';
  at = std::ranges::copy(kEnd, at).out;
  *at = '\n';
  return out;
}

base::Result<LockedBytes> from_pem(std::string_view pem, std::string_view where) {
  std::string_view text = trimmed(pem);
  if (!text.starts_with(kBegin)) return refuse(where, "this is " + std::string(kind_of(text)));
  text.remove_prefix(kBegin.size());
  const auto end = text.find(kEnd);
  if (end == std::string_view::npos) return refuse(where, "the line -----END PRIVATE KEY----- is missing");
  if (!trimmed(text.substr(end + kEnd.size())).empty()) return refuse(where, "something follows the private key");
  text = text.substr(0, end);

  LockedBytes decoded(text.size() + 1);
  std::size_t size = 0;
  // libsodium takes a zero byte for one of those to skip.
  if (text.contains('\0') || sodium_base642bin(decoded.data(), decoded.size(), text.data(), text.size(), kSpace.data(),
                                               &size, nullptr, kBase64) != 0) {
    return refuse(where, "its base64 is damaged");
  }
  std::string_view why;
  const auto seed = seed_in(decoded.view().first(size), why);
  if (!seed) return refuse(where, why);
  LockedBytes out(kSeedSize);
  std::memcpy(out.data(), seed->data(), kSeedSize);
  return out;
}

}  // namespace atlas::identity
