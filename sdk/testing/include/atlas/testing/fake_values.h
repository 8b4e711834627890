// The plain values that tests and the in-process host of fake_host.h exchange: peers, requests, replies, output.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "atlas/ext/bus.h"
#include "atlas/ext/cli.h"
#include "atlas/ext/config.h"
#include "atlas/ext/identity.h"
#include "atlas/ext/listener.h"
#include "atlas/ext/log.h"
#include "atlas/ext/messages.h"
#include "atlas/ext/metrics.h"
#include "atlas/ext/peers.h"
#include "atlas/ext/protocols.h"
#include "atlas/ext/routes.h"
#include "atlas/ext/store.h"
#include "atlas/ext/streams.h"
#include "atlas/ext/timers.h"
#include "atlas/plugin.h"

namespace atlas::kit {

using Bytes = std::vector<std::uint8_t>;

inline std::string text_of(atlas_text text) {
  return text.size ? std::string(text.data, text.size) : std::string();
}
inline atlas_text text_to(std::string_view text) {
  return {text.data(), text.size()};
}
inline Bytes bytes_of(atlas_bytes bytes) {
  return Bytes(bytes.data, bytes.data + bytes.size);
}
inline atlas_bytes bytes_to(const Bytes& bytes) {
  return {bytes.data(), bytes.size()};
}

// A well-formed node id that differs for every number.
inline std::string node_id(std::uint64_t number) {
  std::string out = "atlas_";
  for (int i = 0; i < 64; ++i) out += "0123456789abcdef"[(number >> (4 * (i % 16))) & 15];
  return out;
}

struct FakePeer {
  std::string node_id = {};
  std::string address = "127.0.0.1:4433";
  std::string public_address = {};
  std::string name = {};
  std::vector<std::string> skills = {};
  std::string operator_username = {};
  std::vector<std::string> relays = {};
  std::uint32_t trust = ATLAS_TRUST_UNKNOWN;
  bool dialled = false;
  std::int64_t last_seen = 0;
  std::int64_t connected_at = 0;
  std::uint64_t rtt_us = 0;
  atlas_peer handle = 0;  // filled by connect_peer()
  bool routes = true;     // it shows that feature in its Hello
  atlas_public_key key{};
};

// What a role answered to one delivered message.
struct FakeReply {
  bool answered = false;
  std::uint8_t type = 0;  // 0xe0 for an Error
  Bytes body;
  std::uint32_t error_code = 0;
  std::string error_text;
};

struct FakeRequest {
  atlas_request id = 0;
  atlas_peer to = 0;
  std::uint8_t type = 0;
  Bytes body;
  std::uint64_t deadline_ms = 0;
  atlas_answer_fn done = nullptr;
  void* arg = nullptr;
};
struct FakeDial {
  std::uint64_t id = 0;
  std::string target;
  std::uint32_t timeout_ms = 0;
  atlas_connected_fn done = nullptr;
  void* arg = nullptr;
};
struct FakeSent {
  atlas_peer to;
  std::uint8_t type;
  Bytes body;
};
struct FakeDisconnect {
  atlas_peer peer;
  std::string node_id;
  std::uint32_t reason;
  std::string note;
};
// A pair of routes that a role has added.
struct FakeRoute {
  atlas_peer a = 0, b = 0;
  atlas_route_options options{};
  atlas_route_prefixes prefixes{};
  atlas_route_counters counters{};  // the test writes them
  atlas_route_ended_fn ended = nullptr;
  void* arg = nullptr;
};
struct FakePath {
  atlas_peer via = 0;
  std::array<std::uint8_t, 8> route{}, peer_route{};
  std::string node_id;
  std::vector<std::string> observed;
  std::int64_t expires = 0;
};
// What a dial that asked for a path was told.
struct FakeReach {
  bool over = false;
  atlas_status status = ATLAS_OK;
  std::string reason;
  FakePath path;
};
// A raw stream, whoever opened it.
struct FakeStream {
  atlas_peer peer = 0;  // of one in a session, with the two that follow
  std::uint8_t type = 0;
  Bytes opening;
  atlas_stream_event_fn event = nullptr;
  void* arg = nullptr;
  Bytes written;                                // by the role
  bool finished = false;                        // likewise
  std::size_t unacknowledged = 0;               // of what was written
  bool full = false;                            // a write() was, and waits for room
  std::uint64_t delivered = 0;                  // to the role, and no credit given
  std::optional<std::uint64_t> reset, stopped;  // by the role
  atlas_connection connection = 0;              // of one in a connection of another protocol
  bool reads = true, writes = true;             // the role, in that direction
};
// An ALPN that a role has claimed.
struct FakeProtocol {
  std::uint32_t flags = 0;
  atlas_protocol_limits limits{};
  std::vector<Bytes> chain;  // its credentials; empty before they are there
  Bytes key;
  atlas_status (*verify)(void*, const atlas_presented*, atlas_verdict*) = nullptr;
  void (*event)(void*, const atlas_connection_event*) = nullptr;
  atlas_stream_event_fn stream = nullptr;
};
struct FakeConnection {
  std::string alpn, remote, server_name;
  bool dialled = false;
  bool up = false;
  void* arg = nullptr;
  Bytes identity;
  std::optional<std::uint64_t> closed;  // by the role, with this code
};
struct FakeConnectionEvent {
  std::uint32_t what = 0, why = 0;
  std::uint64_t code = 0;
  std::string reason = {};
  atlas_stream stream = 0;
  bool unidirectional = false;
};

// What a role has told or asked the other plugins of its node.
struct FakePublished {
  std::string topic;
  Bytes body;
};
struct FakeBusRequest {
  std::uint64_t id = 0;
  std::string service;
  Bytes body;
  std::uint64_t deadline_ms = 0;
  atlas_bus_answer_fn done = nullptr;
  void* arg = nullptr;
};
// What a role answered another plugin.
struct FakeBusAnswer {
  bool answered = false;
  atlas_status status = ATLAS_OK;
  Bytes body;
  std::string error;
};
struct FakeListener {
  std::vector<std::string> bound = {"[::]:4433"}, protocols = {"atlas/1"};
  std::string public_address = {};
  std::uint32_t nat = ATLAS_NAT_UNKNOWN;
};
// What a command put out so far.
struct FakeCall {
  std::vector<std::string> rows, progress;
  std::optional<std::string> result;
  bool finished = false;
  atlas_status status = ATLAS_OK;
  std::string error;
  void (*cancelled)(void*, atlas_call) = nullptr;
};
struct FakeMetric {
  std::string name;
  std::uint32_t kind;
  std::int64_t value;
};
struct FakeCommand {
  std::uint32_t where = 0;
  std::string summary, display;
  std::vector<std::string> args;
  atlas_status (*run)(void*, const atlas_cli_run*) = nullptr;
  void (*cancelled)(void*, atlas_call) = nullptr;
};

// A value of config.toml: bool, integer, text, list of texts. Durations are text ("90s") or integers of seconds.
using FakeValue = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

}  // namespace atlas::kit
