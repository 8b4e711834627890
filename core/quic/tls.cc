#include "quic/tls.h"

#include <gnutls/x509.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "quic/endpoint.h"

namespace atlas::quic {
namespace {

using base::Fault;

// AES first: ChaCha20 in GnuTLS costs fourteen times as much on machines with AES instructions.
constexpr const char* kPriority =
    "NONE:+VERS-TLS1.3:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:+GROUP-X25519:+SIGN-EDDSA-ED25519:+COMP-NULL:"
    "+CTYPE-X509:%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE";

// Other protocols: the same ciphers, more kinds of keys.
constexpr const char* kOtherPriority =
    "NONE:+VERS-TLS1.3:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:"
    "+SIGN-EDDSA-ED25519:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:"
    "+SIGN-RSA-PSS-RSAE-SHA512:+COMP-NULL:+CTYPE-X509:%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE";

constexpr std::size_t kMostCertificates = base::limits::quic_chain_certificates;
constexpr std::size_t kMostChainBytes = base::limits::quic_chain_bytes;
constexpr unsigned kLeastRsaBits = 2048;

base::Error tls_error(const char* what, int code) {
  return {Fault::kInternal, fmt::format("TLS: {}: {}", what, gnutls_strerror(code))};
}

gnutls_datum_t datum(base::ByteView bytes) {
  return {const_cast<std::uint8_t*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

TlsUser& user_of(gnutls_session_t session) {
  const auto* reference = static_cast<const ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session));
  return *static_cast<TlsUser*>(reference->user_data);
}

int sign(gnutls_privkey_t, gnutls_sign_algorithm_t algorithm, void* user, unsigned, const gnutls_datum_t* data,
         gnutls_datum_t* signature) {
  if (algorithm != GNUTLS_SIGN_EDDSA_ED25519) return GNUTLS_E_UNWANTED_ALGORITHM;
  const identity::Signature made = static_cast<const identity::NodeKey*>(user)->sign({data->data, data->size});
  signature->data = static_cast<unsigned char*>(gnutls_malloc(made.size()));
  if (signature->data == nullptr) return GNUTLS_E_MEMORY_ERROR;
  std::memcpy(signature->data, made.data(), made.size());
  signature->size = static_cast<unsigned>(made.size());
  return 0;
}

int describe_key(gnutls_privkey_t, unsigned flags, void*) {
  if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) return GNUTLS_PK_EDDSA_ED25519;
  if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) return 256;
  if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
    return GNUTLS_FLAGS_TO_SIGN_ALGO(flags) == GNUTLS_SIGN_EDDSA_ED25519 ? 1 : 0;
  }
  return -1;
}

std::string_view chosen_protocol(gnutls_session_t session) {
  gnutls_datum_t alpn{};
  if (gnutls_alpn_get_selected_protocol(session, &alpn) != 0) return {};
  return base::as_text({alpn.data, alpn.size});
}

