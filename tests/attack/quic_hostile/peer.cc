#include "attack/quic_hostile/peer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "quic/path.h"

namespace atlas::hostile {
namespace {

// The library's encrypt callback knows no connection: this is the one that is writing.
Peer* writing = nullptr;

constexpr std::size_t kPiece = 600;  // of stream data in a packet, so that there is room for frames
constexpr std::size_t kLeastPiece = 20;
const std::uint8_t kData[kPiece] = {};

// RFC 9000, section 18.2: preferred_address.
void prefer(ngtcp2_transport_params& params, const net::SocketAddress& address, base::Random& random) {
#if ATLAS_NGTCP2_0
  auto& preferred = params.preferred_address;
  params.preferred_address_present = 1;
#else
  auto& preferred = params.preferred_addr;
  params.preferred_addr_present = 1;
#endif
  sockaddr_storage storage{};
  address.to(storage);
  std::memcpy(&preferred.ipv4, &storage, sizeof preferred.ipv4);
  preferred.ipv4_present = 1;
  preferred.cid.datalen = 8;
  random.fill({preferred.cid.data, 8});
  random.fill(preferred.stateless_reset_token);
}

Peer& peer_of(gnutls_session_t session) {
  return *static_cast<Peer*>(static_cast<ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session))->user_data);
}

constexpr int kStuffing = 0xff77;  // for private use (RFC 8446, section 11)

int skip_stuffing(gnutls_session_t, const unsigned char*, std::size_t) {
  return 0;
}

}  // namespace

struct PeerCallbacks {
  static Peer& self(void* user) { return *static_cast<Peer*>(user); }

  static int encrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
                     const std::uint8_t* plain, std::size_t length, const std::uint8_t* nonce, std::size_t nonce_length,
                     const std::uint8_t* extra, std::size_t extra_length) {
    base::Bytes changed;
    const bool is_short = extra_length > 0 && (extra[0] & 0x80) == 0;
    if (is_short && writing != nullptr && !writing->pending_.empty() && writing->pending_.front().size() <= length) {
      changed = std::move(writing->pending_.front());
      writing->pending_.pop_front();
      ++writing->injected_;
      changed.resize(length);
      plain = changed.data();
    }
    if (!is_short && writing != nullptr && writing->options_.first.size() <= length &&
        !writing->options_.first.empty()) {
      changed = std::exchange(writing->options_.first, {});
      changed.resize(length);
      plain = changed.data();
    }
    return quic::PacketKeys::encrypt(out, aead, context, plain, length, nonce, nonce_length, extra, extra_length);
  }

  static int send_stuffing(gnutls_session_t session, gnutls_buffer_t out) {
    const base::Bytes bytes(peer_of(session).options_.padding);
    const int code = gnutls_buffer_append_data(out, bytes.data(), bytes.size());
    return code < 0 ? code : static_cast<int>(bytes.size());
  }

  static int handshake_completed(ngtcp2_conn*, void* user) {
    self(user).completed_ = true;
    return 0;
  }

  static int received(ngtcp2_conn* conn, std::uint32_t, std::int64_t id, std::uint64_t, const std::uint8_t*,
                      std::size_t length, void* user, void*) {
    self(user).received_ += length;
    ngtcp2_conn_extend_max_stream_offset(conn, id, length);
    ngtcp2_conn_extend_max_offset(conn, length);
    return 0;
  }

  static void random_bytes(std::uint8_t* out, std::size_t length, const ngtcp2_rand_ctx* context) {
    static_cast<base::Random*>(context->native_handle)->fill({out, length});
  }

  static int new_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t length, void* user) {
    base::Bytes bytes(length + NGTCP2_STATELESS_RESET_TOKENLEN);
    self(user).node_.random().fill(bytes);
    ngtcp2_cid_init(id, bytes.data(), length);
    std::copy_n(bytes.data() + length, NGTCP2_STATELESS_RESET_TOKENLEN, token);
    return 0;
  }

  static int update_key(ngtcp2_conn* conn, std::uint8_t* rx_secret, std::uint8_t* tx_secret, ngtcp2_crypto_aead_ctx* rx,
                        std::uint8_t* rx_iv, ngtcp2_crypto_aead_ctx* tx, std::uint8_t* tx_iv,
                        const std::uint8_t* current_rx, const std::uint8_t* current_tx, std::size_t length,
                        void* user) {
    Peer& peer = self(user);
    if (peer.options_.keys == nullptr) {
      return ngtcp2_crypto_update_key_cb(conn, rx_secret, tx_secret, rx, rx_iv, tx, tx_iv, current_rx, current_tx,
                                         length, user);
    }
    const bool done = peer.options_.keys->update(conn, rx_secret, tx_secret, rx, rx_iv, tx, tx_iv, {current_rx, length},
                                                 {current_tx, length}, &peer.guard_);
    return done ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
  }

  static int install_secrets(gnutls_session_t session, gnutls_record_encryption_level_t gtls_level, const void* read,
                             const void* write, std::size_t length) {
    Peer& peer = peer_of(session);
    const auto level = ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(gtls_level);
    const auto* rx = static_cast<const std::uint8_t*>(read);
    const auto* tx = static_cast<const std::uint8_t*>(write);
    if (peer.options_.keys != nullptr && level == NGTCP2_ENCRYPTION_LEVEL_1RTT) {
      const bool done = peer.options_.keys->install(peer.conn_, {rx, rx == nullptr ? 0 : length},
                                                    {tx, tx == nullptr ? 0 : length}, &peer.guard_);
      return done ? 0 : -1;
    }
    if (rx != nullptr &&
        ngtcp2_crypto_derive_and_install_rx_key(peer.conn_, nullptr, nullptr, nullptr, level, rx, length) != 0) {
      return -1;
    }
    if (tx != nullptr &&
        ngtcp2_crypto_derive_and_install_tx_key(peer.conn_, nullptr, nullptr, nullptr, level, tx, length) != 0) {
      return -1;
    }
    return 0;
  }

  static ngtcp2_callbacks table(bool listener) {
    ngtcp2_callbacks out{};
    if (listener) {
      out.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
      out.client_initial = ngtcp2_crypto_client_initial_cb;
      out.recv_retry = ngtcp2_crypto_recv_retry_cb;
    }
    out.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    out.handshake_completed = handshake_completed;
    out.encrypt = encrypt;
    out.decrypt = quic::PacketKeys::decrypt;
    out.hp_mask = quic::PacketKeys::mask;
    out.update_key = update_key;
    out.delete_crypto_aead_ctx = quic::PacketKeys::drop_aead;
    out.delete_crypto_cipher_ctx = quic::PacketKeys::drop_cipher;
    out.recv_stream_data = received;
    out.rand = random_bytes;
    out.get_new_connection_id = new_id;
    out.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
    out.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    return out;
  }
};

