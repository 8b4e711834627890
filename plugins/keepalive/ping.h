// Ping and Pong as they stand on the wire (protocol, section 6).
// Any thread; pure functions.
#pragma once

#include <optional>

#include "atlas/msgpack.hpp"

namespace keepalive {

inline constexpr std::uint8_t kPing = 0xf0;
inline constexpr std::uint8_t kPong = 0xf1;

// ts is the sender's wall clock in Unix milliseconds; nobody measures with it, the other side only gives it back.
inline atlas::msgpack::Writer encode_ping(std::int64_t ts) {
  atlas::msgpack::Writer out;
  out.map(1).text("ts").integer(ts);
  return out;
}
inline atlas::msgpack::Writer encode_pong(std::int64_t ts, std::int64_t echo) {
  atlas::msgpack::Writer out;
  out.map(2).text("ts").integer(ts).text("echo").integer(echo);
  return out;
}

// The ts of a Ping; nothing when it has none.
inline std::optional<std::int64_t> decode_ping(atlas::msgpack::MapView ping) {
  return ping.find("ts").i64();
}
// Is it the Pong to the Ping that carried this ts?
inline bool is_pong_to(std::int64_t ts, std::uint8_t type, atlas::msgpack::MapView pong) {
  return type == kPong && pong.find("ts").i64() && pong.find("echo").i64() == ts;
}

}  // namespace keepalive