// Of another protocol: who that is, is decided above.
int verify_chain(TlsUser& user, std::span<const gnutls_datum_t> chain) {
  if (chain.empty() && user.needs_client_certificate()) {
    user.refuse_certificate("no certificate");
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  std::size_t bytes = 0;
  std::vector<base::Bytes> out;
  for (const gnutls_datum_t& one : chain) {
    bytes += one.size;
    if (out.size() == kMostCertificates || bytes > kMostChainBytes) {
      user.refuse_certificate("the certificate chain is too long");
      return GNUTLS_E_CERTIFICATE_ERROR;
    }
    out.emplace_back(one.data, one.data + one.size);
  }
  user.accept_chain(std::move(out));
  return 0;
}

int verify(gnutls_session_t session) {
  TlsUser& user = user_of(session);
  // GnuTLS insists on a common protocol in listeners only; a dialler has to look (RFC 9001, 8.1).
  const std::string_view dialled = user.dialled_protocol();
  if (!dialled.empty() && chosen_protocol(session) != dialled) return GNUTLS_E_NO_APPLICATION_PROTOCOL;
  if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509) {
    user.refuse_certificate("not an X.509 certificate");
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  unsigned count = 0;
  const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
  if (!user.between_nodes()) return verify_chain(user, {chain, chain == nullptr ? 0 : count});
  if (chain == nullptr || count == 0) {
    user.refuse_certificate("no certificate");
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  const auto key = certificate_key({chain[0].data, chain[0].size});
  if (!key) {
    user.refuse_certificate(key.error().text);
    return GNUTLS_E_CERTIFICATE_ERROR;
  }
  return user.accept_key(*key) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

// Takes the place of ngtcp2's own function: 1-RTT keys are ours, the rest is the helper's.
int install_secrets(gnutls_session_t session, gnutls_record_encryption_level_t gtls_level, const void* read,
                    const void* write, std::size_t length) {
  TlsUser& user = user_of(session);
  const auto* rx = static_cast<const std::uint8_t*>(read);
  const auto* tx = static_cast<const std::uint8_t*>(write);
  const ngtcp2_encryption_level level = ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(gtls_level);
  if (level == NGTCP2_ENCRYPTION_LEVEL_1RTT) {
    const base::ByteView rx_secret(rx, rx == nullptr ? 0 : length), tx_secret(tx, tx == nullptr ? 0 : length);
    return user.install_application_keys(rx_secret, tx_secret) ? 0 : -1;
  }
  ngtcp2_conn* conn = user.transport();
  if (rx != nullptr &&
      ngtcp2_crypto_derive_and_install_rx_key(conn, nullptr, nullptr, nullptr, level, rx, length) != 0) {
    return -1;
  }
  if (tx != nullptr &&
      ngtcp2_crypto_derive_and_install_tx_key(conn, nullptr, nullptr, nullptr, level, tx, length) != 0) {
    return -1;
  }
  return 0;
}

struct CertificateDelete {
  void operator()(gnutls_x509_crt_t certificate) const { gnutls_x509_crt_deinit(certificate); }
};
using Certificate = std::unique_ptr<gnutls_x509_crt_int, CertificateDelete>;

struct PrivateKeyDelete {
  void operator()(gnutls_x509_privkey_t key) const { gnutls_x509_privkey_deinit(key); }
};
using PrivateKey = std::unique_ptr<gnutls_x509_privkey_int, PrivateKeyDelete>;

base::Result<PrivateKey> read_key(base::ByteView pkcs8) {
  gnutls_x509_privkey_t raw = nullptr;
  if (gnutls_x509_privkey_init(&raw) != 0) return base::fail(Fault::kInternal, "out of memory");
  PrivateKey key(raw);
  const gnutls_datum_t data = datum(pkcs8);
  if (gnutls_x509_privkey_import_pkcs8(raw, &data, GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN) != 0) {
    return base::fail(Fault::kArgument, "the key is no PKCS #8 in DER");
  }
  unsigned bits = 0;
  switch (gnutls_x509_privkey_get_pk_algorithm2(raw, &bits)) {
    case GNUTLS_PK_EDDSA_ED25519:
      return key;
    case GNUTLS_PK_RSA:
      if (bits >= kLeastRsaBits) return key;
      break;
    case GNUTLS_PK_ECDSA: {
      gnutls_ecc_curve_t curve{};
      const int code = gnutls_x509_privkey_export_ecc_raw(raw, &curve, nullptr, nullptr, nullptr);
      if (code == 0 && curve == GNUTLS_ECC_CURVE_SECP256R1) return key;
      break;
    }
    default:
      break;
  }
  return base::fail(Fault::kArgument, "the key is none of Ed25519, ECDSA with P-256, RSA of 2048 bits and more");
}

// The same key in both?
bool belongs_to(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key) {
  std::uint8_t one[32], other[32];
  std::size_t one_size = sizeof one, other_size = sizeof other;
  return gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, one, &one_size) == 0 &&
         gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, other, &other_size) == 0 &&
         std::ranges::equal(std::span(one, one_size), std::span(other, other_size));
}

}  // namespace

base::Result<identity::PublicKey> certificate_key(base::ByteView der) {
  gnutls_x509_crt_t raw = nullptr;
  if (gnutls_x509_crt_init(&raw) != 0) return base::fail(Fault::kInternal, "out of memory");
  const Certificate certificate(raw);
  const gnutls_datum_t data = datum(der);
  if (gnutls_x509_crt_import(raw, &data, GNUTLS_X509_FMT_DER) != 0) {
    return base::fail(Fault::kDenied, "certificate does not parse");
  }
  if (gnutls_x509_crt_get_pk_algorithm(raw, nullptr) != GNUTLS_PK_EDDSA_ED25519) {
    return base::fail(Fault::kDenied, "certificate of a key that is not Ed25519");
  }
  gnutls_ecc_curve_t curve;
  gnutls_datum_t x{}, y{};
  if (gnutls_x509_crt_get_pk_ecc_raw(raw, &curve, &x, &y) != 0) {
    return base::fail(Fault::kDenied, "certificate without a readable key");
  }
  identity::PublicKey key{};
  const bool right = curve == GNUTLS_ECC_CURVE_ED25519 && x.size == key.size();
  if (right) std::memcpy(key.data(), x.data, key.size());
  gnutls_free(x.data);
  gnutls_free(y.data);
  if (!right) return base::fail(Fault::kDenied, "certificate of a key that is not Ed25519");
  if (!identity::is_acceptable(key)) return base::fail(Fault::kDenied, "certificate of a key that no honest node has");
  return key;
}

