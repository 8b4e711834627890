#include "message.h"

namespace messaging {

using atlas::msgpack::MapView;
using atlas::msgpack::Writer;

namespace {

constexpr std::string_view kPrefix = "msg_";

// An optional text: absent, nil and what is no text are none (protocol, section 2); false for one that is too long.
bool optional_text(const MapView& map, std::string_view key, std::optional<std::string>& out) {
  const auto text = map.find(key).text();
  if (!text) return true;
  if (text->size() > kMaxForeignTopic) return false;
  out.emplace(*text);
  return true;
}

}  // namespace

bool is_message_id(std::string_view text) {
  if (text.size() != kIdSize || !text.starts_with(kPrefix)) return false;
  text.remove_prefix(kPrefix.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

std::string new_message_id(const atlas::Host& host) {
  std::uint8_t bytes[16];
  host.random(bytes);
  const auto now = static_cast<std::uint64_t>(host.unix_ms());
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(now >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x70);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string out(kPrefix);
  constexpr char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

std::vector<std::uint8_t> encode(const Message& message) {
  Writer out;
  out.map(5u + (message.reply_to ? 1u : 0u) + (message.topic ? 1u : 0u));
  out.text("id").text(message.id).text("from").text(message.from).text("to").text(message.to);
  out.text("timestamp").integer(message.timestamp);
  if (message.reply_to) out.text("reply_to").text(*message.reply_to);
  if (message.topic) out.text("topic").text(*message.topic);
  out.text("body").raw(message.body);
  return out.take();
}

std::optional<Message> decode(const MapView& map, std::string& why) {
  Message out;
  const auto id = map.find("id").text(), from = map.find("from").text(), to = map.find("to").text();
  const auto timestamp = map.find("timestamp").i64();
  const auto body = map.find("body");
  if (!id || !is_message_id(*id)) return why = "id is not msg_ and a UUID", std::nullopt;
  if (!from || !to) return why = "from or to is missing", std::nullopt;
  if (!timestamp) return why = "timestamp is missing", std::nullopt;
  if (!body.present()) return why = "body is missing", std::nullopt;
  if (!optional_text(map, "reply_to", out.reply_to)) return why = "reply_to is too long", std::nullopt;
  if (!optional_text(map, "topic", out.topic)) return why = "topic is too long", std::nullopt;
  out.id = *id;
  out.from = *from;
  out.to = *to;
  out.timestamp = *timestamp;
  out.body.assign(body.raw().begin(), body.raw().end());
  return out;
}

std::vector<std::uint8_t> encode_ack(std::string_view id) {
  Writer out;
  out.map(2).text("msg_id").text(id).text("status").text("received");
  return out.take();
}

std::optional<std::vector<std::uint8_t>> body_from_text(const std::string& text, std::string& why) {
  auto value = atlas::json::to_msgpack(text, kBodyDepth);
  if (!value && atlas::json::to_msgpack(text, atlas::msgpack::kDepthCeiling)) {
    return why = atlas::concat("the body is nested more than ", kBodyDepth, " levels deep"), std::nullopt;
  }
  if (!value) value = atlas::json::to_msgpack(atlas::json::quote(text), kBodyDepth);
  if (!value || value->size() > kMaxBody) {
    return why = atlas::concat("the body is larger than ", kMaxBody, " bytes"), std::nullopt;
  }
  return value;
}

atlas::json::Object to_json(const Message& message, std::int64_t received_at, std::size_t max_body) {
  atlas::json::Object out;
  out.text("id", message.id).text("from", message.from).text("topic", message.topic).text("reply_to", message.reply_to);
  out.integer("timestamp", message.timestamp).integer("received_at", received_at);
  out.integer("body_bytes", message.body.size());
  const auto body = atlas::json::from_msgpack(message.body);
  return body && body->size() <= max_body ? out.raw("body", *body) : out.null("body");
}

}  // namespace messaging
