#include "quic/packet_keys.h"

#include <gnutls/gnutls.h>
#include <gtest/gtest.h>

#include <memory>

#include "quic/path.h"

namespace atlas::quic {
namespace {

using Connection = std::unique_ptr<ngtcp2_conn, decltype(&ngtcp2_conn_del)>;

// Of the library's own; nothing is ever sent or received on it.
Connection make_connection() {
  ngtcp2_callbacks callbacks{};
  callbacks.client_initial = ngtcp2_crypto_client_initial_cb;
  callbacks.recv_retry = ngtcp2_crypto_recv_retry_cb;
  callbacks.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
  callbacks.encrypt = PacketKeys::encrypt;
  callbacks.decrypt = PacketKeys::decrypt;
  callbacks.hp_mask = PacketKeys::mask;
  callbacks.update_key = ngtcp2_crypto_update_key_cb;
  callbacks.delete_crypto_aead_ctx = PacketKeys::drop_aead;
  callbacks.delete_crypto_cipher_ctx = PacketKeys::drop_cipher;
  callbacks.rand = [](std::uint8_t*, std::size_t, const ngtcp2_rand_ctx*) {};
  callbacks.get_new_connection_id = [](ngtcp2_conn*, ngtcp2_cid*, std::uint8_t*, std::size_t, void*) { return 0; };
  callbacks.get_path_challenge_data = [](ngtcp2_conn*, std::uint8_t*, void*) { return 0; };
  callbacks.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  ngtcp2_cid id{};
  id.datalen = 8;
  const Path path({net::IpAddress::v4({192, 0, 2, 1}), 1}, {net::IpAddress::v4({192, 0, 2, 2}), 2});
  ngtcp2_conn* made = nullptr;
  EXPECT_EQ(ngtcp2_conn_client_new(&made, &id, &id, path.get(), NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params,
                                   nullptr, nullptr),
            0);
  ngtcp2_crypto_ctx crypto{};
  crypto.aead = {reinterpret_cast<void*>(GNUTLS_CIPHER_AES_128_GCM), 16};
  ngtcp2_crypto_md_init(&crypto.md, reinterpret_cast<void*>(GNUTLS_DIG_SHA256));
  ngtcp2_conn_set_crypto_ctx(made, &crypto);
  return {made, &ngtcp2_conn_del};
}

// The keys of one direction each, as the library holds them after a key update.
struct Pair {
  ngtcp2_crypto_aead_ctx read{}, write{};
};

class PacketKeysTest : public ::testing::Test {
 protected:
  Pair pair_of(PacketKeys& keys, std::uint16_t number) {
    base::Bytes secret(32, static_cast<std::uint8_t>(number));
    secret[1] = static_cast<std::uint8_t>(number >> 8);
    std::uint8_t next_read[32], next_write[32], read_iv[12], write_iv[12];
    Pair out;
    EXPECT_TRUE(keys.update(connection_.get(), next_read, next_write, &out.read, read_iv, &out.write, write_iv, secret,
                            secret, &guard_));
    return out;
  }
  base::Bytes seal(const Pair& pair) {
    const ngtcp2_crypto_aead& aead = ngtcp2_conn_get_crypto_ctx(connection_.get())->aead;
    const base::Bytes plain(20, 0x01), nonce(12, 7), extra(9, 3);
    base::Bytes out(plain.size() + aead.max_overhead);
    EXPECT_EQ(PacketKeys::encrypt(out.data(), &aead, &pair.write, plain.data(), plain.size(), nonce.data(),
                                  nonce.size(), extra.data(), extra.size()),
              0);
    return out;
  }
  void drop(Pair& pair) {
    PacketKeys::drop_aead(connection_.get(), &pair.read, nullptr);
    PacketKeys::drop_aead(connection_.get(), &pair.write, nullptr);
  }

  FrameGuard guard_;
  Connection connection_ = make_connection();
};

TEST_F(PacketKeysTest, AKeyAtRestHoldsNoContext) {
  PacketKeys keys(4);
  Pair pair = pair_of(keys, 1);
  EXPECT_EQ(keys.alive(), 0u);
  seal(pair);
  EXPECT_EQ(keys.alive(), 1u);
  drop(pair);
  EXPECT_EQ(keys.alive(), 0u);
}

TEST_F(PacketKeysTest, TheLongestUnusedRestsAndSealsAsBeforeAfterwards) {
  PacketKeys keys(2);
  Pair first = pair_of(keys, 1), second = pair_of(keys, 2), third = pair_of(keys, 3);
  const base::Bytes sealed = seal(first);
  const base::Bytes other = seal(second);
  EXPECT_NE(sealed, other);
  seal(third);  // the first one goes to rest
  EXPECT_EQ(keys.alive(), 2u);
  EXPECT_EQ(seal(first), sealed);
  EXPECT_EQ(seal(second), other);
  EXPECT_EQ(keys.alive(), 2u);
  for (Pair* pair : {&first, &second, &third}) drop(*pair);
  EXPECT_EQ(keys.alive(), 0u);
}

TEST_F(PacketKeysTest, AliveContextsAreBounded) {
  PacketKeys keys;
  std::vector<Pair> pairs;
  for (std::uint16_t i = 0; i < PacketKeys::kDefaultCapacity + 100; ++i) {
    pairs.push_back(pair_of(keys, i));
    seal(pairs.back());
    ASSERT_LE(keys.alive(), PacketKeys::kDefaultCapacity);
  }
  EXPECT_EQ(keys.alive(), base::limits::quic_key_contexts);
  for (Pair& pair : pairs) drop(pair);
  EXPECT_EQ(keys.alive(), 0u);
}

}  // namespace
}  // namespace atlas::quic