base::Result<std::unique_ptr<TlsCredentials>> TlsCredentials::make(const identity::NodeKey& key) {
  std::unique_ptr<TlsCredentials> out(new TlsCredentials);
  int code = gnutls_certificate_allocate_credentials(&out->handle_);
  if (code != 0) return std::unexpected(tls_error("credentials", code));
  gnutls_pcert_st certificate;
  const gnutls_datum_t der = datum(key.certificate());
  code = gnutls_pcert_import_x509_raw(&certificate, &der, GNUTLS_X509_FMT_DER, 0);
  if (code != 0) return std::unexpected(tls_error("own certificate", code));
  gnutls_privkey_t signer = nullptr;
  code = gnutls_privkey_init(&signer);
  if (code == 0) {
    code = gnutls_privkey_import_ext4(signer, const_cast<identity::NodeKey*>(&key), sign, nullptr, nullptr, nullptr,
                                      describe_key, 0);
    // On success the credentials own both the certificate and the signer.
    if (code == 0) code = gnutls_certificate_set_key(out->handle_, nullptr, 0, &certificate, 1, signer);
    if (code >= 0) return out;
    gnutls_privkey_deinit(signer);
  }
  gnutls_pcert_deinit(&certificate);
  return std::unexpected(tls_error("own key", code));
}

base::Result<std::unique_ptr<TlsCredentials>> TlsCredentials::make(std::span<const base::ByteView> chain,
                                                                   base::ByteView pkcs8) {
  std::size_t bytes = 0;
  for (const base::ByteView one : chain) bytes += one.size();
  if (chain.empty() || chain.size() > kMostCertificates || bytes > kMostChainBytes) {
    return base::fail(Fault::kArgument, fmt::format("a chain has 1 to {} certificates and at most {} bytes",
                                                    kMostCertificates, kMostChainBytes));
  }
  auto key = read_key(pkcs8);
  if (!key) return std::unexpected(key.error());
  std::vector<Certificate> owned;
  std::vector<gnutls_x509_crt_t> certificates;
  for (const base::ByteView one : chain) {
    gnutls_x509_crt_t raw = nullptr;
    if (gnutls_x509_crt_init(&raw) != 0) return base::fail(Fault::kInternal, "out of memory");
    owned.emplace_back(raw);
    certificates.push_back(raw);
    const gnutls_datum_t data = datum(one);
    if (gnutls_x509_crt_import(raw, &data, GNUTLS_X509_FMT_DER) != 0) {
      return base::fail(Fault::kArgument, fmt::format("certificate {} of the chain does not parse", owned.size()));
    }
  }
  if (!belongs_to(certificates.front(), key->get())) {
    return base::fail(Fault::kArgument, "the key is not the first certificate's");
  }
  return make(certificates, key->get());
}

// As given: the shorter way of GnuTLS would sort the chain and leave out what it does not understand.
base::Result<std::unique_ptr<TlsCredentials>> TlsCredentials::make(std::span<const gnutls_x509_crt_t> certificates,
                                                                   gnutls_x509_privkey_t key) {
  std::unique_ptr<TlsCredentials> out(new TlsCredentials);
  int code = gnutls_certificate_allocate_credentials(&out->handle_);
  if (code != 0) return std::unexpected(tls_error("credentials", code));
  std::vector<gnutls_pcert_st> list(certificates.size());
  std::size_t read = 0;
  while (code == 0 && read < list.size()) {
    code = gnutls_pcert_import_x509(&list[read], certificates[read], 0);
    if (code == 0) ++read;
  }
  gnutls_privkey_t signer = nullptr;
  if (code == 0) code = gnutls_privkey_init(&signer);
  if (code == 0) code = gnutls_privkey_import_x509(signer, key, GNUTLS_PRIVKEY_IMPORT_COPY);
  if (code == 0) {
    code = gnutls_certificate_set_key(out->handle_, nullptr, 0, list.data(), static_cast<int>(list.size()), signer);
    if (code >= 0) return out;  // which owns the certificates and the signer
  }
  if (signer != nullptr) gnutls_privkey_deinit(signer);
  for (std::size_t i = 0; i < read; ++i) gnutls_pcert_deinit(&list[i]);
  return std::unexpected(tls_error("certificate and key", code));
}

