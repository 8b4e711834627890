#include "quic/tls.h"

#include <gnutls/x509.h>

#include <cstring>
#include <vector>

#include "base/log.h"

namespace atlas::quic {
namespace {

using base::Fault;

// AES first: ChaCha20 in GnuTLS costs fourteen times as much on machines with AES instructions.
constexpr const char* kPriority =
    "NONE:+VERS-TLS1.3:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:+GROUP-X25519:+SIGN-EDDSA-ED25519:+COMP-NULL:"
    "+CTYPE-X509:%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE";

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

int after_client_hello(gnutls_session_t session) {
  const TlsCredentials* credentials = user_of(session).choose_protocol(chosen_protocol(session));
  if (credentials == nullptr) return GNUTLS_E_NO_APPLICATION_PROTOCOL;
  return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials->handle());
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
  const int code = gnutls_priority_init(&out->priority_, kPriority, &at);
  if (code != 0) return std::unexpected(tls_error("priorities", code));
  return out;
}

TlsContext::~TlsContext() {
  if (priority_ != nullptr) gnutls_priority_deinit(priority_);
}

TlsSession TlsContext::open(TlsUser& user, unsigned flags, std::span<const std::string> alpns) const {
  gnutls_session_t raw = nullptr;
  if (gnutls_init(&raw, flags | GNUTLS_NO_TICKETS) != 0) return nullptr;
  TlsSession session(raw);
  std::vector<gnutls_datum_t> names;
  for (const std::string& alpn : alpns) names.push_back(datum(base::as_bytes(alpn)));
  if (gnutls_priority_set(raw, priority_) != 0 ||
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
  TlsSession session = open(user, GNUTLS_SERVER, alpns);
  if (session == nullptr) return nullptr;
  gnutls_certificate_server_set_request(session.get(), GNUTLS_CERT_REQUIRE);
  gnutls_certificate_send_x509_rdn_sequence(session.get(), 1);  // 1: do not send it, we trust no CA
  gnutls_handshake_set_post_client_hello_function(session.get(), after_client_hello);
  return session;
}

TlsSession TlsContext::dialler(TlsUser& user, const std::string& alpn, const TlsCredentials& credentials) const {
  TlsSession session = open(user, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT, {&alpn, 1});
  if (session == nullptr) return nullptr;
  if (gnutls_credentials_set(session.get(), GNUTLS_CRD_CERTIFICATE, credentials.handle()) != 0) return nullptr;
  return session;
}

}  // namespace atlas::quic
