// TLS 1.3 for QUIC with GnuTLS: one certificate a node, asked for and checked on both sides, nothing resumed.
//
// Who a peer is comes out of its parsed certificate only. Loop thread; the context outlives every session made of it,
// and a session must not be destroyed while GnuTLS is on the stack (inside a callback).
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/node_key.h"
#include "quic/compat.h"

namespace atlas::quic {

// The key of a DER certificate: an Ed25519 key that an honest node could have (A12). The error is a line for the log.
base::Result<identity::PublicKey> certificate_key(base::ByteView der);

// A certificate chain with its signing key: of a node, whose key stays where it is, or of another protocol.
class TlsCredentials {
 public:
  static base::Result<std::unique_ptr<TlsCredentials>> make(const identity::NodeKey& key);
  static base::Result<std::unique_ptr<TlsCredentials>> make(std::span<const base::ByteView> chain,
                                                            base::ByteView pkcs8);
  ~TlsCredentials();
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  gnutls_certificate_credentials_t handle() const { return handle_; }

 private:
  TlsCredentials() = default;
  static base::Result<std::unique_ptr<TlsCredentials>> make(std::span<const gnutls_x509_crt_t> certificates,
                                                            gnutls_x509_privkey_t key);
  gnutls_certificate_credentials_t handle_ = nullptr;
};

// The connection, as TLS sees it. All of it is called with the library on the stack.
class TlsContext;

class TlsUser {
 public:
  TlsUser();
  TlsUser(const TlsUser&) = delete;
  TlsUser& operator=(const TlsUser&) = delete;

  virtual ngtcp2_conn* transport() = 0;
  // The peer proves this key next; false refuses it (alert bad_certificate).
  virtual bool accept_key(const identity::PublicKey& key) = 0;
  // The certificate itself was no good.
  virtual void refuse_certificate(std::string why) = 0;
  // Dialler: the protocol that the listener must have agreed to. Empty for a listener.
  virtual std::string_view dialled_protocol() const = 0;
  // Listener: which protocol was chosen; null refuses.
  virtual const TlsCredentials* choose_protocol(std::string_view alpn) = 0;
  // Whether the chosen protocol is one of nodes. Else any chain is handed up instead of a key, and the listener may do
  // without one.
  virtual bool between_nodes() const = 0;
  virtual bool needs_client_certificate() const = 0;
  // The peer has proved the key of the first, in DER.
  virtual void accept_chain(std::vector<base::Bytes> chain) = 0;
  // Secrets of the 1-RTT keys; either may be empty.
  virtual bool install_application_keys(base::ByteView read, base::ByteView write) = 0;

 protected:
  ~TlsUser() = default;

 private:
  friend class TlsContext;
  ngtcp2_crypto_conn_ref reference_;  // what ngtcp2's helper expects behind the session
  const TlsContext* context_ = nullptr;
};

struct TlsSessionDelete {
  void operator()(gnutls_session_t session) const { gnutls_deinit(session); }
};
using TlsSession = std::unique_ptr<gnutls_session_int, TlsSessionDelete>;

class TlsContext {
 public:
  static base::Result<std::unique_ptr<TlsContext>> make();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Null when GnuTLS cannot (memory). `alpns` in order of preference; a listener gets its credentials when the protocol
  // has been chosen.
  TlsSession listener(TlsUser& user, std::span<const std::string> alpns) const;
  // `server_name` may be empty.
  TlsSession dialler(TlsUser& user, const std::string& alpn, const TlsCredentials& credentials,
                     const std::string& server_name = {}) const;

 private:
  TlsContext() = default;
  TlsSession open(TlsUser& user, unsigned flags, std::span<const std::string> alpns, gnutls_priority_t priority) const;
  static int after_client_hello(gnutls_session_t session);

  gnutls_priority_t priority_ = nullptr;        // between nodes
  gnutls_priority_t other_priority_ = nullptr;  // of other protocols
};

}  // namespace atlas::quic
