// The Message and its acknowledgement on the wire (protocol, section 6), and as rows of the store.
// Plain values; any thread.
#pragma once

#include <atlas/json.hpp>
#include <atlas/msgpack.hpp>
#include <atlas/plugin.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace messaging {

inline constexpr std::uint8_t kMessage = 0x10;
inline constexpr std::uint8_t kMessageAck = 0x11;

// What we send; the payload's other fields fit beside it. The body that others send is bounded by the payload, 4 MiB.
inline constexpr std::size_t kMaxBody = 4'194'304 - 4'096;  // bytes of the encoded body
inline constexpr std::size_t kMaxTopic = 256;               // bytes
inline constexpr std::size_t kMaxForeignTopic = 4'096;      // bytes; of topics and of reply_to that others send
inline constexpr std::size_t kIdSize = 4 + 36;              // "msg_" and a UUID
inline constexpr std::uint32_t kBodyDepth = 15;             // the payload's own map is depth 1 of 16

struct Message {
  std::string id, from, to;
  std::int64_t timestamp = 0;  // Unix seconds, as the sender says
  std::optional<std::string> reply_to, topic;
  std::vector<std::uint8_t> body;  // one MessagePack value
};

// "msg_" and a UUID in its usual form. Its digits may be of either case: ids are compared as texts, never as numbers.
bool is_message_id(std::string_view text);
// "msg_" and a UUID of version 7 (RFC 9562, section 5.7): time first, so ids sort by age.
std::string new_message_id(const atlas::Host& host);

std::vector<std::uint8_t> encode(const Message& message);
// Nothing when a required field is missing or ill-typed, or any is over its limit; why says which. An optional field of
// another type counts as missing.
std::optional<Message> decode(const atlas::msgpack::MapView& map, std::string& why);

std::vector<std::uint8_t> encode_ack(std::string_view id);

// What a person typed, as a body: JSON when it is JSON, else a JSON string of it. Nothing when it is too large or too
// deep; why says which.
std::optional<std::vector<std::uint8_t>> body_from_text(const std::string& text, std::string& why);

// For `net inbox`. received_at is Unix seconds. A body that takes more than max_body bytes as JSON is shown as null.
atlas::json::Object to_json(const Message& message, std::int64_t received_at, std::size_t max_body);

}  // namespace messaging
