// ngtcp2's callbacks: they note what happened. Only stream data is handed up from here, see connection.h.
#include <algorithm>

#include "quic/connection.h"

namespace atlas::quic {

struct Callbacks {
  static QuicConnection& self(void* user) { return *static_cast<QuicConnection*>(user); }

  static Stream* stream_of(QuicConnection& connection, std::int64_t id, void* stream_user) {
    return stream_user != nullptr ? static_cast<Stream*>(stream_user) : connection.find(id);
  }

  static int recv_crypto_data(ngtcp2_conn* conn, ngtcp2_encryption_level level, std::uint64_t offset,
                              const std::uint8_t* data, std::size_t length, void* user) {
    // After the handshake TLS has nothing to say to us (session tickets of a peer that has them on), and its session is
    // gone.
    if (self(user).completed_) return 0;
    return ngtcp2_crypto_recv_crypto_data_cb(conn, level, offset, data, length, user);
  }

  static int handshake_completed(ngtcp2_conn*, void* user) {
    QuicConnection& connection = self(user);
    // Where no certificate is needed and none came, TLS had nothing to ask.
    const bool without = connection.offer_ != nullptr && !connection.needs_client_certificate();
    if ((!connection.has_key_ && !without) || connection.offer_ == nullptr) return NGTCP2_ERR_CALLBACK_FAILURE;
    connection.completed_ = true;
    return 0;
  }

  static int stream_open(ngtcp2_conn*, std::int64_t id, void* user) {
    self(user).add_stream(id);
    return 0;
  }

  static int recv_stream_data(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t id, std::uint64_t,
                              const std::uint8_t* data, std::size_t length, void* user, void* stream_user) {
    QuicConnection& connection = self(user);
    Stream* stream = stream_of(connection, id, stream_user);
    if (stream == nullptr) return NGTCP2_ERR_CALLBACK_FAILURE;
    if (connection.completed_) connection.tell_connected();
    const bool unwanted = stream->reset_asked || stream->receiving.asked;
    if (connection.ending_ != nullptr || unwanted || !connection.told_connected_) {
      ngtcp2_conn_extend_max_offset(conn, length);  // nobody will read it
      return 0;
    }
    const bool fin = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;
    if (length == 0 && !fin) return 0;
    stream->unconsumed += length;
    stream->fin_received = fin;
    connection.offer_->protocol.events->on_data(connection, id, {data, length}, fin);
    return 0;
  }

  static int acked_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t length, void* user,
                               void* stream_user) {
    QuicConnection& connection = self(user);
    Stream* stream = stream_of(connection, id, stream_user);
    if (stream == nullptr) return 0;
    const std::size_t before = stream->out.unacknowledged();
    stream->out.mark_acknowledged(length);
    const std::size_t arrived = before - stream->out.unacknowledged();
    connection.unacknowledged_ -= arrived;
    if (stream->watched && arrived > 0) {
      if (stream->acknowledged == 0) {
        connection.worker_.events.push_back({StreamEvent::Kind::kAcknowledged, stream});
      }
      stream->acknowledged += arrived;
    }
    if (length == 0) stream->fin_acknowledged = true;
    note_written(connection, *stream);
    return 0;
  }

  static void note_written(QuicConnection& connection, Stream& stream) {
    if (stream.written_told || stream.reset_asked || stream.sending.asked || !stream.all_acknowledged()) return;
    stream.written_told = true;
    connection.worker_.events.push_back({StreamEvent::Kind::kWritten, &stream});
  }

  static int stream_reset(ngtcp2_conn*, std::int64_t id, std::uint64_t, std::uint64_t code, void* user,
                          void* stream_user) {
    QuicConnection& connection = self(user);
    Stream* stream = stream_of(connection, id, stream_user);
    if (stream != nullptr) connection.worker_.events.push_back({StreamEvent::Kind::kReset, stream, code});
    return 0;
  }

