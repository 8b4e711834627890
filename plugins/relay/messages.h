// The four messages of the relay as they stand on the wire (protocol, section 8).
// Any thread; pure functions. Views are borrowed from the payload.
#pragma once

#include <atlas/address.hpp>
#include <atlas/msgpack.hpp>
#include <atlas/plugin.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

inline constexpr std::uint8_t kAnnounce = 0x30, kConnect = 0x31, kReady = 0x32, kError = 0x33;

// Codes of RelayError.
enum class Code : std::uint32_t { kNotAnnounced = 1, kBusy = 2, kFull = 3, kDenied = 4, kNotOffered = 5 };
std::string_view to_text(Code code);  // the message that goes with it

bool is_node_id(std::string_view text);  // "atlas_" and 64 lower-case hex digits

struct Announce {
  std::string_view node_id;
  std::int64_t timestamp;  // Unix seconds, of the sender's clock
};
std::vector<std::uint8_t> encode(const Announce& message);
std::optional<Announce> decode_announce(const atlas::msgpack::MapView& map);

struct Connect {
  std::string_view source_id, target_id;
};
std::vector<std::uint8_t> encode(const Connect& message);
std::optional<Connect> decode_connect(const atlas::msgpack::MapView& map);

// What comes with `ready`.
struct Forwarding {
  std::uint64_t session = 0;
  atlas::RoutePrefix route{}, peer_route{};  // to the receiver of the message, to the other agent
  std::string peer_id;
  std::vector<atlas::Address> observed;  // of the other agent
  std::uint64_t bandwidth_limit = 0;     // bytes per second; 0 is no limit
  std::int64_t expires = 0;              // Unix seconds; 0 is unknown
};
// What comes with `ended`: a relay forwards between these two no longer.
struct Over {
  std::uint64_t session = 0;
  std::string peer_id;  // of the other agent
};
struct Ready {
  bool waiting = false;
  std::optional<Forwarding> forwarding;  // with `ready`, but for published nodes, which do not forward packets
  std::optional<Over> over;              // with `ended`
};
std::vector<std::uint8_t> encode_waiting();
std::vector<std::uint8_t> encode(const Forwarding& message);
std::vector<std::uint8_t> encode(const Over& message);
// Nothing for another status, and for a forwarding that is there but not whole or not possible.
std::optional<Ready> decode_ready(const atlas::msgpack::MapView& map);

struct Error {
  std::uint32_t code;  // one of Code, or one of a later version
  std::string_view message, target_id;
};
std::vector<std::uint8_t> encode(const Error& message);
std::optional<Error> decode_error(const atlas::msgpack::MapView& map);

}  // namespace relay
