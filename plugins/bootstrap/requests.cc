#include "requests.h"

#include <algorithm>
#include <limits>

namespace bootstrap {

namespace {

using atlas::msgpack::ArrayView;
using atlas::msgpack::Kind;
using atlas::msgpack::MapView;
using atlas::msgpack::View;

constexpr std::size_t kMaxCursorBytes = 256;

Refusal refuse(Rule rule, std::string text) {
  return {rule, std::move(text)};
}
Refusal wrong(std::string_view field, std::string_view expected) {
  return refuse(Rule::kFields, atlas::concat(field, ": expected ", expected));
}

std::string without_at(std::string_view name) {
  return std::string(name.starts_with('@') ? name.substr(1) : name);
}

// All fields below are optional, and one of another type counts as missing (protocol, section 2): only what has the
// right type can break a rule.

// A text of at most `most` bytes; leaves out alone when there is none.
Refusal take_text(MapView body, std::string_view field, std::size_t most, std::optional<std::string>& out) {
  const auto text = body.find(field).text();
  if (!text) return {};
  if (text->size() > most) return wrong(field, atlas::concat("at most ", most, " bytes"));
  out = *text;
  return {};
}

// An array of nothing but texts.
std::optional<ArrayView> find_texts(MapView body, std::string_view field) {
  const View value = body.find(field);
  if (value.kind() != Kind::kArray) return std::nullopt;
  for (const View item : value.array()) {
    if (!item.text()) return std::nullopt;
  }
  return value.array();
}

void add_once(std::vector<std::string>& skills, std::string_view skill) {
  if (std::find(skills.begin(), skills.end(), skill) == skills.end()) skills.emplace_back(skill);
}

Refusal take_skills(MapView body, std::vector<std::string>& out) {
  const auto skills = find_texts(body, "skills");
  if (!skills) return {};
  if (skills->size() > kMaxSkills) return wrong("skills", atlas::concat("at most ", kMaxSkills, " of them"));
  out.clear();
  for (const View skill : *skills) {
    const auto text = skill.text();
    if (text->size() > kMaxSkillBytes) return wrong("skills", atlas::concat("at most ", kMaxSkillBytes, " bytes each"));
    add_once(out, *text);
  }
  return {};
}

bool is_relay_address(const atlas::Address& address, const SessionFacts& session) {
  const atlas::HostAddress& host = address.host;
  return address.port != 0 && !host.is_unspecified() && !host.is_multicast() &&
         (!host.is_loopback() || session.seen.is_loopback());
}

// Records carry addresses only: a relay that is given as anything else is left out, and so is what comes after the
// first few.
void take_relays(MapView body, const SessionFacts& session, std::vector<atlas::Address>& out) {
  const auto relays = find_texts(body, "relays");
  if (!relays) return;
  for (const View relay : *relays) {
    if (out.size() == kMaxRelays) return;
    const auto address = atlas::Address::parse(*relay.text());
    if (!address || !is_relay_address(*address, session)) continue;
    if (std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
  }
}

Refusal take_addresses(MapView body, const SessionFacts& session, bool allow_foreign, Record& out) {
  const auto address = body.find("address").text();
  if (!address) return wrong("address", "text");
  const AddressVerdict main = judge_address("address", *address, session.seen, allow_foreign);
  if (!main.address) return refuse(Rule::kAddress, main.reason);
  out.address = *main.address;
  const auto given = body.find("public_address").text();
  if (!given) return {};
  const AddressVerdict shown = judge_address("public_address", *given, session.seen, allow_foreign);
  if (!shown.address) return refuse(Rule::kAddress, shown.reason);
  if (*shown.address != out.address) out.public_address = shown.address;
  return {};
}

// Name, skills and operator: what the register says, else what the session's Hello said.
Refusal take_profile(MapView body, const SessionFacts& session, Record& out) {
  std::optional<std::string> name, operator_username;
  if (auto no = take_text(body, "name", kMaxNameBytes, name); no.rule != Rule::kNone) return no;
  // One byte more for the @ that does not count.
  if (auto no = take_text(body, "operator_username", kMaxOperatorBytes + 1, operator_username);
      no.rule != Rule::kNone) {
    return no;
  }
  out.skills = session.skills;
  if (auto no = take_skills(body, out.skills); no.rule != Rule::kNone) return no;
  out.name = name.value_or(session.name);
  out.operator_username = without_at(operator_username.value_or(session.operator_username));
  if (out.operator_username.size() > kMaxOperatorBytes) {
    return wrong("operator_username", atlas::concat("at most ", kMaxOperatorBytes, " bytes"));
  }
  return {};
}

Refusal take_cursor(MapView body, std::optional<std::vector<std::uint8_t>>& out) {
  std::vector<std::uint8_t> bytes;
  if (!body.find("cursor").bytes(bytes, std::numeric_limits<std::size_t>::max())) return {};
  if (bytes.size() > kMaxCursorBytes) return refuse(Rule::kCursor, "cursor: longer than any of an answer");
  out = std::move(bytes);
  return {};
}

}  // namespace

SessionFacts::SessionFacts(const atlas::PeerView& peer)
    : node_id(peer.node_id()), name(peer.name().substr(0, kMaxNameBytes)), trust(peer.trust()) {
  if (const auto address = atlas::Address::parse(peer.address())) seen = address->host;
  if (peer.operator_username().size() <= kMaxOperatorBytes) operator_username = peer.operator_username();
  for (const atlas_text skill : peer.skills()) {
    if (skills.size() < kMaxSkills && skill.size <= kMaxSkillBytes) add_once(skills, atlas::view(skill));
  }
}

Refusal read_register(MapView body, const SessionFacts& session, bool allow_foreign, Record& out) {
  const auto node_id = body.find("node_id").text();
  if (!node_id) return wrong("node_id", "text");
  const auto id = parse_node_id(*node_id);
  if (!id || *node_id != session.node_id) return refuse(Rule::kIdentity, "node_id: must be the session's own");
  if (!body.find("timestamp").i64()) return wrong("timestamp", "an integer");
  out.id = *id;
  out.trust = session.trust;
  if (auto no = take_addresses(body, session, allow_foreign, out); no.rule != Rule::kNone) return no;
  if (auto no = take_profile(body, session, out); no.rule != Rule::kNone) return no;
  take_relays(body, session, out.relays);
  return {};
}

Refusal read_discover(MapView body, DiscoverRequest& out) {
  std::optional<std::string> node_id;
  if (auto no = take_text(body, "skill", kMaxSkillBytes, out.filter.skill); no.rule != Rule::kNone) return no;
  if (auto no = take_text(body, "operator", kMaxOperatorBytes + 1, out.filter.operator_username);
      no.rule != Rule::kNone) {
    return no;
  }
  if (auto no = take_text(body, "node_id", 128, node_id); no.rule != Rule::kNone) return no;
  if (out.filter.operator_username) out.filter.operator_username = without_at(*out.filter.operator_username);
  if (node_id && !(out.filter.node_id = parse_node_id(*node_id))) return wrong("node_id", "atlas_ and 64 hex digits");
  // A limit of 0 is none: a page without records would lead nowhere.
  if (const auto limit = body.find("limit").u32(); limit && *limit != 0) out.limit = std::min(*limit, kMaxPeers);
  return take_cursor(body, out.cursor);
}

}  // namespace bootstrap
