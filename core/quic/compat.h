// ngtcp2 0.12.1 and 1.x under one set of names: the code is written for 1.x, and what 0.12.1 calls otherwise is mapped
// onto that here. Error numbers differ between the two: only the macros and ngtcp2_strerror() may be used for them.
// Inside core/quic only.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include <cstdint>
#include <string>

#include "base/bytes.h"

#define ATLAS_NGTCP2_0 (NGTCP2_VERSION_NUM < 0x010000)

#if ATLAS_NGTCP2_0
using ngtcp2_encryption_level = ngtcp2_crypto_level;
inline constexpr ngtcp2_encryption_level NGTCP2_ENCRYPTION_LEVEL_1RTT = NGTCP2_CRYPTO_LEVEL_APPLICATION;
using ngtcp2_ccerr = ngtcp2_connection_close_error;
inline void ngtcp2_ccerr_default(ngtcp2_ccerr* error) {
  ngtcp2_connection_close_error_default(error);
}
inline void ngtcp2_ccerr_set_liberr(ngtcp2_ccerr* error, int code, const std::uint8_t* reason, std::size_t length) {
  ngtcp2_connection_close_error_set_transport_error_liberr(error, code, reason, length);
}
inline void ngtcp2_ccerr_set_tls_alert(ngtcp2_ccerr* error, std::uint8_t alert, const std::uint8_t* reason,
                                       std::size_t length) {
  ngtcp2_connection_close_error_set_transport_error_tls_alert(error, alert, reason, length);
}
inline void ngtcp2_ccerr_set_transport_error(ngtcp2_ccerr* error, std::uint64_t code, const std::uint8_t* reason,
                                             std::size_t length) {
  ngtcp2_connection_close_error_set_transport_error(error, code, reason, length);
}
inline void ngtcp2_ccerr_set_application_error(ngtcp2_ccerr* error, std::uint64_t code, const std::uint8_t* reason,
                                               std::size_t length) {
  ngtcp2_connection_close_error_set_application_error(error, code, reason, length);
}
#endif

namespace atlas::quic::ng {

// RFC 9368; 0.12.1 knows the draft's number only.
inline constexpr std::uint64_t kVersionNegotiationError = 0x11;

#if ATLAS_NGTCP2_0
using ConnectionIdStatus = int;
#else
using ConnectionIdStatus = ngtcp2_connection_id_status_type;
#endif

// The address-validation token of a first packet.
inline base::ByteView token_of(const ngtcp2_pkt_hd& header) {
#if ATLAS_NGTCP2_0
  return {header.token.base, header.token.len};
#else
  return {header.token, header.tokenlen};
#endif
}

// Listener: the client's address was validated with this Retry token.
inline void set_retry_token(ngtcp2_settings& settings, base::ByteView token) {
#if ATLAS_NGTCP2_0
  settings.token.base = const_cast<std::uint8_t*>(token.data());
  settings.token.len = token.size();
#else
  settings.token = token.data();
  settings.tokenlen = token.size();
  settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
#endif
}

// 1.x wants to be told that the field is filled in; 0.12.1 always sends it.
inline void set_original_dcid(ngtcp2_transport_params& params, const ngtcp2_cid& id) {
  params.original_dcid = id;
#if !ATLAS_NGTCP2_0
  params.original_dcid_present = 1;
#endif
}

inline int shutdown_stream(ngtcp2_conn* conn, std::int64_t stream, std::uint64_t code) {
#if ATLAS_NGTCP2_0
  return ngtcp2_conn_shutdown_stream(conn, stream, code);
#else
  return ngtcp2_conn_shutdown_stream(conn, 0, stream, code);
#endif
}

// One direction of it.
inline int shutdown_stream_write(ngtcp2_conn* conn, std::int64_t stream, std::uint64_t code) {
#if ATLAS_NGTCP2_0
  return ngtcp2_conn_shutdown_stream_write(conn, stream, code);
#else
  return ngtcp2_conn_shutdown_stream_write(conn, 0, stream, code);
#endif
}
inline int shutdown_stream_read(ngtcp2_conn* conn, std::int64_t stream, std::uint64_t code) {
#if ATLAS_NGTCP2_0
  return ngtcp2_conn_shutdown_stream_read(conn, stream, code);
#else
  return ngtcp2_conn_shutdown_stream_read(conn, 0, stream, code);
#endif
}

// What the peer said when it closed.
struct PeerClose {
  bool application = false;
  std::uint64_t code = 0;
  std::string reason;
};

inline PeerClose peer_close(ngtcp2_conn* conn) {
#if ATLAS_NGTCP2_0
  ngtcp2_connection_close_error copy;
  ngtcp2_conn_get_connection_close_error(conn, &copy);
  const ngtcp2_connection_close_error* error = &copy;
  const bool application = error->type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION;
#else
  const ngtcp2_ccerr* error = ngtcp2_conn_get_ccerr(conn);
  const bool application = error->type == NGTCP2_CCERR_TYPE_APPLICATION;
#endif
  PeerClose out{application, error->error_code, {}};
  if (error->reasonlen > 0) out.reason.assign(reinterpret_cast<const char*>(error->reason), error->reasonlen);
  return out;
}

#if ATLAS_NGTCP2_0
using ConnectionInfo = ngtcp2_conn_stat;
#else
using ConnectionInfo = ngtcp2_conn_info;
#endif

// smoothed_rtt in ns, bytes_in_flight, and more.
inline ConnectionInfo info_of(ngtcp2_conn* conn) {
  ConnectionInfo info;
#if ATLAS_NGTCP2_0
  ngtcp2_conn_get_conn_stat(conn, &info);
#else
  ngtcp2_conn_get_conn_info(conn, &info);
#endif
  return info;
}

// 0.12.1 widens a stream's receive window by itself, too, but then accuses the peer of passing it when packets overtake
// each other. There we widen it, see quic::ReceiveWindow.
inline constexpr bool kTunesStreamWindows = !ATLAS_NGTCP2_0;

// 0.12.1 paces the handshake by the guessed first round trip and would hold our Finished back: tell it of transmission
// times only once the handshake is over.
inline bool may_pace(bool handshake_completed) {
#if ATLAS_NGTCP2_0
  return handshake_completed;
#else
  static_cast<void>(handshake_completed);
  return true;
#endif
}

// A path_validation callback of either shape that calls `on_validated(user_data)` for success.
template <void (*on_validated)(void*)>
inline ngtcp2_path_validation path_validation_callback() {
#if ATLAS_NGTCP2_0
  return [](ngtcp2_conn*, std::uint32_t, const ngtcp2_path*, ngtcp2_path_validation_result result, void* user) {
#else
  return [](ngtcp2_conn*, std::uint32_t, const ngtcp2_path*, const ngtcp2_path*, ngtcp2_path_validation_result result,
            void* user) {
#endif
    if (result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS) on_validated(user);
    return 0;
  };
}

}  // namespace atlas::quic::ng
