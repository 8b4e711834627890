// What a BootstrapRegister and a BootstrapDiscover say, checked field by field (protocol, section 7).
// Any thread; pure functions over borrowed payloads.
#pragma once

#include <string>

#include "address_policy.h"
#include "atlas/msgpack.hpp"
#include "record.h"
#include "registry.h"

namespace bootstrap {

inline constexpr std::uint8_t kMessageAck = 0x11;
inline constexpr std::uint8_t kRegister = 0x20;
inline constexpr std::uint8_t kDiscover = 0x21;
inline constexpr std::uint8_t kPeers = 0x22;

inline constexpr std::uint32_t kMaxPeers = 1000;          // in one answer
inline constexpr std::size_t kMaxAnswerBytes = 1u << 20;  // of one answer, envelope not counted

// Which rule a refused request broke; each has its own counter.
enum class Rule { kNone, kIdentity, kAddress, kFields, kFull, kCursor };
struct Refusal {
  Rule rule = Rule::kNone;
  std::string text;  // for the peer: names the field and the rule
};

// What the session knows about the node: a v0.1.0 node registers without name and skills, but its Hello had them.
struct SessionFacts {
  std::string node_id;
  atlas::HostAddress seen;
  std::string name, operator_username;
  std::vector<std::string> skills;
  atlas::Trust trust = atlas::Trust::kUnknown;
  explicit SessionFacts(const atlas::PeerView& peer);
};

// Fills `out`, or says which rule refuses it.
Refusal read_register(atlas::msgpack::MapView body, const SessionFacts& session, bool allow_foreign, Record& out);

struct DiscoverRequest {
  Filter filter;
  std::optional<std::uint32_t> limit;               // 1..kMaxPeers
  std::optional<std::vector<std::uint8_t>> cursor;  // not opened yet
};
Refusal read_discover(atlas::msgpack::MapView body, DiscoverRequest& out);

}  // namespace bootstrap
