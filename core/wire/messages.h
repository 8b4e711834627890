// The messages that the core itself sends and reads: the handshake, Error and Disconnect (wire protocol, 5 and 6).
// Any thread; plain values.
//
// decode_*() gives nothing for a payload that breaks a rule of section 2, which is Error 2003: its structure, or a
// required field that is missing or of another type. Nil counts as missing. An optional field of another type counts as
// missing too: the rules name only required ones, and unknown content must not end a session.
//
// encode() writes the fields in the order in which the structs and the protocol's tables list them, leaves out optional
// ones that are empty (no nil, which a field with a mere default could not take), and every number in its shortest
// form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/envelope.h"

namespace atlas::wire {

inline constexpr std::size_t kMaxNameBytes = base::limits::wire_name_bytes;
inline constexpr std::size_t kMaxSkills = base::limits::wire_skills;
inline constexpr std::size_t kMaxSkillBytes = base::limits::wire_skill_bytes;
inline constexpr std::size_t kMaxFeatures = base::limits::wire_features;  // what is beyond these two is not read
inline constexpr std::size_t kMaxFeatureBytes = base::limits::wire_feature_bytes;
inline constexpr std::size_t kChallengeSize = 32;
inline constexpr std::uint32_t kProtocolVersion = 1;

struct Hello {
  std::string node_id;
  std::string name;
  std::vector<std::string> skills;
  std::optional<base::Bytes> operator_map;  // one MessagePack map, as it came or as it shall go
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
  // Exactly kChallengeSize bytes after decoding: a dialler must never be made to sign a text of the listener's choice,
  // such as a record (section 9).
  base::Bytes challenge;
  std::optional<std::string> observed;  // the dialler's address as the listener sees it
  std::optional<std::string> agent_version;
  std::vector<std::string> features;
};

struct Verify {
  base::Bytes signature;  // any length here, both: the handshake's own checks refuse them (1002)
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
// Whether a Hello or HelloAck, decodable or not, is of another protocol version: its structure holds and protocol_v is
// an integer other than 1. The rest of such a message may be of any build.
bool of_other_version(base::ByteView payload);
std::optional<Verify> decode_verify(base::ByteView payload);
std::optional<VerifyAck> decode_verify_ack(base::ByteView payload);
std::optional<ErrorMessage> decode_error(base::ByteView payload);
std::optional<Disconnect> decode_disconnect(base::ByteView payload);

// What every payload must satisfy before anybody looks at it (section 2): one map, depth, duplicate keys, trailing
// bytes, UTF-8, and no map of more than base::limits::wire_max_map_entries. Plugins get only payloads that passed.
bool structure_ok(base::ByteView payload);

}  // namespace atlas::wire