Peer::Peer(sim::SimNode& node, Options options) : node_(node), options_(std::move(options)) {
  net::UdpEvents events;
  events.on_datagrams = [this](const net::ReceivedBatch& batch) { on_datagrams(batch); };
  socket_ = std::move(node.loop().open_udp(node.at(0), {}, std::move(events)).value());
  timer_ = node.loop().make_timer([this] {
    if (over_ || conn_ == nullptr) return;
    if (ngtcp2_conn_handle_expiry(conn_, node_.clock().mono_ns()) != 0) {
      over_ = true;
    } else {
      write();
    }
  });
  reference_.user_data = this;
  reference_.get_conn = [](ngtcp2_crypto_conn_ref* reference) {
    return static_cast<Peer*>(reference->user_data)->conn_;
  };
}

Peer::~Peer() {
  ngtcp2_conn_del(conn_);
  if (session_ != nullptr) gnutls_deinit(session_);
  if (credentials_ != nullptr) gnutls_certificate_free_credentials(credentials_);
}

void Peer::dial(const net::SocketAddress& remote) {
  begin(false, remote, nullptr);
  write();
}

void Peer::inject(base::Bytes frames) {
  const std::size_t piece = std::min(std::max(frames.size(), kLeastPiece), kPiece);
  pending_.push_back(std::move(frames));
  send(piece);
}

void Peer::send(std::size_t bytes) {
  to_send_ += bytes;
  if (conn_ != nullptr && !over_) write();
}

void Peer::send_raw(const net::SocketAddress& to, base::ByteView datagram) {
  const net::SendBatch batch{to, {}, 0, datagram, datagram.size()};
  socket_->send({&batch, 1});
}

bool Peer::update_keys() {
  return ngtcp2_conn_initiate_key_update(conn_, node_.clock().mono_ns()) == 0;
}

void Peer::begin(bool listener, const net::SocketAddress& remote, const ngtcp2_pkt_hd* initial) {
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = node_.clock().mono_ns();
  settings.rand_ctx.native_handle = &node_.random();
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  params.initial_max_data = 1 << 20;
  params.initial_max_stream_data_bidi_local = params.initial_max_stream_data_bidi_remote = 1 << 20;
  params.initial_max_streams_bidi = 100;
  params.active_connection_id_limit = 8;
  ngtcp2_cid id{}, first{};
  id.datalen = first.datalen = 8;
  node_.random().fill({id.data, 8});
  node_.random().fill({first.data, 8});
  if (initial != nullptr) quic::ng::set_original_dcid(params, initial->dcid);
  if (listener && options_.preferred) prefer(params, *options_.preferred, node_.random());
  const ngtcp2_callbacks callbacks = PeerCallbacks::table(listener);
  const quic::Path path(address(), remote);
  check(listener ? ngtcp2_conn_server_new(&conn_, &initial->scid, &id, path.get(), NGTCP2_PROTO_VER_V1, &callbacks,
                                          &settings, &params, nullptr, this)
                 : ngtcp2_conn_client_new(&conn_, &first, &id, path.get(), NGTCP2_PROTO_VER_V1, &callbacks, &settings,
                                          &params, nullptr, this),
        "connection");
  begin_tls(listener);
}