  static int stream_close(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t id, std::uint64_t, void* user,
                          void* stream_user) {
    QuicConnection& connection = self(user);
    Stream* stream = stream_of(connection, id, stream_user);
    if (ngtcp2_conn_is_local_stream(conn, id) == 0 && is_unidirectional(id)) {
      ++connection.unidirectional_over_;
      connection.mark_dirty();
    } else if (ngtcp2_conn_is_local_stream(conn, id) == 0) {
      if (stream != nullptr && stream->given_back) {
        --connection.streams_ahead_;
      } else {
        ++connection.streams_over_;
      }
    }
    if (stream == nullptr) return 0;
    // What was delivered and never consumed must not stay charged to the connection.
    connection.give_left(stream->take_left());
    // A lost FIN that travelled again with other data is acknowledged unnamed; the end of the stream tells.
    if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0 && stream->fin_sent) {
      stream->fin_acknowledged = true;
      note_written(connection, *stream);
    }
    connection.work_.remove(*stream);
    connection.worker_.events.push_back({StreamEvent::Kind::kClosed, stream});
    return 0;
  }

  static int extend_max_stream_data(ngtcp2_conn*, std::int64_t id, std::uint64_t, void* user, void* stream_user) {
    QuicConnection& connection = self(user);
    Stream* stream = stream_of(connection, id, stream_user);
    if (stream == nullptr) return 0;
    stream->window_closed = false;
    connection.list(*stream);
    return 0;
  }

  template <std::size_t Kind>
  static int extend_max_streams(ngtcp2_conn*, std::uint64_t most, void* user) {
    self(user).streams_allowed_[Kind] = most;
    self(user).streams_allowed_changed_ = true;
    return 0;
  }

  static int recv_stateless_reset(ngtcp2_conn*, const ngtcp2_pkt_stateless_reset*, void* user) {
    self(user).was_reset_ = true;
    return 0;
  }

  static void random_bytes(std::uint8_t* out, std::size_t length, const ngtcp2_rand_ctx* context) {
    static_cast<base::Random*>(context->native_handle)->fill({out, length});
  }

  static int path_challenge_data(ngtcp2_conn*, std::uint8_t* data, void* user) {
    self(user).worker_.random.fill({data, NGTCP2_PATH_CHALLENGE_DATALEN});
    return 0;
  }

  static int new_connection_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t length, void* user) {
    QuicConnection& connection = self(user);
    const ngtcp2_cid made = connection.make_id();
    if (length != made.datalen) return NGTCP2_ERR_CALLBACK_FAILURE;
    *id = made;
    std::ranges::copy(connection.worker_.stateless.reset_token(*id), token);
    connection.claim_id(made);
    return 0;
  }

  static int remove_connection_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    QuicConnection& connection = self(user);
    if (id->datalen != kIdLength) return 0;  // of a route: its prefix stays for as long as the connection
    ServerId gone;
    std::copy_n(id->data, kIdLength, gone.begin());
    connection.worker_.ids.erase(gone, &connection);
    std::erase(connection.ids_, gone);
    return 0;
  }

  static int dcid_status(ngtcp2_conn*, ng::ConnectionIdStatus status, std::uint64_t, const ngtcp2_cid*,
                         const std::uint8_t* token, void* user) {
    if (token == nullptr) return 0;
    QuicConnection& connection = self(user);
    ResetToken value;
    std::copy_n(token, value.size(), value.begin());
    if (status == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE) {
      connection.reset_tokens_.push_back(value);
      connection.worker_.reset_tokens.insert(value, &connection);
    } else {
      std::erase(connection.reset_tokens_, value);
      connection.worker_.reset_tokens.erase(value, &connection);
    }
    return 0;
  }

  static void path_validated(void* user) { self(user).path_validated_ = true; }

  static int update_key(ngtcp2_conn* conn, std::uint8_t* rx_secret, std::uint8_t* tx_secret, ngtcp2_crypto_aead_ctx* rx,
                        std::uint8_t* rx_iv, ngtcp2_crypto_aead_ctx* tx, std::uint8_t* tx_iv,
                        const std::uint8_t* current_rx, const std::uint8_t* current_tx, std::size_t length,
                        void* user) {
    QuicConnection& connection = self(user);
    const bool done =
        connection.worker_.packet_keys.update(conn, rx_secret, tx_secret, rx, rx_iv, tx, tx_iv, {current_rx, length},
                                              {current_tx, length}, &connection.guard_);
    return done ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
  }

  static ngtcp2_callbacks table(Side side) {
    ngtcp2_callbacks out{};
    if (side == Side::kDialler) {
      out.client_initial = ngtcp2_crypto_client_initial_cb;
      out.recv_retry = ngtcp2_crypto_recv_retry_cb;
    } else {
      out.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    }
    out.recv_crypto_data = recv_crypto_data;
    out.handshake_completed = handshake_completed;
    out.encrypt = PacketKeys::encrypt;
    out.decrypt = PacketKeys::decrypt;
    out.hp_mask = PacketKeys::mask;
    out.update_key = update_key;
    out.delete_crypto_aead_ctx = PacketKeys::drop_aead;
    out.delete_crypto_cipher_ctx = PacketKeys::drop_cipher;
    out.stream_open = stream_open;
    out.recv_stream_data = recv_stream_data;
    out.acked_stream_data_offset = acked_stream_data;
    out.stream_reset = stream_reset;
    out.stream_close = stream_close;
    out.extend_max_stream_data = extend_max_stream_data;
    out.extend_max_local_streams_bidi = extend_max_streams<0>;
    out.extend_max_local_streams_uni = extend_max_streams<1>;
    out.recv_stateless_reset = recv_stateless_reset;
    out.rand = random_bytes;
    out.get_new_connection_id = new_connection_id;
    out.remove_connection_id = remove_connection_id;
    out.dcid_status = dcid_status;
    out.path_validation = ng::path_validation_callback<path_validated>();
    out.get_path_challenge_data = path_challenge_data;
    out.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    return out;
  }
};

const ngtcp2_callbacks& callbacks_of(Side side) {
  static const ngtcp2_callbacks kListener = Callbacks::table(Side::kListener);
  static const ngtcp2_callbacks kDialler = Callbacks::table(Side::kDialler);
  return side == Side::kListener ? kListener : kDialler;
}

}  // namespace atlas::quic
