#include "quic/packet_keys.h"

#include <gnutls/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace atlas::quic {
namespace {

constexpr std::size_t kMostKeyBytes = 32;
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kMostSecretBytes = 64;

// Handles of ours carry a 1 in the lowest bit, where a pointer from the allocator has a 0: so the callbacks tell them
// from the contexts that the library's helper makes for Initial and Handshake packets.
constexpr std::uintptr_t kOurs = 1;

bool is_ours(const void* handle) {
  return (reinterpret_cast<std::uintptr_t>(handle) & kOurs) != 0;
}

// HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1) with an empty context.
bool expand(base::MutableBytes out, const ngtcp2_crypto_md& hash, base::ByteView secret, std::string_view label) {
  std::array<std::uint8_t, 32> info;
  constexpr std::string_view kPrefix = "tls13 ";
  std::size_t at = 0;
  info[at++] = static_cast<std::uint8_t>(out.size() >> 8);
  info[at++] = static_cast<std::uint8_t>(out.size());
  info[at++] = static_cast<std::uint8_t>(kPrefix.size() + label.size());
  std::memcpy(info.data() + at, kPrefix.data(), kPrefix.size());
  at += kPrefix.size();
  std::memcpy(info.data() + at, label.data(), label.size());
  at += label.size();
  info[at++] = 0;
  return ngtcp2_crypto_hkdf_expand(out.data(), out.size(), &hash, secret.data(), secret.size(), info.data(), at) == 0;
}

std::uint64_t packet_number_of(const std::uint8_t* nonce, const std::uint8_t* iv) {
  std::uint64_t number = 0;
  for (std::size_t i = kIvBytes - 8; i < kIvBytes; ++i) {
    number = number << 8 | static_cast<std::uint8_t>(nonce[i] ^ iv[i]);
  }
  return number;
}

struct Scratch {  // key material on the stack, wiped
  std::array<std::uint8_t, kMostSecretBytes> bytes;
  ~Scratch() { base::wipe(bytes); }
};

}  // namespace

struct PacketKeys::Key {
  PacketKeys* owner = nullptr;
  FrameGuard* guard = nullptr;
  void* context = nullptr;  // of the cipher; null while it rests
  Key* newer = nullptr;
  Key* older = nullptr;
  std::array<std::uint8_t, kMostKeyBytes> key{};
  std::array<std::uint8_t, kIvBytes> iv{};
  Use use = Use::kSeal;

  static Key& from(void* handle) { return *reinterpret_cast<Key*>(reinterpret_cast<std::uintptr_t>(handle) & ~kOurs); }
};

void* PacketKeys::rest(Use use, base::ByteView key, base::ByteView iv, FrameGuard* guard) {
  auto* made = new Key;
  made->owner = this;
  made->guard = guard;
  made->use = use;
  std::ranges::copy(key, made->key.begin());
  std::ranges::copy(iv, made->iv.begin());
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(made) | kOurs);
}

void PacketKeys::destroy(void* handle) {
  Key& key = Key::from(handle);
  key.owner->sleep(key);
  base::wipe(key.key);
  base::wipe(key.iv);
  delete &key;
}

bool PacketKeys::install(ngtcp2_conn* conn, base::ByteView read_secret, base::ByteView write_secret,
                         FrameGuard* guard) {
  if (!read_secret.empty() && !install_one(conn, Use::kOpen, read_secret, guard)) return false;
  return write_secret.empty() || install_one(conn, Use::kSeal, write_secret, nullptr);
}

