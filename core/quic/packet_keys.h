// Packet protection of 1-RTT packets. A key rests as its bytes; the cipher's context (750 bytes and more) is made when
// a packet needs it, and dropped when others have been used since: an idle connection holds none.
//
// Opening a packet also shows its frames to the connection's guard. One instance for all connections of a loop, and it
// outlives them; loop thread only. Keys are wiped when they go.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/limits.h"
#include "quic/compat.h"
#include "quic/frame_guard.h"

namespace atlas::quic {

class PacketKeys {
 public:
  // Contexts kept alive at once.
  static constexpr std::size_t kDefaultCapacity = base::limits::quic_key_contexts;

  explicit PacketKeys(std::size_t capacity = kDefaultCapacity) : capacity_(capacity == 0 ? 1 : capacity) {}
  PacketKeys(const PacketKeys&) = delete;
  PacketKeys& operator=(const PacketKeys&) = delete;

  // Derives and installs the 1-RTT keys of the secrets that are not empty. `guard` outlives the connection's keys.
  bool install(ngtcp2_conn* conn, base::ByteView read_secret, base::ByteView write_secret, FrameGuard* guard);
  // The next generation of keys (RFC 9001, section 6), for ngtcp2's update_key callback.
  bool update(ngtcp2_conn* conn, std::uint8_t* read_secret, std::uint8_t* write_secret, ngtcp2_crypto_aead_ctx* read,
              std::uint8_t* read_iv, ngtcp2_crypto_aead_ctx* write, std::uint8_t* write_iv,
              base::ByteView current_read_secret, base::ByteView current_write_secret, FrameGuard* guard);

  // ngtcp2's callbacks; they know our keys from those of the library's helper.
  static int encrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
                     const std::uint8_t* plain, std::size_t length, const std::uint8_t* nonce, std::size_t nonce_length,
                     const std::uint8_t* extra, std::size_t extra_length);
  static int decrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
                     const std::uint8_t* sealed, std::size_t length, const std::uint8_t* nonce,
                     std::size_t nonce_length, const std::uint8_t* extra, std::size_t extra_length);
  static int mask(std::uint8_t* out, const ngtcp2_crypto_cipher* cipher, const ngtcp2_crypto_cipher_ctx* context,
                  const std::uint8_t* sample);
  static void drop_aead(ngtcp2_conn* conn, ngtcp2_crypto_aead_ctx* context, void* user);
  static void drop_cipher(ngtcp2_conn* conn, ngtcp2_crypto_cipher_ctx* context, void* user);

  std::size_t alive() const { return alive_; }

 private:
  struct Key;
  enum class Use : std::uint8_t { kSeal, kOpen, kMask };

  void* rest(Use use, base::ByteView key, base::ByteView iv, FrameGuard* guard);
  bool install_one(ngtcp2_conn* conn, Use use, base::ByteView secret, FrameGuard* guard);
  // Makes the context if there is none, and marks the key as the one used last.
  bool wake(Key& key, const void* algorithm);
  void sleep(Key& key);
  void link_first(Key& key);
  void unlink(Key& key);
  static void destroy(void* handle);

  const std::size_t capacity_;
  std::size_t alive_ = 0;
  Key* newest_ = nullptr;
  Key* oldest_ = nullptr;
};

}  // namespace atlas::quic
