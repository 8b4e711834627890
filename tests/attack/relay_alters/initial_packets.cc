#include "attack/relay_alters/initial_packets.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

namespace atlas::attack {
namespace {

constexpr std::size_t kTag = 16, kSample = 16, kNonce = 12;
// RFC 9001, section 5.2.
constexpr std::array<std::uint8_t, 20> kSalt{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                             0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};

gnutls_datum_t datum(base::ByteView bytes) {
  return {const_cast<std::uint8_t*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446, section 7.1).
base::Bytes expand(base::ByteView secret, std::string_view label, std::size_t length) {
  const std::string_view prefix = "tls13 ";
  base::Bytes info{0, static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(prefix.size() + label.size())};
  info.insert(info.end(), prefix.begin(), prefix.end());
  info.insert(info.end(), label.begin(), label.end());
  info.push_back(0);
  base::Bytes out(length);
  const gnutls_datum_t key = datum(secret), about = datum(info);
  gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &about, out.data(), out.size());
  return out;
}

struct Keys {
  base::Bytes key, iv, header;
};

Keys keys_of(base::ByteView first_id, std::string_view label) {
  base::Bytes initial(32);
  const gnutls_datum_t id = datum(first_id), salt = datum(kSalt);
  gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &id, &salt, initial.data());
  const base::Bytes secret = expand(initial, label, 32);
  return {expand(secret, "quic key", 16), expand(secret, "quic iv", kNonce), expand(secret, "quic hp", 16)};
}

// One block of AES-ECB, which is CBC with an initial vector of zeros.
std::array<std::uint8_t, kSample> mask_of(const Keys& keys, base::ByteView sample) {
  std::array<std::uint8_t, kSample> block{}, zeros{};
  std::copy_n(sample.begin(), block.size(), block.begin());
  const gnutls_datum_t key = datum(keys.header), start = datum(zeros);
  gnutls_cipher_hd_t cipher = nullptr;
  if (gnutls_cipher_init(&cipher, GNUTLS_CIPHER_AES_128_CBC, &key, &start) != 0) return zeros;
  gnutls_cipher_encrypt(cipher, block.data(), block.size());
  gnutls_cipher_deinit(cipher);
  return block;
}

// Where the parts of an Initial packet are (RFC 9000, section 17.2.2).
struct Initial {
  base::Bytes id;             // destination
  base::Bytes packet;         // this one alone
  std::size_t number_at = 0;  // offset of the packet number
};

std::optional<std::uint64_t> take_varint(base::ByteView& rest) {
  if (rest.empty()) return std::nullopt;
  const std::size_t size = std::size_t{1} << (rest[0] >> 6);
  if (rest.size() < size) return std::nullopt;
  std::uint64_t value = rest[0] & 0x3f;
  for (std::size_t i = 1; i < size; ++i) value = value << 8 | rest[i];
  rest = rest.subspan(size);
  return value;
}

std::optional<Initial> parse(base::ByteView datagram) {
  // Long header, fixed bit, type Initial; version 1.
  if (datagram.size() < 7 || (datagram[0] & 0xf0) != 0xc0 || datagram[4] != 1) return std::nullopt;
  base::ByteView rest = datagram.subspan(5);
  Initial out;
  for (int ids = 0; ids < 2; ++ids) {
    if (rest.empty() || rest.size() < 1u + rest[0]) return std::nullopt;
    if (ids == 0) out.id.assign(rest.begin() + 1, rest.begin() + 1 + rest[0]);
    rest = rest.subspan(1u + rest[0]);
  }
  const auto token = take_varint(rest);
  if (!token || rest.size() < *token) return std::nullopt;
  rest = rest.subspan(*token);
  const auto length = take_varint(rest);
  if (!length || rest.size() < *length || *length < 4 + kSample) return std::nullopt;
  out.number_at = static_cast<std::size_t>(rest.data() - datagram.data());
  out.packet.assign(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(out.number_at + *length));
  return out;
}

std::optional<base::Bytes> open(const Initial& initial, const Keys& keys) {
  base::Bytes packet = initial.packet;
  const auto mask = mask_of(keys, base::ByteView(packet).subspan(initial.number_at + 4, kSample));
  packet[0] ^= mask[0] & 0x0f;
  const std::size_t number_size = (packet[0] & 3u) + 1;
  base::Bytes nonce = keys.iv;
  for (std::size_t i = 0; i < number_size; ++i) {
    packet[initial.number_at + i] ^= mask[1 + i];
    nonce[kNonce - number_size + i] ^= packet[initial.number_at + i];
  }
  const std::size_t header = initial.number_at + number_size;
  const gnutls_datum_t key = datum(keys.key);
  gnutls_aead_cipher_hd_t aead = nullptr;
  if (gnutls_aead_cipher_init(&aead, GNUTLS_CIPHER_AES_128_GCM, &key) != 0) return std::nullopt;
  base::Bytes plain(packet.size() - header);
  std::size_t size = plain.size();
  const int opened = gnutls_aead_cipher_decrypt(aead, nonce.data(), nonce.size(), packet.data(), header, kTag,
                                                packet.data() + header, packet.size() - header, plain.data(), &size);
  gnutls_aead_cipher_deinit(aead);
  if (opened != 0) return std::nullopt;
  plain.resize(size);
  return plain;
}

}  // namespace

std::vector<base::Bytes> open_initials(const std::vector<base::Bytes>& datagrams) {
  std::vector<Initial> initials;
  std::set<base::Bytes> ids;
  for (const auto& datagram : datagrams) {
    if (auto parsed = parse(datagram)) {
      ids.insert(parsed->id);
      initials.push_back(std::move(*parsed));
    }
  }
  std::vector<Keys> keys;
  for (const auto& id : ids) {
    keys.push_back(keys_of(id, "client in"));
    keys.push_back(keys_of(id, "server in"));
  }
  std::vector<base::Bytes> out;
  for (const auto& initial : initials) {
    for (const auto& one : keys) {
      auto plain = open(initial, one);
      if (!plain) continue;
      out.push_back(std::move(*plain));
      break;
    }
  }
  return out;
}

}  // namespace atlas::attack