bool PacketKeys::install_one(ngtcp2_conn* conn, Use use, base::ByteView secret, FrameGuard* guard) {
  const ngtcp2_crypto_ctx& crypto = *ngtcp2_conn_get_crypto_ctx(conn);
  const std::size_t key_length = ngtcp2_crypto_aead_keylen(&crypto.aead);
  if (key_length > kMostKeyBytes || ngtcp2_crypto_packet_protection_ivlen(&crypto.aead) != kIvBytes) return false;
  Scratch scratch;
  const base::MutableBytes key(scratch.bytes.data(), key_length);
  std::array<std::uint8_t, kIvBytes> iv;
  if (!expand(key, crypto.md, secret, "quic key") || !expand(iv, crypto.md, secret, "quic iv")) return false;
  ngtcp2_crypto_aead_ctx aead{rest(use, key, iv, guard)};
  if (!expand(key, crypto.md, secret, "quic hp")) {
    destroy(aead.native_handle);
    return false;
  }
  ngtcp2_crypto_cipher_ctx header{rest(Use::kMask, key, {}, nullptr)};
  const auto put = use == Use::kOpen ? ngtcp2_conn_install_rx_key : ngtcp2_conn_install_tx_key;
  if (put(conn, secret.data(), secret.size(), &aead, iv.data(), iv.size(), &header) == 0) return true;
  destroy(aead.native_handle);
  destroy(header.native_handle);
  return false;
}

bool PacketKeys::update(ngtcp2_conn* conn, std::uint8_t* read_secret, std::uint8_t* write_secret,
                        ngtcp2_crypto_aead_ctx* read, std::uint8_t* read_iv, ngtcp2_crypto_aead_ctx* write,
                        std::uint8_t* write_iv, base::ByteView current_read_secret, base::ByteView current_write_secret,
                        FrameGuard* guard) {
  const ngtcp2_crypto_ctx& crypto = *ngtcp2_conn_get_crypto_ctx(conn);
  const std::size_t length = current_read_secret.size();
  Scratch read_key, write_key;
  const std::size_t key_length = ngtcp2_crypto_aead_keylen(&crypto.aead);
  const base::MutableBytes rk(read_key.bytes.data(), key_length), wk(write_key.bytes.data(), key_length);
  if (!expand({read_secret, length}, crypto.md, current_read_secret, "quic ku") ||
      !expand({write_secret, length}, crypto.md, current_write_secret, "quic ku") ||
      !expand(rk, crypto.md, {read_secret, length}, "quic key") ||
      !expand({read_iv, kIvBytes}, crypto.md, {read_secret, length}, "quic iv") ||
      !expand(wk, crypto.md, {write_secret, length}, "quic key") ||
      !expand({write_iv, kIvBytes}, crypto.md, {write_secret, length}, "quic iv")) {
    return false;
  }
  read->native_handle = rest(Use::kOpen, rk, {read_iv, kIvBytes}, guard);
  write->native_handle = rest(Use::kSeal, wk, {write_iv, kIvBytes}, nullptr);
  return true;
}

bool PacketKeys::wake(Key& key, const void* algorithm) {
  if (key.context != nullptr) {
    if (newest_ != &key) {
      unlink(key);
      link_first(key);
    }
    return true;
  }
  if (key.use == Use::kMask) {
    const auto cipher = static_cast<gnutls_cipher_algorithm_t>(
        reinterpret_cast<std::intptr_t>(static_cast<const ngtcp2_crypto_cipher*>(algorithm)->native_handle));
    const gnutls_datum_t bytes{key.key.data(), static_cast<unsigned>(gnutls_cipher_get_key_size(cipher))};
    gnutls_cipher_hd_t made = nullptr;
    if (gnutls_cipher_init(&made, cipher, &bytes, nullptr) != 0) return false;
    key.context = made;
  } else {
    ngtcp2_crypto_aead_ctx made{};
    const auto* aead = static_cast<const ngtcp2_crypto_aead*>(algorithm);
    const auto init = key.use == Use::kOpen ? ngtcp2_crypto_aead_ctx_decrypt_init : ngtcp2_crypto_aead_ctx_encrypt_init;
    if (init(&made, aead, key.key.data(), kIvBytes) != 0) return false;
    key.context = made.native_handle;
  }
  link_first(key);
  if (++alive_ > capacity_) sleep(*oldest_);
  return true;
}

