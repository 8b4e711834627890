// A peer as the network speaks of it (wire protocol, section 7) and as the database keeps it.
// Any thread; plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::wire {

enum class Trust : std::uint8_t { kUnknown = 0, kVerified = 1, kBootstrap = 2, kRelay = 3 };
std::string_view to_text(Trust trust);  // "unknown", "verified", "bootstrap", "relay"
std::optional<Trust> trust_from(std::string_view text);

// Why the last dial failed; cleared by the next success.
enum class DialFailure : std::uint8_t { kUnreachable, kRejected, kExpired, kReset, kDisconnected };
std::string_view to_text(DialFailure failure);
std::optional<DialFailure> dial_failure_from(std::string_view text);

struct PeerRecord {
  std::string node_id;
  std::string address;  // "ip:port"
  std::optional<std::string> public_address;
  std::string name;
  std::vector<std::string> skills;
  std::optional<std::string> operator_username;  // without a leading @
  Trust trust = Trust::kUnknown;
  std::int64_t last_seen = 0;  // Unix seconds
  std::vector<std::string> relays;
  // Kept in the database only, never on the wire:
  std::optional<DialFailure> last_failure;
  std::optional<std::int64_t> ban_until;  // Unix seconds
  std::optional<std::string> ban_reason;
};

inline constexpr std::string_view kNodeIdPrefix = "atlas_";
inline constexpr std::size_t kNodeIdSize = 6 + 64;
// "atlas_" and 64 lower-case hex digits.
bool is_node_id(std::string_view text);

}  // namespace atlas::wire
