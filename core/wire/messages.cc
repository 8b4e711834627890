#include "wire/messages.h"

#include <atlas/msgpack.hpp>

namespace atlas::wire {
namespace {

using base::Bytes;
using base::ByteView;
using msgpack::MapView;
using msgpack::View;
using msgpack::Writer;

// Writes one whole envelope: room for the header first, so that the payload never moves.
class Composer {
 public:
  Composer() { out_.raw(Bytes(kHeaderSize)); }

  Composer& fields(std::size_t count) {
    out_.map(count);
    return *this;
  }
  Composer& text(std::string_view key, std::string_view value) {
    out_.text(key).text(value);
    return *this;
  }
  Composer& optional_text(std::string_view key, const std::optional<std::string>& value) {
    return value ? text(key, std::string_view(*value)) : *this;
  }
  Composer& texts(std::string_view key, const std::vector<std::string>& values) {
    out_.text(key).array(values.size());
    for (const auto& value : values) out_.text(value);
    return *this;
  }
  Composer& encoded(std::string_view key, const std::optional<Bytes>& value) {
    if (value) out_.text(key).raw(*value);
    return *this;
  }
  Composer& byte_array(std::string_view key, ByteView value) {
    out_.text(key).byte_array(value);
    return *this;
  }
  template <class T>
  Composer& integer(std::string_view key, T value) {
    out_.text(key).integer(value);
    return *this;
  }
  Bytes seal(std::uint8_t type) {
    Bytes whole = out_.take();
    write_header(whole, type, static_cast<std::uint32_t>(whole.size() - kHeaderSize));
    return whole;
  }

 private:
  Writer out_;
};

// Reads the fields of one payload; good() tells at the end whether everything required was there.
class Fields {
 public:
  explicit Fields(ByteView payload) : good_(structure_ok(payload)) {
    if (good_) map_ = MapView::of(payload);
  }

  bool good() const { return good_; }

  std::string text(std::string_view key, std::size_t most = kMaxPayload) {
    const auto value = map_.find(key).text();
    require(value && value->size() <= most);
    return good_ ? std::string(*value) : std::string();
  }
  std::optional<std::string> optional_text(std::string_view key) const {
    const auto value = map_.find(key).text();
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }
  std::vector<std::string> skills() {
    const View field = map_.find("skills");
    require(field.kind() == msgpack::Kind::kArray && field.array().size() <= kMaxSkills);
    std::vector<std::string> out;
    if (!good_) return out;
    for (const View element : field.array()) {
      const auto skill = element.text();
      require(skill && skill->size() <= kMaxSkillBytes);
      if (!good_) return {};
      out.emplace_back(*skill);
    }
    return out;
  }
  std::vector<std::string> features() const {
    std::vector<std::string> out;
    for (const View element : map_.find("features").array()) {
      const auto feature = element.text();
      if (!feature) return {};
      if (feature->size() <= kMaxFeatureBytes && out.size() < kMaxFeatures) out.emplace_back(*feature);
    }
    return out;
  }
  std::optional<Bytes> optional_map(std::string_view key) const {
    const View field = map_.find(key);
    if (field.kind() != msgpack::Kind::kMap) return std::nullopt;
    const auto raw = field.raw();
    return Bytes(raw.begin(), raw.end());
  }
  // A bin or an array of small integers, of any length.
  Bytes bytes(std::string_view key) {
    Bytes out;
    require(map_.find(key).bytes(out, kMaxPayload));
    return out;
  }
  std::uint32_t u32(std::string_view key) {
    const auto value = map_.find(key).u32();
    require(value.has_value());
    return value.value_or(0);
  }
  std::int64_t i64(std::string_view key) {
    const auto value = map_.find(key).i64();
    require(value.has_value());
    return value.value_or(0);
  }
  void require(bool holds) { good_ = good_ && holds; }