void Peer::begin_tls(bool listener) {
  check(gnutls_init(&session_, (listener ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS), "session");
  check(gnutls_priority_set_direct(session_, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+SIGN-EDDSA-ED25519:+SIGN-EDDSA-ED448",
                                   nullptr),
        "priorities");
  check(gnutls_certificate_allocate_credentials(&credentials_), "credentials");
  if (options_.certificate != nullptr) options_.certificate->put_into(credentials_, options_.chain);
  check(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_), "credentials");
  const gnutls_datum_t alpn{reinterpret_cast<unsigned char*>(options_.alpn.data()),
                            static_cast<unsigned>(options_.alpn.size())};
  check(gnutls_alpn_set_protocols(session_, &alpn, 1, 0), "protocols");
  if (options_.padding > 0) {
    check(gnutls_session_ext_register(session_, "stuffing", kStuffing, GNUTLS_EXT_TLS, skip_stuffing,
                                      PeerCallbacks::send_stuffing, nullptr, nullptr, nullptr,
                                      GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_TLS),
          "extension");
  }
  gnutls_session_set_ptr(session_, &reference_);
  check(listener ? ngtcp2_crypto_gnutls_configure_server_session(session_)
                 : ngtcp2_crypto_gnutls_configure_client_session(session_),
        "session");
  gnutls_handshake_set_secret_function(session_, PeerCallbacks::install_secrets);
  ngtcp2_conn_set_tls_native_handle(conn_, session_);
}

void Peer::on_datagrams(const net::ReceivedBatch& batch) {
  const std::size_t segment = batch.segment == 0 ? batch.data.size() : batch.segment;
  for (std::size_t at = 0; at < batch.data.size(); at += segment) {
    const base::ByteView datagram = batch.data.subspan(at, std::min(segment, batch.data.size() - at));
    if (conn_ == nullptr) {
      ngtcp2_pkt_hd initial{};
      if (ngtcp2_accept(&initial, datagram.data(), datagram.size()) != 0) continue;
      begin(true, batch.remote, &initial);
    }
    if (!over_) read(batch.remote, datagram);
  }
  if (conn_ != nullptr && !over_) write();
}

void Peer::read(const net::SocketAddress& remote, base::ByteView datagram) {
  const quic::Path path(address(), remote);
  const ngtcp2_pkt_info info{};
  const int result =
      ngtcp2_conn_read_pkt(conn_, path.get(), &info, datagram.data(), datagram.size(), node_.clock().mono_ns());
  if (result == 0) return;
  over_ = true;
  if (result == NGTCP2_ERR_DRAINING) closed_ = quic::ng::peer_close(conn_);
}

void Peer::write() {
  const base::MonoNs now = node_.clock().mono_ns();
  writing = this;
  bool blocked = false;
  for (;;) {
    if (stream_ < 0 && to_send_ > 0 && (completed_ || options_.early)) {
      if (ngtcp2_conn_open_bidi_stream(conn_, &stream_, nullptr) != 0) stream_ = -1;
    }
    std::uint8_t packet[1452];
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const bool data = stream_ >= 0 && to_send_ > 0 && !blocked;
    // What is put in place of data is never received as such, and brings no credit for more: little goes a long way.
    const std::size_t most = pending_.empty() ? kPiece : std::max(pending_.front().size(), kLeastPiece);
    ngtcp2_vec piece{const_cast<std::uint8_t*>(kData), std::min({to_send_, kPiece, most})};
    ngtcp2_ssize accepted = -1;
    const ngtcp2_ssize length =
        ngtcp2_conn_writev_stream(conn_, &path.path, &info, packet, sizeof packet, &accepted, 0, data ? stream_ : -1,
                                  data ? &piece : nullptr, data ? 1 : 0, now);
    if (accepted > 0) to_send_ -= static_cast<std::size_t>(accepted);
    if (length == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
      blocked = true;
      continue;
    }
    if (length == NGTCP2_ERR_STREAM_SHUT_WR || length == NGTCP2_ERR_STREAM_NOT_FOUND) {
      to_send_ = 0;
      continue;
    }
    if (length < 0) over_ = true;
    if (length <= 0) break;
    const net::SendBatch batch{quic::address_of(path.path.remote),
                               {},
                               0,
                               {packet, static_cast<std::size_t>(length)},
                               static_cast<std::size_t>(length)};
    (outlet_ == nullptr ? socket_.get() : outlet_)->send({&batch, 1});
  }
  writing = nullptr;
  if (!over_ && quic::ng::may_pace(completed_)) ngtcp2_conn_update_pkt_tx_time(conn_, now);
  arm();
}

void Peer::arm() {
  if (over_) return;
  const base::MonoNs expiry = ngtcp2_conn_get_expiry(conn_);
  timer_->arm(expiry == base::kNever ? base::kNever : std::max(expiry, node_.clock().mono_ns() + base::kMillisecond));
}

}  // namespace atlas::hostile
