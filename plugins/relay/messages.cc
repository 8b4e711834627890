#include "messages.h"

#include <algorithm>

#include "caps.h"

namespace relay {

using atlas::msgpack::Kind;
using atlas::msgpack::MapView;
using atlas::msgpack::View;
using atlas::msgpack::Writer;

namespace {

bool take_prefix(const View& value, atlas::RoutePrefix& out) {
  std::vector<std::uint8_t> bytes;
  if (!value.bytes(bytes, out.size()) || bytes.size() != out.size()) return false;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return true;
}

// Addresses that are none are left out, as are those beyond the first few.
std::vector<atlas::Address> take_addresses(const View& value) {
  std::vector<atlas::Address> out;
  for (const View item : value.array()) {
    if (out.size() == kMaxObserved) break;
    const auto text = item.text();
    const auto address = text ? atlas::Address::parse(*text) : std::nullopt;
    if (address && std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
  }
  return out;
}

std::optional<Forwarding> take_forwarding(const MapView& map) {
  Forwarding out;
  const MapView peer = map.find("peer").map();
  const auto peer_id = peer.find("node_id").text();
  if (!peer_id || !is_node_id(*peer_id)) return std::nullopt;
  if (!take_prefix(map.find("route"), out.route) || !take_prefix(map.find("peer_route"), out.peer_route)) {
    return std::nullopt;
  }
  if (out.route == out.peer_route) return std::nullopt;
  out.peer_id = *peer_id;
  out.observed = take_addresses(peer.find("observed"));
  out.session = map.find("session").u64().value_or(0);
  out.bandwidth_limit = map.find("bandwidth_limit").u64().value_or(0);
  out.expires = std::max<std::int64_t>(map.find("expires").i64().value_or(0), 0);
  return out;
}

}  // namespace

std::string_view to_text(Code code) {
  switch (code) {
    case Code::kNotAnnounced:
      return "target not announced";
    case Code::kBusy:
      return "target busy";
    case Code::kFull:
      return "relay full";
    case Code::kDenied:
      return "denied";
    case Code::kNotOffered:
      return "not offered here";
  }
  return "denied";
}

bool is_node_id(std::string_view text) {
  constexpr std::string_view kPrefix = "atlas_";
  return text.size() == kPrefix.size() + 64 && text.starts_with(kPrefix) &&
         text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

std::vector<std::uint8_t> encode(const Announce& message) {
  Writer out;
  out.map(2).text("node_id").text(message.node_id).text("timestamp").integer(message.timestamp);
  return out.take();
}

std::optional<Announce> decode_announce(const MapView& map) {
  const auto node_id = map.find("node_id").text();
  const auto timestamp = map.find("timestamp").i64();
  if (!node_id || !timestamp) return std::nullopt;
  return Announce{*node_id, *timestamp};
}

std::vector<std::uint8_t> encode(const Connect& message) {
  Writer out;
  out.map(2).text("source_id").text(message.source_id).text("target_id").text(message.target_id);
  return out.take();
}

std::optional<Connect> decode_connect(const MapView& map) {
  const auto source = map.find("source_id").text(), target = map.find("target_id").text();
  if (!source || !target) return std::nullopt;
  return Connect{*source, *target};
}

std::vector<std::uint8_t> encode_waiting() {
  Writer out;
  out.map(1).text("status").text("waiting");
  return out.take();
}

std::vector<std::uint8_t> encode(const Forwarding& message) {
  Writer out;
  out.map(7).text("status").text("ready").text("session").integer(message.session);
  out.text("route").bin(message.route).text("peer_route").bin(message.peer_route);
  out.text("peer").map(2).text("node_id").text(message.peer_id).text("observed").array(message.observed.size());
  for (const atlas::Address& address : message.observed) out.text(address.text());
  out.text("bandwidth_limit").integer(message.bandwidth_limit).text("expires").integer(message.expires);
  return out.take();
}

std::vector<std::uint8_t> encode(const Over& message) {
  Writer out;
  out.map(3).text("status").text("ended").text("session").integer(message.session);
  out.text("peer").map(1).text("node_id").text(message.peer_id);
  return out.take();
}

std::optional<Ready> decode_ready(const MapView& map) {
  const auto status = map.find("status").text();
  if (status == "waiting") return Ready{true, std::nullopt, std::nullopt};
  if (status == "ended") {
    const auto session = map.find("session").u64();
    const auto peer_id = map.find("peer").map().find("node_id").text();
    if (!session || !peer_id || !is_node_id(*peer_id)) return std::nullopt;
    return Ready{false, std::nullopt, Over{*session, std::string(*peer_id)}};
  }
  if (status != "ready") return std::nullopt;
  Ready out;
  const bool forwards = !map.find("route").is_nil() || !map.find("peer_route").is_nil() || !map.find("peer").is_nil();
  if (forwards && !(out.forwarding = take_forwarding(map))) return std::nullopt;
  return out;
}

std::vector<std::uint8_t> encode(const Error& message) {
  Writer out;
  out.map(3).text("code").integer(message.code).text("message").text(message.message);
  out.text("target_id").text(message.target_id);
  return out.take();
}

std::optional<Error> decode_error(const MapView& map) {
  const auto code = map.find("code").u32();
  const auto message = map.find("message").text(), target = map.find("target_id").text();
  if (!code || !message || !target) return std::nullopt;
  return Error{*code, *message, *target};
}

}  // namespace relay
