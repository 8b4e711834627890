#include "records.h"

#include <algorithm>
#include <atlas/address.hpp>
#include <limits>

#include "address.h"

namespace discovery {

using atlas::PeerInfo;
using atlas::msgpack::MapView;
using atlas::msgpack::View;
using atlas::msgpack::Writer;

namespace {

// What one record may say (protocol, sections 5 and 7); a record beyond is left out.
constexpr std::size_t kMaxName = 64, kMaxSkills = 32, kMaxSkill = 64, kMaxRelays = 8, kMaxAddress = 64,
                      kMaxCursor = 256;
constexpr std::size_t kNodeIdSize = 6 + 64;

void write_texts(Writer& out, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out.text(key).array(texts.size());
  for (const auto& text : texts) out.text(text);
}

// What is of another type counts as missing (protocol, section 2); only a text that is too long breaks a rule.
bool take_text(const View& value, std::size_t most, bool required, std::string& out) {
  const auto text = value.text();
  if (!text) return !required;
  if (text->size() > most) return false;
  out = *text;
  return true;
}

bool take_texts(const View& value, std::size_t most, std::size_t most_each, std::vector<std::string>& out) {
  const auto texts = value.array();
  for (const View item : texts) {
    if (!item.text()) return true;
  }
  if (texts.size() > most) return false;
  for (const View item : texts) {
    if (item.text()->size() > most_each) return false;
    out.emplace_back(*item.text());
  }
  return true;
}

std::optional<PeerInfo> decode_record(const MapView& map, const Reading& reading) {
  PeerInfo out;
  if (!take_text(map.find("node_id"), kNodeIdSize, true, out.node_id) || !atlas::is_node_id(out.node_id))
    return std::nullopt;
  if (!take_text(map.find("address"), kMaxAddress, true, out.address)) return std::nullopt;
  if (!take_text(map.find("public_address"), kMaxAddress, false, out.public_address)) return std::nullopt;
  if (!take_text(map.find("name"), kMaxName, false, out.name)) return std::nullopt;
  if (!take_texts(map.find("skills"), kMaxSkills, kMaxSkill, out.skills)) return std::nullopt;
  if (!take_text(map.find("operator_username"), kMaxName, false, out.operator_username)) return std::nullopt;
  if (!take_texts(map.find("relays"), kMaxRelays, kMaxAddress, out.relays)) return std::nullopt;
  if (!is_kept(out.address, reading.told_by)) return std::nullopt;
  // The rest of a record is good without these.
  if (!is_kept(out.public_address, reading.told_by)) out.public_address.clear();
  std::erase_if(out.relays, [&](const std::string& relay) { return !is_kept(relay, reading.told_by); });
  if (out.operator_username.starts_with('@')) out.operator_username.erase(0, 1);
  // What the bootstrap node thinks of a peer is not what we know of it.
  out.trust = atlas::Trust::kUnknown;
  out.last_seen =
      std::clamp<std::int64_t>(map.find("last_seen").i64().value_or(0), 0, std::max<std::int64_t>(reading.now, 0));
  return out;
}

}  // namespace

bool Filter::matches(const PeerInfo& peer) const {
  if (!node_id.empty() && peer.node_id != node_id) return false;
  if (!operator_username.empty() && peer.operator_username != operator_username) return false;
  return skill.empty() || std::find(peer.skills.begin(), peer.skills.end(), skill) != peer.skills.end();
}

std::vector<std::uint8_t> encode_register(const PeerInfo& self, std::int64_t unix_seconds) {
  const bool with_public = !self.public_address.empty() && self.public_address != self.address;
  Writer out;
  out.map(3u + !self.name.empty() + !self.skills.empty() + !self.operator_username.empty() + with_public +
          !self.relays.empty());
  out.text("node_id").text(self.node_id).text("address").text(self.address).text("timestamp").integer(unix_seconds);
  if (!self.name.empty()) out.text("name").text(self.name);
  write_texts(out, "skills", self.skills);
  if (!self.operator_username.empty()) out.text("operator_username").text(self.operator_username);
  if (with_public) out.text("public_address").text(self.public_address);
  write_texts(out, "relays", self.relays);
  return out.take();
}

std::vector<std::uint8_t> encode_discover(const Filter& filter, std::uint32_t limit,
                                          const std::vector<std::uint8_t>& cursor) {
  Writer out;
  out.map(0u + !filter.skill.empty() + !filter.operator_username.empty() + !filter.node_id.empty() + (limit != 0) +
          !cursor.empty());
  if (!filter.skill.empty()) out.text("skill").text(filter.skill);
  if (!filter.operator_username.empty()) out.text("operator").text(filter.operator_username);
  if (!filter.node_id.empty()) out.text("node_id").text(filter.node_id);
  if (limit != 0) out.text("limit").integer(limit);
  if (!cursor.empty()) out.text("cursor").bin(cursor);
  return out.take();
}

std::optional<Page> decode_peers(const MapView& map, const Reading& reading) {
  const View peers = map.find("peers");
  if (peers.kind() != atlas::msgpack::Kind::kArray) return std::nullopt;
  Page page;
  for (const View item : peers.array()) {
    if (page.peers.size() + page.malformed == reading.most) break;
    if (auto record = decode_record(item.map(), reading)) {
      page.peers.push_back(std::move(*record));
    } else {
      ++page.malformed;
    }
  }
  // One of another type is none: this was the last page.
  static_cast<void>(map.find("next").bytes(page.next, std::numeric_limits<std::size_t>::max()));
  if (page.next.size() > kMaxCursor) return std::nullopt;
  return page;
}

bool is_registered(const atlas::Answer& answer) {
  if (!answer.ok() || answer.type != kMessageAck) return false;
  return answer.map().find("msg_id").text() && answer.map().find("status").text() == "registered";
}

atlas::json::Object to_json(const PeerInfo& peer) {
  const auto or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  atlas::json::Object out;
  out.text("node_id", peer.node_id).text("address", peer.address).text("public_address", or_null(peer.public_address));
  out.text("name", peer.name).texts("skills", peer.skills).text("operator_username", or_null(peer.operator_username));
  out.text("trust_level", atlas::to_text(peer.trust)).integer("last_seen", peer.last_seen).texts("relays", peer.relays);
  return out;
}

}  // namespace discovery
