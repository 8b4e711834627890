#include "identity/certificate.h"

#include <sodium.h>

#include <algorithm>
#include <string_view>

#include "identity/der.h"

namespace atlas::identity {
namespace {

using base::as_bytes;
using base::Bytes;
using base::ByteView;

constexpr std::uint8_t kEd25519[] = {0x2b, 0x65, 0x70};           // 1.3.101.112, RFC 8410
constexpr std::uint8_t kCommonName[] = {0x55, 0x04, 0x03};        // 2.5.4.3
constexpr std::uint8_t kKeyUsage[] = {0x55, 0x1d, 0x0f};          // 2.5.29.15
constexpr std::uint8_t kBasicConstraints[] = {0x55, 0x1d, 0x13};  // 2.5.29.19
constexpr std::size_t kSerialSize = 16;                           // bytes; RFC 5280 allows 20

constexpr std::uint8_t kVersion3[] = {2};
constexpr std::uint8_t kTrue[] = {0xff};
constexpr std::uint8_t kDigitalSignature[] = {0x80};  // bit 0; seven bits unused

Bytes algorithm() {
  return der::element(der::kSequence, {der::element(der::kObjectId, kEd25519)});
}

Bytes name(std::string_view common_name) {
  const Bytes attribute = der::element(der::kSequence, {der::element(der::kObjectId, kCommonName),
                                                        der::element(der::kUtf8String, as_bytes(common_name))});
  return der::element(der::kSequence, {der::element(der::kSet, attribute)});
}

// RFC 5280, 4.1.2.5: years up to 2049 as UTCTime, later ones as GeneralizedTime; the last second of 9999 means "no
// end".
Bytes validity() {
  return der::element(der::kSequence, {der::element(der::kUtcTime, as_bytes("000101000000Z")),
                                       der::element(der::kGeneralizedTime, as_bytes("99991231235959Z"))});
}

Bytes public_key_info(const PublicKey& key) {
  return der::element(der::kSequence, {algorithm(), der::bit_string(key)});
}

Bytes extension(ByteView object_id, bool critical, const Bytes& value) {
  return der::element(der::kSequence,
                      {der::element(der::kObjectId, object_id), critical ? der::element(der::kBoolean, kTrue) : Bytes{},
                       der::element(der::kOctetString, value)});
}

// CA:FALSE is the default of basicConstraints, and DER leaves defaults out: an empty sequence says it.
Bytes extensions() {
  const Bytes constraints = extension(kBasicConstraints, false, der::element(der::kSequence, ByteView{}));
  const Bytes usage = extension(kKeyUsage, true, der::bit_string(kDigitalSignature, 7));
  return der::element(der::kContextConstructed3, {der::element(der::kSequence, {constraints, usage})});
}

// The first byte lies in 40..7f, so that the number is positive, not zero, and in its shortest form.
Bytes serial(const PublicKey& key) {
  base::ByteArray<crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), key.data(), key.size());
  digest[0] = static_cast<std::uint8_t>((digest[0] & 0x3f) | 0x40);
  return der::unsigned_integer(ByteView(digest).first(kSerialSize));
}

}  // namespace

Bytes make_certificate(const PublicKey& key, const std::function<Signature(ByteView)>& sign) {
  const Bytes who = name("atlas");
  const Bytes version = der::element(der::kContextConstructed0, {der::element(der::kInteger, kVersion3)});
  const Bytes to_be_signed = der::element(
      der::kSequence, {version, serial(key), algorithm(), who, validity(), who, public_key_info(key), extensions()});
  return der::element(der::kSequence, {to_be_signed, algorithm(), der::bit_string(sign(to_be_signed))});
}

}  // namespace atlas::identity
