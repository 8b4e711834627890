#include "bench/turn_pairs.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/random.h"

namespace atlas::bench {
namespace {

// RFC 8489, section 5; RFC 8656, sections 17 and 18.
constexpr std::uint32_t kCookie = 0x2112a442;
constexpr std::size_t kHeader = 20, kTransactionAt = 8;
constexpr std::uint16_t kAllocate = 0x0003, kChannelBind = 0x0009, kSuccess = 0x0100;
constexpr std::uint16_t kErrorCode = 0x0009, kChannelNumber = 0x000c, kXorPeerAddress = 0x0012,
                        kXorRelayedAddress = 0x0016, kRequestedTransport = 0x0019;
constexpr std::uint8_t kUdp = 17, kFamilyV4 = 1;
constexpr std::uint16_t kChannel = 0x4000;
constexpr std::size_t kChannelHeader = 4;
constexpr int kTries = 5, kAnswerMs = 500;

std::uint16_t u16_at(base::ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put_u16(base::Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

base::Bytes request(std::uint16_t type, std::uint16_t attribute, const base::Bytes& value,
                    std::uint16_t second_attribute = 0, const base::Bytes& second_value = {}) {
  base::SystemRandom random;
  base::Bytes body;
  const auto add = [&](std::uint16_t name, const base::Bytes& content) {
    put_u16(body, name);
    put_u16(body, content.size());
    body.insert(body.end(), content.begin(), content.end());
    body.resize((body.size() + 3) / 4 * 4);
  };
  add(attribute, value);
  if (second_attribute != 0) add(second_attribute, second_value);
  base::Bytes out;
  put_u16(out, type);
  put_u16(out, body.size());
  put_u16(out, kCookie >> 16);
  put_u16(out, kCookie & 0xffff);
  out.resize(kHeader);
  random.fill(base::MutableBytes(out).subspan(kTransactionAt));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// The value of an attribute; empty when there is none.
base::ByteView find(base::ByteView message, std::uint16_t attribute) {
  for (std::size_t at = kHeader; at + 4 <= message.size();) {
    const std::size_t size = u16_at(message, at + 2);
    if (at + 4 + size > message.size()) return {};
    if (u16_at(message, at) == attribute) return message.subspan(at + 4, size);
    at += 4 + (size + 3) / 4 * 4;
  }
  return {};
}

// Asks until there is an answer; throws on an error.
base::Bytes ask(DataSocket& socket, const base::Bytes& message) {
  for (int i = 0; i < kTries; ++i) {
    socket.send(message, message.size());
    const base::Bytes answer = socket.receive_one(kAnswerMs);
    if (answer.size() < kHeader ||
        !std::equal(answer.begin() + kTransactionAt, answer.begin() + kHeader, message.begin() + kTransactionAt)) {
      continue;
    }
    const std::uint16_t type = u16_at(message, 0);
    if (u16_at(answer, 0) == (type | kSuccess)) return answer;
    const base::ByteView error = find(answer, kErrorCode);
    throw std::runtime_error("the TURN server refuses, " +
                             (error.size() < 4 ? "without a code" : std::to_string(error[2] * 100 + error[3])));
  }
  throw std::runtime_error("no answer from the TURN server");
}

base::Bytes xor_address(const net::SocketAddress& address) {
  base::Bytes out{0, kFamilyV4};
  put_u16(out, address.port ^ (kCookie >> 16));
  for (std::size_t i = 0; i < 4; ++i) {
    out.push_back(static_cast<std::uint8_t>(address.ip.bytes()[i]) ^
                  static_cast<std::uint8_t>(kCookie >> (24 - 8 * i)));
  }
  return out;
}

std::optional<net::SocketAddress> read_xor_address(base::ByteView value) {
  if (value.size() != 8 || value[1] != kFamilyV4) return std::nullopt;
  std::array<std::uint8_t, 4> ip;
  for (std::size_t i = 0; i < 4; ++i) ip[i] = value[4 + i] ^ static_cast<std::uint8_t>(kCookie >> (24 - 8 * i));
  return net::SocketAddress{net::IpAddress::v4(ip), static_cast<std::uint16_t>(u16_at(value, 2) ^ (kCookie >> 16))};
}

base::Bytes channel_header(std::size_t size) {
  base::Bytes out;
  put_u16(out, kChannel);
  put_u16(out, size);
  return out;
}

}  // namespace

TurnPairs::TurnPairs(const net::SocketAddress& server, std::size_t pairs) {
  for (std::size_t i = 0; i < pairs; ++i) {
    Pair pair{std::make_unique<DataSocket>(net::SocketAddress{server.ip, 0}, server),
              std::make_unique<DataSocket>(net::SocketAddress{server.ip, 0})};
    const base::Bytes allocated = ask(*pair.client, request(kAllocate, kRequestedTransport, {kUdp, 0, 0, 0}));
    const auto relayed = read_xor_address(find(allocated, kXorRelayedAddress));
    if (!relayed) throw std::runtime_error("the TURN server names no relayed IPv4 address");
    pair.peer->connect(*relayed);
    base::Bytes channel = channel_header(0);
    ask(*pair.client, request(kChannelBind, kChannelNumber, channel, kXorPeerAddress, xor_address(pair.peer->local())));
    pairs_.push_back(std::move(pair));
  }
}

Flow TurnPairs::flow(std::size_t pair, std::size_t size) {
  Flow out;
  out.from = pairs_[pair].client.get();
  out.to = pairs_[pair].peer.get();
  out.lead = channel_header(size);
  out.size = kChannelHeader + size;
  return out;
}

End TurnPairs::client(std::size_t pair, std::size_t size) {
  End out{pairs_[pair].client->fd(), channel_header(size), kChannelHeader + size};
  out.message.resize(kChannelHeader + size);
  return out;
}

End TurnPairs::peer(std::size_t pair, std::size_t size) {
  return {pairs_[pair].peer->fd(), base::Bytes(size), size};
}

}  // namespace atlas::bench
