#include "quic/stateless.h"

#include <gnutls/crypto.h>

#include <algorithm>
#include <string_view>

namespace atlas::quic {
namespace {

base::ByteArray<32> derive(const base::ByteArray<32>& secret, std::string_view label) {
  base::ByteArray<32> out{};
  gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret.data(), secret.size(), label.data(), label.size(), out.data());
  return out;
}

std::size_t length_of(ngtcp2_ssize written) {
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

}  // namespace

Stateless::Stateless(const base::ByteArray<32>& secret, base::Random& random)
    : retry_key_(derive(secret, "atlas quic retry")),
      reset_key_(derive(secret, "atlas quic stateless reset")),
      random_(random) {}

ResetToken Stateless::reset_token(const ngtcp2_cid& id) const {
  ResetToken out{};
  ngtcp2_crypto_generate_stateless_reset_token(out.data(), reset_key_.data(), reset_key_.size(), &id);
  return out;
}

std::size_t Stateless::write_retry(base::MutableBytes out, const ngtcp2_pkt_hd& initial,
                                   const net::SocketAddress& remote, base::MonoNs now) {
  ngtcp2_cid id{};
  id.datalen = kIdLength;
  random_.fill({id.data, id.datalen});
  sockaddr_storage address;
  const socklen_t address_length = remote.to(address);
  std::uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN];
  const ngtcp2_ssize token_length = ngtcp2_crypto_generate_retry_token(
      token, retry_key_.data(), retry_key_.size(), initial.version, reinterpret_cast<const sockaddr*>(&address),
      address_length, &id, &initial.dcid, now);
  if (token_length < 0) return 0;
  return length_of(ngtcp2_crypto_write_retry(out.data(), out.size(), initial.version, &initial.scid, &id, &initial.dcid,
                                             token, static_cast<std::size_t>(token_length)));
}

bool Stateless::is_retry_token(base::ByteView token) {
  return !token.empty() && token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY;
}

std::optional<ngtcp2_cid> Stateless::check_retry_token(const ngtcp2_pkt_hd& initial, const net::SocketAddress& remote,
                                                       base::MonoNs now) const {
  sockaddr_storage address;
  const socklen_t address_length = remote.to(address);
  const base::ByteView token = ng::token_of(initial);
  ngtcp2_cid original{};
  const int refused = ngtcp2_crypto_verify_retry_token(
      &original, token.data(), token.size(), retry_key_.data(), retry_key_.size(), initial.version,
      reinterpret_cast<const sockaddr*>(&address), address_length, &initial.dcid, kTokenLife, now);
  if (refused != 0) return std::nullopt;
  return original;
}

std::size_t Stateless::write_version_negotiation(base::MutableBytes out, const ngtcp2_version_cid& offered) {
  std::uint8_t noise;
  random_.fill({&noise, 1});
  const std::uint32_t versions[] = {kVersion};
  return length_of(ngtcp2_pkt_write_version_negotiation(out.data(), out.size(), noise, offered.scid, offered.scidlen,
                                                        offered.dcid, offered.dcidlen, versions, 1));
}

std::size_t Stateless::write_refusal(base::MutableBytes out, const ngtcp2_pkt_hd& initial, std::uint64_t code) {
  return length_of(ngtcp2_crypto_write_connection_close(out.data(), out.size(), initial.version, &initial.scid,
                                                        &initial.dcid, code, nullptr, 0));
}

std::size_t Stateless::write_reset(base::MutableBytes out, base::ByteView id, std::size_t cause, base::MonoNs now) {
  if (cause <= kLeastReset) return 0;
  const double refill = static_cast<double>(now - refilled_) * kResetsPerSecond / static_cast<double>(base::kSecond);
  resets_left_ = std::min<double>(resets_left_ + refill, kResetsPerSecond);
  refilled_ = now;
  if (resets_left_ < 1) return 0;
  resets_left_ -= 1;

  ngtcp2_cid cid{};
  ngtcp2_cid_init(&cid, id.data(), id.size());
  const ResetToken token = reset_token(cid);
  std::uint8_t noise[kMostReset - sizeof(ResetToken)];
  const std::size_t noise_length = std::min(cause - 1, kMostReset) - token.size();
  random_.fill({noise, noise_length});
  return length_of(ngtcp2_pkt_write_stateless_reset(out.data(), out.size(), token.data(), noise, noise_length));
}

std::size_t Stateless::write_reset(base::MutableBytes out, const ResetToken& token) {
  std::uint8_t noise[kMostReset - sizeof(ResetToken)];
  random_.fill(noise);
  return length_of(ngtcp2_pkt_write_stateless_reset(out.data(), out.size(), token.data(), noise, sizeof noise));
}

}  // namespace atlas::quic
