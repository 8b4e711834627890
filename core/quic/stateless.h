// Answers that keep nothing: Retry and its tokens, version negotiation, refusals before a connection exists, and
// stateless resets. All derived from one secret, so that a restarted node goes on where the old one ended.
//
// Loop thread only. Writers return the length, 0 when the buffer is too small. None writes more than three times what
// provoked it (RFC 9000, 8.1): Initials have at least 1 200 bytes, and a reset is smaller than its cause.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "net/address.h"
#include "quic/compat.h"
#include "quic/connection_ids.h"

namespace atlas::quic {

inline constexpr std::uint32_t kVersion = NGTCP2_PROTO_VER_V1;
// Datagrams with Initials are at least this large (RFC 9000, 14.1).
inline constexpr std::size_t kLeastInitial = 1200;
// How long a Retry token is good for.
inline constexpr base::MonoNs kTokenLife = base::limits::quic_token_life * base::kSecond;
// Stateless resets a second; a burst of as many is allowed.
inline constexpr std::uint32_t kResetsPerSecond = base::limits::quic_resets;
// Smallest datagram that can be a reset, and the size we send at most (RFC 9000, 10.3).
inline constexpr std::size_t kLeastReset = 21;
inline constexpr std::size_t kMostReset = 43;

class Stateless {
 public:
  Stateless(const base::ByteArray<32>& secret, base::Random& random);

  ResetToken reset_token(const ngtcp2_cid& id) const;

  // A Retry for this first packet, with a token bound to the address.
  std::size_t write_retry(base::MutableBytes out, const ngtcp2_pkt_hd& initial, const net::SocketAddress& remote,
                          base::MonoNs now);
  // True for a token that claims to be of a Retry of ours; others are not looked at.
  static bool is_retry_token(base::ByteView token);
  // The connection id that the client chose first, when the token is ours, fresh, and of this address.
  std::optional<ngtcp2_cid> check_retry_token(const ngtcp2_pkt_hd& initial, const net::SocketAddress& remote,
                                              base::MonoNs now) const;

  std::size_t write_version_negotiation(base::MutableBytes out, const ngtcp2_version_cid& offered);
  // CONNECTION_CLOSE in answer to a first packet.
  static std::size_t write_refusal(base::MutableBytes out, const ngtcp2_pkt_hd& initial, std::uint64_t code);
  // 0 also when the rate is used up or `cause` is too small to answer.
  std::size_t write_reset(base::MutableBytes out, base::ByteView id, std::size_t cause, base::MonoNs now);
  // One that nothing provoked: the caller answers for how many there are.
  std::size_t write_reset(base::MutableBytes out, const ResetToken& token);

 private:
  base::ByteArray<32> retry_key_{}, reset_key_{};
  base::Random& random_;
  double resets_left_ = kResetsPerSecond;
  base::MonoNs refilled_ = 0;
};

}  // namespace atlas::quic
