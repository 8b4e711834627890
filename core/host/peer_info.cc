#include "host/peer_info.h"

#include <algorithm>

#include "base/utf8.h"
#include "host/status.h"
#include "net/address.h"
#include "wire/messages.h"

namespace atlas::host {
namespace {

constexpr std::size_t kMaxRelays = base::limits::plugins_record_relays;

std::vector<atlas_text> texts_of(const std::vector<std::string>& values) {
  std::vector<atlas_text> out;
  out.reserve(values.size());
  for (const std::string& value : values) out.push_back(text_of(value));
  return out;
}

bool is_address(std::string_view text) {
  return net::SocketAddress::parse(text).has_value();
}
bool is_name(std::string_view text, std::size_t most) {
  return text.size() <= most && base::is_utf8(text);
}

base::Result<std::vector<std::string>> strings_from(const atlas_text* texts, std::size_t count, std::size_t most,
                                                    const char* what) {
  if (count > most || (texts == nullptr && count != 0)) {
    return base::fail(base::Fault::kArgument, std::string("too many ") + what);
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_name(view(texts[i]), wire::kMaxSkillBytes)) {
      return base::fail(base::Fault::kArgument, std::string("one of the ") + what + " is too long or no text");
    }
    out.emplace_back(view(texts[i]));
  }
  return out;
}

}  // namespace

PeerInfoView::PeerInfoView(const wire::PeerRecord& record)
    : skills_(texts_of(record.skills)), relays_(texts_of(record.relays)) {
  info_.struct_size = sizeof info_;
  info_.node_id = text_of(record.node_id);
  info_.address = text_of(record.address);
  if (record.public_address) info_.public_address = text_of(*record.public_address);
  info_.name = text_of(record.name);
  info_.skills = skills_.data();
  info_.skill_count = skills_.size();
  if (record.operator_username) info_.operator_username = text_of(*record.operator_username);
  info_.relays = relays_.data();
  info_.relay_count = relays_.size();
  info_.trust = static_cast<std::uint32_t>(record.trust);
  info_.last_seen = record.last_seen;
}

PeerInfoView::PeerInfoView(const LivePeer& live) : PeerInfoView(live.record) {
  info_.peer = live.handle;
  info_.dialled = live.dialled ? 1 : 0;
  info_.connected_at = live.connected_at;
  info_.rtt_us = live.rtt_us;
}

base::Result<wire::PeerRecord> record_from(const atlas_peer_info& info) {
  wire::PeerRecord out;
  out.node_id = view(info.node_id);
  if (!wire::is_node_id(out.node_id)) return base::fail(base::Fault::kArgument, "node_id is none");
  out.address = view(info.address);
  if (!is_address(out.address)) return base::fail(base::Fault::kArgument, "address is not ip:port");
  if (info.public_address.size != 0) {
    if (!is_address(view(info.public_address))) {
      return base::fail(base::Fault::kArgument, "public_address is not ip:port");
    }
    out.public_address = view(info.public_address);
  }
  out.name = view(info.name);
  const std::string_view username = view(info.operator_username);
  if (!is_name(out.name, wire::kMaxNameBytes) || !is_name(username, wire::kMaxNameBytes)) {
    return base::fail(base::Fault::kArgument, "name or operator_username is too long or no text");
  }
  if (!username.empty()) out.operator_username = username;
  auto skills = strings_from(info.skills, info.skill_count, wire::kMaxSkills, "skills");
  if (!skills) return std::unexpected(skills.error());
  out.skills = std::move(*skills);
  auto relays = strings_from(info.relays, info.relay_count, kMaxRelays, "relays");
  if (!relays) return std::unexpected(relays.error());
  if (!std::ranges::all_of(*relays, is_address)) return base::fail(base::Fault::kArgument, "a relay is not ip:port");
  out.relays = std::move(*relays);
  out.trust = info.trust <= 3 ? static_cast<wire::Trust>(info.trust) : wire::Trust::kUnknown;
  out.last_seen = std::max<std::int64_t>(info.last_seen, 0);
  return out;
}

}  // namespace atlas::host