 private:
  MapView map_;
  bool good_;
};

template <class Message>
std::optional<Message> when_good(const Fields& fields, Message&& message) {
  if (!fields.good()) return std::nullopt;
  return std::move(message);
}

// Hello and HelloAck are of one build: who the sender is, then what only one of them has, then the sender's software.
// `own` counts the fields between.
template <class Greeting>
void write_sender(Composer& out, const Greeting& greeting, std::size_t own) {
  out.fields(5 + own + greeting.operator_map.has_value() + greeting.wallet.has_value() +
             greeting.agent_version.has_value() + !greeting.features.empty())
      .text("node_id", greeting.node_id)
      .text("name", greeting.name)
      .texts("skills", greeting.skills)
      .encoded("operator", greeting.operator_map)
      .optional_text("wallet", greeting.wallet)
      .byte_array("public_key", greeting.public_key)
      .integer("protocol_v", greeting.protocol_v);
}
template <class Greeting>
void write_software(Composer& out, const Greeting& greeting) {
  out.optional_text("agent_version", greeting.agent_version);
  if (!greeting.features.empty()) out.texts("features", greeting.features);
}

// The fields that both have, wherever they stand.
template <class Greeting>
Greeting read_greeting(Fields& fields) {
  Greeting out;
  out.node_id = fields.text("node_id");
  out.name = fields.text("name", kMaxNameBytes);
  out.skills = fields.skills();
  out.operator_map = fields.optional_map("operator");
  out.wallet = fields.optional_text("wallet");
  out.public_key = fields.bytes("public_key");
  out.protocol_v = fields.u32("protocol_v");
  out.agent_version = fields.optional_text("agent_version");
  out.features = fields.features();
  return out;
}

}  // namespace

bool structure_ok(ByteView payload) {
  constexpr msgpack::Limits kLimits = {.max_depth = base::limits::wire_max_depth,
                                       .max_map_entries = base::limits::wire_max_map_entries};
  return msgpack::check_map(payload, kLimits) == msgpack::Fault::kNone;
}

Bytes encode(const Hello& hello) {
  Composer out;
  write_sender(out, hello, 1);
  out.integer("timestamp", hello.timestamp);
  write_software(out, hello);
  return out.seal(kHello);
}

Bytes encode(const HelloAck& ack) {
  Composer out;
  write_sender(out, ack, 1 + ack.observed.has_value());
  out.byte_array("challenge", ack.challenge).optional_text("observed", ack.observed);
  write_software(out, ack);
  return out.seal(kHelloAck);
}

Bytes encode(const Verify& verify) {
  Composer out;
  out.fields(2).byte_array("signature", verify.signature).byte_array("challenge", verify.challenge);
  return out.seal(kVerify);
}

Bytes encode(const VerifyAck& ack) {
  Composer out;
  out.fields(1 + ack.reason.has_value()).text("status", ack.ok ? "ok" : "rejected").optional_text("reason", ack.reason);
  return out.seal(kVerifyAck);
}

Bytes encode(const ErrorMessage& error) {
  Composer out;
  out.fields(2 + error.ref_msg_id.has_value())
      .integer("code", error.code)
      .text("message", error.message)
      .optional_text("ref_msg_id", error.ref_msg_id);
  return out.seal(kError);
}

Bytes encode(const Disconnect& disconnect) {
  Composer out;
  out.fields(2).integer("reason", disconnect.reason).text("note", disconnect.note);
  return out.seal(kDisconnect);
}

std::optional<Hello> decode_hello(ByteView payload) {
  Fields fields(payload);
  auto out = read_greeting<Hello>(fields);
  out.timestamp = fields.i64("timestamp");
  return when_good(fields, std::move(out));
}

std::optional<HelloAck> decode_hello_ack(ByteView payload) {
  Fields fields(payload);
  auto out = read_greeting<HelloAck>(fields);
  out.challenge = fields.bytes("challenge");
  fields.require(out.challenge.size() == kChallengeSize);
  out.observed = fields.optional_text("observed");
  return when_good(fields, std::move(out));
}

bool of_other_version(ByteView payload) {
  if (!structure_ok(payload)) return false;
  const View version = MapView::of(payload).find("protocol_v");
  return version.kind() == msgpack::Kind::kInteger && version.u64() != kProtocolVersion;
}

std::optional<Verify> decode_verify(ByteView payload) {
  Fields fields(payload);
  Verify out;
  out.signature = fields.bytes("signature");
  out.challenge = fields.bytes("challenge");
  return when_good(fields, std::move(out));
}

std::optional<VerifyAck> decode_verify_ack(ByteView payload) {
  Fields fields(payload);
  VerifyAck out;
  const std::string status = fields.text("status");
  fields.require(status == "ok" || status == "rejected");
  out.ok = status == "ok";
  out.reason = fields.optional_text("reason");
  return when_good(fields, std::move(out));
}

std::optional<ErrorMessage> decode_error(ByteView payload) {
  Fields fields(payload);
  ErrorMessage out;
  out.code = fields.u32("code");
  out.message = fields.text("message");
  out.ref_msg_id = fields.optional_text("ref_msg_id");
  return when_good(fields, std::move(out));
}

std::optional<Disconnect> decode_disconnect(ByteView payload) {
  Fields fields(payload);
  Disconnect out;
  out.reason = fields.u32("reason");
  out.note = fields.text("note");
  return when_good(fields, std::move(out));
}

}  // namespace atlas::wire