base::Result<CredentialsPtr> make_credentials(std::span<const base::ByteView> chain, base::ByteView key) {
  auto made = TlsCredentials::make(chain, key);
  if (!made) return std::unexpected(made.error());
  return CredentialsPtr(std::move(*made));
}

TlsCredentials::~TlsCredentials() {
  if (handle_ != nullptr) gnutls_certificate_free_credentials(handle_);
}

TlsUser::TlsUser() {
  reference_.get_conn = [](ngtcp2_crypto_conn_ref* reference) {
    return static_cast<TlsUser*>(reference->user_data)->transport();
  };
  reference_.user_data = this;
}

base::Result<std::unique_ptr<TlsContext>> TlsContext::make() {
  std::unique_ptr<TlsContext> out(new TlsContext);
  const char* at = nullptr;
  int code = gnutls_priority_init(&out->priority_, kPriority, &at);
  if (code == 0) code = gnutls_priority_init(&out->other_priority_, kOtherPriority, &at);
  if (code != 0) return std::unexpected(tls_error("priorities", code));
  return out;
}

TlsContext::~TlsContext() {
  if (priority_ != nullptr) gnutls_priority_deinit(priority_);
  if (other_priority_ != nullptr) gnutls_priority_deinit(other_priority_);
}

int TlsContext::after_client_hello(gnutls_session_t session) {
  TlsUser& user = user_of(session);
  const TlsCredentials* credentials = user.choose_protocol(chosen_protocol(session));
  if (credentials == nullptr) return GNUTLS_E_NO_APPLICATION_PROTOCOL;
  if (!user.between_nodes()) {
    const int code = gnutls_priority_set(session, user.context_->other_priority_);
    if (code != 0) return code;
    gnutls_certificate_server_set_request(session,
                                          user.needs_client_certificate() ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
  }
  return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials->handle());
}

TlsSession TlsContext::open(TlsUser& user, unsigned flags, std::span<const std::string> alpns,
                            gnutls_priority_t priority) const {
  gnutls_session_t raw = nullptr;
  if (gnutls_init(&raw, flags | GNUTLS_NO_TICKETS) != 0) return nullptr;
  TlsSession session(raw);
  std::vector<gnutls_datum_t> names;
  for (const std::string& alpn : alpns) names.push_back(datum(base::as_bytes(alpn)));
  user.context_ = this;
  if (gnutls_priority_set(raw, priority) != 0 ||
      gnutls_alpn_set_protocols(raw, names.data(), static_cast<unsigned>(names.size()), GNUTLS_ALPN_MANDATORY) != 0) {
    return nullptr;
  }
  gnutls_session_set_ptr(raw, &user.reference_);
  gnutls_session_set_verify_function(raw, verify);
  const int configured = (flags & GNUTLS_SERVER) != 0 ? ngtcp2_crypto_gnutls_configure_server_session(raw)
                                                      : ngtcp2_crypto_gnutls_configure_client_session(raw);
  if (configured != 0) return nullptr;
  gnutls_handshake_set_secret_function(raw, install_secrets);
  return session;
}

TlsSession TlsContext::listener(TlsUser& user, std::span<const std::string> alpns) const {
  TlsSession session = open(user, GNUTLS_SERVER, alpns, priority_);
  if (session == nullptr) return nullptr;
  gnutls_certificate_server_set_request(session.get(), GNUTLS_CERT_REQUIRE);
  gnutls_certificate_send_x509_rdn_sequence(session.get(), 1);  // 1: do not send it, we trust no CA
  gnutls_handshake_set_post_client_hello_function(session.get(), after_client_hello);
  return session;
}

TlsSession TlsContext::dialler(TlsUser& user, const std::string& alpn, const TlsCredentials& credentials,
                               const std::string& server_name) const {
  TlsSession session = open(user, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT, {&alpn, 1},
                            user.between_nodes() ? priority_ : other_priority_);
  if (session == nullptr) return nullptr;
  if (!server_name.empty() &&
      gnutls_server_name_set(session.get(), GNUTLS_NAME_DNS, server_name.data(), server_name.size()) != 0) {
    return nullptr;
  }
  if (gnutls_credentials_set(session.get(), GNUTLS_CRD_CERTIFICATE, credentials.handle()) != 0) return nullptr;
  return session;
}

}  // namespace atlas::quic
