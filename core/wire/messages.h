// The messages that the core itself sends and reads: the handshake, Error and Disconnect (wire protocol, 5 and 6).
// Any thread; plain values. decode() gives nothing for a payload that breaks a rule of section 2: Error 2003.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "wire/envelope.h"

namespace atlas::wire {

inline constexpr std::size_t kMaxNameBytes = 64;    // limits.name_bytes
inline constexpr std::size_t kMaxSkills = 32;       // limits.skills
inline constexpr std::size_t kMaxSkillBytes = 64;   // limits.skill_bytes
inline constexpr std::uint32_t kProtocolVersion = 1;

struct Hello {
  std::string node_id;
  std::string name;
  std::vector<std::string> skills;
  std::optional<base::Bytes> operator_map;  // the MessagePack value as it came
  std::optional<std::string> wallet;
  base::Bytes public_key;  // any length here; the handshake judges it (1004)
  std::uint32_t protocol_v = kProtocolVersion;
  std::int64_t timestamp = 0;  // Unix seconds
  std::optional<std::string> agent_version;
  std::vector<std::string> features;
};

struct HelloAck {
  std::string node_id;
  std::string name;
  std::vector<std::string> skills;
  std::optional<base::Bytes> operator_map;
  std::optional<std::string> wallet;
  base::Bytes public_key;
  std::uint32_t protocol_v = kProtocolVersion;
  base::Bytes challenge;
  std::optional<std::string> observed;  // the dialler's address as the listener sees it
  std::optional<std::string> agent_version;
  std::vector<std::string> features;
};

struct Verify {
  base::Bytes signature;
  base::Bytes challenge;
};

struct VerifyAck {
  bool ok = false;
  std::optional<std::string> reason;
};

struct ErrorMessage {
  std::uint32_t code = 0;
  std::string message;
  std::optional<std::string> ref_msg_id;
};

enum class DisconnectReason : std::uint32_t {
  kShutdown = 0,
  kIdle = 1,
  kBanned = 2,
  kProtocolError = 3,
  kReplaced = 4,
  kOverload = 5,
};

struct Disconnect {
  std::uint32_t reason = 0;
  std::string note;
};

// Whole envelopes, header included.
base::Bytes encode(const Hello&);
base::Bytes encode(const HelloAck&);
base::Bytes encode(const Verify&);
base::Bytes encode(const VerifyAck&);
base::Bytes encode(const ErrorMessage&);
base::Bytes encode(const Disconnect&);

// From a payload, without its header.
std::optional<Hello> decode_hello(base::ByteView payload);
std::optional<HelloAck> decode_hello_ack(base::ByteView payload);
std::optional<Verify> decode_verify(base::ByteView payload);
std::optional<VerifyAck> decode_verify_ack(base::ByteView payload);
std::optional<ErrorMessage> decode_error(base::ByteView payload);
std::optional<Disconnect> decode_disconnect(base::ByteView payload);

// What every payload must satisfy before anybody looks at it (section 2): one map, depth, duplicate keys, trailing
// bytes, UTF-8. Plugins get only payloads that passed.
bool structure_ok(base::ByteView payload);

}  // namespace atlas::wire