void PacketKeys::sleep(Key& key) {
  if (key.context == nullptr) return;
  if (key.use == Use::kMask) {
    gnutls_cipher_deinit(static_cast<gnutls_cipher_hd_t>(key.context));
  } else {
    ngtcp2_crypto_aead_ctx context{key.context};
    ngtcp2_crypto_aead_ctx_free(&context);
  }
  key.context = nullptr;
  unlink(key);
  --alive_;
}

void PacketKeys::link_first(Key& key) {
  key.newer = nullptr;
  key.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &key;
  newest_ = &key;
}

void PacketKeys::unlink(Key& key) {
  (key.newer != nullptr ? key.newer->older : newest_) = key.older;
  (key.older != nullptr ? key.older->newer : oldest_) = key.newer;
}

int PacketKeys::encrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
                        const std::uint8_t* plain, std::size_t length, const std::uint8_t* nonce,
                        std::size_t nonce_length, const std::uint8_t* extra, std::size_t extra_length) {
  ngtcp2_crypto_aead_ctx real = *context;
  if (is_ours(real.native_handle)) {
    Key& key = Key::from(real.native_handle);
    if (!key.owner->wake(key, aead)) return NGTCP2_ERR_CALLBACK_FAILURE;
    real.native_handle = key.context;
  }
  return ngtcp2_crypto_encrypt(out, aead, &real, plain, length, nonce, nonce_length, extra, extra_length) == 0
             ? 0
             : NGTCP2_ERR_CALLBACK_FAILURE;
}

int PacketKeys::decrypt(std::uint8_t* out, const ngtcp2_crypto_aead* aead, const ngtcp2_crypto_aead_ctx* context,
                        const std::uint8_t* sealed, std::size_t length, const std::uint8_t* nonce,
                        std::size_t nonce_length, const std::uint8_t* extra, std::size_t extra_length) {
  ngtcp2_crypto_aead_ctx real = *context;
  Key* key = nullptr;
  if (is_ours(real.native_handle)) {
    key = &Key::from(real.native_handle);
    if (!key->owner->wake(*key, aead)) return NGTCP2_ERR_CALLBACK_FAILURE;
    real.native_handle = key->context;
  }
  if (ngtcp2_crypto_decrypt(out, aead, &real, sealed, length, nonce, nonce_length, extra, extra_length) != 0) {
    return NGTCP2_ERR_DECRYPT;
  }
  if (key == nullptr || key->guard == nullptr) return 0;
  const base::ByteView frames(out, length - aead->max_overhead);
  const auto verdict = key->guard->check(frames, packet_number_of(nonce, key->iv.data()));
  return verdict == FrameGuard::Verdict::kPass ? 0 : NGTCP2_ERR_DECRYPT;
}

int PacketKeys::mask(std::uint8_t* out, const ngtcp2_crypto_cipher* cipher, const ngtcp2_crypto_cipher_ctx* context,
                     const std::uint8_t* sample) {
  ngtcp2_crypto_cipher_ctx real = *context;
  if (is_ours(real.native_handle)) {
    Key& key = Key::from(real.native_handle);
    if (!key.owner->wake(key, cipher)) return NGTCP2_ERR_CALLBACK_FAILURE;
    real.native_handle = key.context;
  }
  return ngtcp2_crypto_hp_mask(out, cipher, &real, sample) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

void PacketKeys::drop_aead(ngtcp2_conn* conn, ngtcp2_crypto_aead_ctx* context, void* user) {
  if (!is_ours(context->native_handle)) return ngtcp2_crypto_delete_crypto_aead_ctx_cb(conn, context, user);
  destroy(context->native_handle);
  context->native_handle = nullptr;
}

void PacketKeys::drop_cipher(ngtcp2_conn* conn, ngtcp2_crypto_cipher_ctx* context, void* user) {
  if (!is_ours(context->native_handle)) return ngtcp2_crypto_delete_crypto_cipher_ctx_cb(conn, context, user);
  destroy(context->native_handle);
  context->native_handle = nullptr;
}

}  // namespace atlas::quic
