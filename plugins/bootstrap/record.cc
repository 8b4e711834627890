#include "record.h"

#include <algorithm>

#include "atlas/json.hpp"

namespace bootstrap {

namespace {

constexpr std::string_view kPrefix = "atlas_";
constexpr std::uint8_t kV4 = 4, kV6 = 6, kPublic = 0x80;

int nibble(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

void pack_text(std::vector<std::uint8_t>& out, std::string_view text) {
  out.push_back(static_cast<std::uint8_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}
std::string_view take_text(const std::uint8_t*& at) {
  const std::string_view text(reinterpret_cast<const char*>(at + 1), *at);
  at += 1 + text.size();
  return text;
}

void pack_address(std::vector<std::uint8_t>& out, const atlas::Address& address, std::uint8_t flag) {
  const auto& bytes = address.host.bytes();
  out.push_back(static_cast<std::uint8_t>((address.host.is_v4() ? kV4 : kV6) | flag));
  out.insert(out.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(address.host.size()));
  out.push_back(static_cast<std::uint8_t>(address.port >> 8));
  out.push_back(static_cast<std::uint8_t>(address.port));
}
atlas::Address take_address(const std::uint8_t*& at) {
  atlas::Address out;
  if ((*at++ & ~kPublic) == kV4) {
    out.host = atlas::HostAddress::v4({at[0], at[1], at[2], at[3]});
  } else {
    std::array<std::uint8_t, 16> bytes;
    std::copy_n(at, bytes.size(), bytes.begin());
    out.host = atlas::HostAddress::v6(bytes);
  }
  at += out.host.size();
  out.port = static_cast<std::uint16_t>(at[0] << 8 | at[1]);
  at += 2;
  return out;
}

}  // namespace

std::optional<NodeId> parse_node_id(std::string_view text) {
  NodeId out;
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 2 * out.size()) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return out;
}

std::string to_text(const NodeId& id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out(kPrefix);
  for (const std::uint8_t byte : id) (out += digits[byte >> 4]) += digits[byte & 15];
  return out;
}

PackedRecord::PackedRecord(const Record& record) {
  std::vector<std::uint8_t> packed;
  packed.reserve(256);
  packed.resize(kIdAt);
  packed.insert(packed.end(), record.id.begin(), record.id.end());
  packed.push_back(static_cast<std::uint8_t>(record.trust));
  pack_text(packed, record.operator_username);
  packed.push_back(static_cast<std::uint8_t>(record.skills.size()));
  for (const std::string& skill : record.skills) pack_text(packed, skill);
  pack_text(packed, record.name);
  packed.push_back(static_cast<std::uint8_t>(1 + record.public_address.has_value() + record.relays.size()));
  pack_address(packed, record.address, 0);
  if (record.public_address) pack_address(packed, *record.public_address, kPublic);
  for (const atlas::Address& relay : record.relays) pack_address(packed, relay, 0);
  packed[0] = static_cast<std::uint8_t>(packed.size());
  packed[1] = static_cast<std::uint8_t>(packed.size() >> 8);
  bytes_ = std::make_unique_for_overwrite<std::uint8_t[]>(packed.size());
  std::copy(packed.begin(), packed.end(), bytes_.get());
}

Record PackedRecord::unpack() const {
  Record out;
  const std::uint8_t* at = bytes_.get() + kIdAt;
  std::copy_n(at, out.id.size(), out.id.begin());
  at += out.id.size();
  out.trust = static_cast<atlas::Trust>(*at++);
  out.operator_username = take_text(at);
  out.skills.reserve(*at);
  for (std::uint8_t left = *at++; left != 0; --left) out.skills.emplace_back(take_text(at));
  out.name = take_text(at);
  std::uint8_t addresses = *at++;
  out.address = take_address(at);
  while (--addresses != 0) {
    const bool is_public = (*at & kPublic) != 0;
    const atlas::Address address = take_address(at);
    if (is_public) {
      out.public_address = address;
    } else {
      out.relays.push_back(address);
    }
  }
  return out;
}

bool PackedRecord::same_as(const PackedRecord& other) const {
  return size() == other.size() && std::equal(bytes_.get(), bytes_.get() + size(), other.bytes_.get());
}

bool PackedRecord::has_skill(std::string_view skill) const {
  bool found = false;
  each_skill([&](std::string_view it) { return !(found = it == skill); });
  return found;
}

std::string_view PackedRecord::operator_username() const {
  const std::uint8_t* at = bytes_.get() + kOperatorAt;
  return take_text(at);
}

void write_peer_record(atlas::msgpack::Writer& out, const Record& record, std::int64_t last_seen) {
  const bool has_operator = !record.operator_username.empty();
  out.map(6u + record.public_address.has_value() + has_operator + !record.relays.empty());
  out.text("node_id").text(to_text(record.id)).text("address").text(record.address.text());
  if (record.public_address) out.text("public_address").text(record.public_address->text());
  out.text("name").text(record.name).text("skills").array(record.skills.size());
  for (const std::string& skill : record.skills) out.text(skill);
  if (has_operator) out.text("operator_username").text(record.operator_username);
  out.text("trust_level").text(atlas::to_text(record.trust)).text("last_seen").integer(last_seen);
  if (record.relays.empty()) return;
  out.text("relays").array(record.relays.size());
  for (const atlas::Address& relay : record.relays) out.text(relay.text());
}

std::string peer_record_json(const Record& record, std::int64_t last_seen, bool connected) {
  const auto or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  std::vector<std::string> relays;
  for (const atlas::Address& relay : record.relays) relays.push_back(relay.text());
  atlas::json::Object out;
  out.text("node_id", to_text(record.id)).text("address", record.address.text());
  out.text("public_address", record.public_address ? std::optional(record.public_address->text()) : std::nullopt);
  out.text("name", record.name).texts("skills", record.skills);
  out.text("operator_username", or_null(record.operator_username));
  out.text("trust_level", atlas::to_text(record.trust)).integer("last_seen", last_seen).texts("relays", relays);
  return out.boolean("connected", connected).str();
}

}  // namespace bootstrap
