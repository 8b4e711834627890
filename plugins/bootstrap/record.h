// One registered peer: as fields, and packed into one small allocation, as the registry keeps it.
// Any thread; plain values.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "atlas/address.hpp"
#include "atlas/msgpack.hpp"
#include "atlas/plugin.hpp"

namespace bootstrap {

inline constexpr std::size_t kMaxNameBytes = 64;
inline constexpr std::size_t kMaxSkills = 32;
inline constexpr std::size_t kMaxSkillBytes = 64;
inline constexpr std::size_t kMaxOperatorBytes = 64;
inline constexpr std::size_t kMaxRelays = 8;

// The SHA-256 that a node id shows.
using NodeId = std::array<std::uint8_t, 32>;
// "atlas_" and 64 lower-case hex digits, nothing else.
std::optional<NodeId> parse_node_id(std::string_view text);
std::string to_text(const NodeId& id);

struct Record {
  NodeId id{};
  atlas::Address address;
  std::optional<atlas::Address> public_address;
  std::string name;
  std::vector<std::string> skills;  // no two equal
  std::string operator_username;    // without @; empty is none
  std::vector<atlas::Address> relays;
  atlas::Trust trust = atlas::Trust::kUnknown;
};

// A record in about 60 bytes plus its texts. Empty after default construction.
class PackedRecord {
 public:
  PackedRecord() = default;
  explicit PackedRecord(const Record& record);

  explicit operator bool() const { return bytes_ != nullptr; }
  void reset() { bytes_.reset(); }
  std::span<const std::uint8_t, 32> id() const { return std::span<const std::uint8_t, 32>(bytes_.get() + kIdAt, 32); }
  Record unpack() const;
  bool same_as(const PackedRecord& other) const;
  bool has_skill(std::string_view skill) const;
  std::string_view operator_username() const;
  // use(std::string_view) for each skill, until it returns false.
  template <class F>
  void each_skill(F&& use) const;

 private:
  static constexpr std::size_t kIdAt = 2, kTrustAt = kIdAt + 32, kOperatorAt = kTrustAt + 1;
  std::size_t size() const { return bytes_[0] | bytes_[1] << 8; }

  // [size 2][id 32][trust 1][operator][skills: count 1, texts][name][addresses: count 1, addresses]; a text is its
  // length in one byte and its bytes; an address is its family in one byte, its host and its port. The first address is
  // the address, a second one with the flag bit set in its family is the public address, all others are relays.
  std::unique_ptr<std::uint8_t[]> bytes_;
};

// The record as a PeerRecord of the protocol, last_seen in Unix seconds.
void write_peer_record(atlas::msgpack::Writer& out, const Record& record, std::int64_t last_seen);
// The same as JSON, for a person's command.
std::string peer_record_json(const Record& record, std::int64_t last_seen, bool connected);

template <class F>
void PackedRecord::each_skill(F&& use) const {
  const std::uint8_t* at = bytes_.get() + kOperatorAt;
  at += 1 + *at;
  for (std::uint8_t left = *at++; left != 0; --left) {
    if (!use(std::string_view(reinterpret_cast<const char*>(at + 1), *at))) return;
    at += 1 + *at;
  }
}

}  // namespace bootstrap
