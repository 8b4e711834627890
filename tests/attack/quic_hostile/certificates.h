// Certificates that a node should not be taken in by. GnuTLS makes and signs them.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "identity/node_key.h"

namespace atlas::hostile {

inline void check(int code, const char* what) {
  if (code < 0) throw std::runtime_error(std::string(what) + ": " + gnutls_strerror(code));
}

// A key pair with a self-signed certificate.
class Certificate {
 public:
  enum class Kind { kEd25519, kEcdsaP256, kRsa2048, kEd448, kRsa1024, kEcdsaP384 };

  // `organisation` goes into the subject as it is.
  explicit Certificate(Kind kind, base::ByteView organisation = {}) {
    check(gnutls_x509_privkey_init(&key_), "key");
    switch (kind) {
      case Kind::kEd25519:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_EDDSA_ED25519, 256, 0), "Ed25519");
        break;
      case Kind::kEcdsaP256:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
              "P-256");
        break;
      case Kind::kRsa2048:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_RSA, 2048, 0), "RSA");
        break;
      case Kind::kRsa1024:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_RSA, 1024, 0), "RSA");
        break;
      case Kind::kEcdsaP384:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), 0),
              "P-384");
        break;
      case Kind::kEd448:
        check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_EDDSA_ED448, 456, 0), "Ed448");
        break;
    }
    check(gnutls_x509_crt_init(&certificate_), "certificate");
    check(gnutls_x509_crt_set_version(certificate_, 3), "version");
    const unsigned char serial[] = {1, 2, 3};
    check(gnutls_x509_crt_set_serial(certificate_, serial, sizeof serial), "serial");
    check(gnutls_x509_crt_set_activation_time(certificate_, 0), "activation");
    check(gnutls_x509_crt_set_expiration_time(certificate_, 4'000'000'000), "expiry");
    check(gnutls_x509_crt_set_dn_by_oid(certificate_, GNUTLS_OID_X520_COMMON_NAME, 0, "x", 1), "name");
    if (!organisation.empty()) {
      base::Bytes value = {0x0c, static_cast<std::uint8_t>(organisation.size())};
      value.insert(value.end(), organisation.begin(), organisation.end());
      check(gnutls_x509_crt_set_dn_by_oid(certificate_, GNUTLS_OID_X520_ORGANIZATION_NAME, 1, value.data(),
                                          static_cast<unsigned>(value.size())),
            "organisation");
    }
    check(gnutls_x509_crt_set_key(certificate_, key_), "public key");
    const bool eddsa = kind == Kind::kEd25519 || kind == Kind::kEd448;
    const auto hash = kind == Kind::kEd25519 ? GNUTLS_DIG_SHA512 : eddsa ? GNUTLS_DIG_SHAKE_256 : GNUTLS_DIG_SHA256;
    check(gnutls_x509_crt_sign2(certificate_, certificate_, key_, hash, 0), "signature");
  }
  ~Certificate() {
    gnutls_x509_crt_deinit(certificate_);
    gnutls_x509_privkey_deinit(key_);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  base::Bytes der() const {
    gnutls_datum_t out{};
    check(gnutls_x509_crt_export2(certificate_, GNUTLS_X509_FMT_DER, &out), "export");
    const base::Bytes copy(out.data, out.data + out.size);
    gnutls_free(out.data);
    return copy;
  }
  // The private key.
  base::Bytes pkcs8() const {
    gnutls_datum_t out{};
    check(gnutls_x509_privkey_export2_pkcs8(key_, GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN, &out), "key export");
    const base::Bytes copy(out.data, out.data + out.size);
    gnutls_free(out.data);
    return copy;
  }
  // Only for Ed25519.
  identity::PublicKey public_key() const {
    gnutls_datum_t x{}, y{};
    gnutls_ecc_curve_t curve;
    check(gnutls_x509_crt_get_pk_ecc_raw(certificate_, &curve, &x, &y), "raw key");
    identity::PublicKey out{};
    std::memcpy(out.data(), x.data, out.size());
    gnutls_free(x.data);
    gnutls_free(y.data);
    return out;
  }
  // As a chain of so many times the same.
  void put_into(gnutls_certificate_credentials_t credentials, std::size_t times = 1) {
    if (times == 1) {
      return check(gnutls_certificate_set_x509_key(credentials, &certificate_, 1, key_), "credentials");
    }
    std::vector<gnutls_pcert_st> chain(times);
    for (auto& one : chain) check(gnutls_pcert_import_x509(&one, certificate_, 0), "chain");
    gnutls_privkey_t signer = nullptr;
    check(gnutls_privkey_init(&signer), "signer");
    check(gnutls_privkey_import_x509(signer, key_, GNUTLS_PRIVKEY_IMPORT_COPY), "signer");
    check(gnutls_certificate_set_key(credentials, nullptr, 0, chain.data(), static_cast<int>(times), signer),
          "credentials");
  }

 private:
  gnutls_x509_privkey_t key_ = nullptr;
  gnutls_x509_crt_t certificate_ = nullptr;
};

// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
inline base::Bytes subject_key_info(const identity::PublicKey& key) {
  base::Bytes out = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  out.insert(out.end(), key.begin(), key.end());
  return out;
}

}  // namespace atlas::hostile
