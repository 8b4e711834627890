// What goes to and comes from a bootstrap node (protocol, section 7).
// Plain values; any thread.
#pragma once

#include <atlas/address.hpp>
#include <atlas/json.hpp>
#include <atlas/msgpack.hpp>
#include <atlas/plugin.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace discovery {

inline constexpr std::uint8_t kMessageAck = 0x11;
inline constexpr std::uint8_t kRegister = 0x20;
inline constexpr std::uint8_t kDiscover = 0x21;
inline constexpr std::uint8_t kPeers = 0x22;

inline constexpr std::uint32_t kPageRecords = 1'000;  // asked for at once

// What a person looks for; empty texts match everybody.
struct Filter {
  std::string skill, operator_username;  // without a leading @
  std::string node_id;
  bool matches(const atlas::PeerInfo& peer) const;
};

// Optional fields that have nothing to say are left out: what remains is what published nodes write.
std::vector<std::uint8_t> encode_register(const atlas::PeerInfo& self, std::int64_t unix_seconds);
// limit 0: as many as the other side gives by itself.
std::vector<std::uint8_t> encode_discover(const Filter& filter, std::uint32_t limit,
                                          const std::vector<std::uint8_t>& cursor);

struct Page {
  std::vector<atlas::PeerInfo> peers;  // well-formed ones only
  std::size_t malformed = 0;           // records left out
  std::vector<std::uint8_t> next;      // cursor of the next page; empty: this was the last
};
// How an answer is read.
struct Reading {
  std::int64_t now = 0;             // Unix seconds; last_seen is held at it: nobody was seen in the future
  std::size_t most = 1'000;         // records looked at; the rest of the answer is passed over
  atlas::HostAddress told_by = {};  // where the bootstrap node is: it may tell addresses that mean the same here
};
// Nothing when the answer is no list of peers at all.
std::optional<Page> decode_peers(const atlas::msgpack::MapView& map, const Reading& reading);

// True for a MessageAck with status `registered`.
bool is_registered(const atlas::Answer& answer);

// With the field names of PeerRecord.
atlas::json::Object to_json(const atlas::PeerInfo& peer);

}  // namespace discovery
