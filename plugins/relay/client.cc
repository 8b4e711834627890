#include "client.h"

#include <algorithm>

#include "relay_session.h"

namespace relay {

using atlas::concat;
using atlas::Millis;
using atlas::Peer;
using atlas::Status;

namespace {

constexpr std::uint8_t kPing = 0xf0;  // the wire protocol's, section 6

std::vector<std::string> without_repeats(const std::vector<std::string>& relays) {
  std::vector<std::string> out;
  for (const std::string& relay : relays) {
    if (std::find(out.begin(), out.end(), relay) == out.end()) out.push_back(relay);
  }
  return out;
}

}  // namespace

Client::Client(atlas::Setup& setup, bool enabled, std::vector<std::string> relays)
    : host_(setup.host()), enabled_(enabled), relays_(without_repeats(relays)) {
  announced_at_ = setup.gauge("announced_at", "Relays that this node is announced at.");
  presence_lost_ = setup.counter("presence_lost", "Times that an announcement at a relay was lost.");
  pairs_lost_ = setup.counter("pairs_lost", "Sessions that ended because a relay stopped forwarding for them.");
  notices_ = setup.counter("notices", "Notices of relays that somebody is about to dial this node.");
  notices_refused_ = setup.counter("notices_refused", "Notices that were malformed, or that the core did not take.");
  notices_from_strangers_ = setup.counter("notices_from_strangers",
                                          "Notices of nodes at which this node is not announced; they are ignored.");
  paths_found_ = setup.counter("paths_found", "Paths through a relay that were found for a dial.");
  paths_not_found_ = setup.counter("paths_not_found", "Dials for which a relay gave no path.");
}

// A command of a few seconds is nobody to be reached.
void Client::start() {
  if (!enabled_ || host_.is_client()) return;
  for (const std::string& relay : relays_) {
    if (is_this_node(relay)) {
      host_.info("relay ", relay, " is this node itself: it is left out");
      continue;
    }
    presences_.push_back(std::make_unique<Presence>(host_, relay, [this](bool announced) {
      if (!announced) presence_lost_.add();
      count_announced();
    }));
    presences_.back()->start();
  }
}

bool Client::is_this_node(const std::string& relay) const {
  const auto address = atlas::Address::parse(relay);
  const atlas::PeerInfo self = host_.peers().self();
  return address &&
         (address == atlas::Address::parse(self.address) || address == atlas::Address::parse(self.public_address));
}

void Client::drain() {
  draining_ = true;
  for (const auto& presence : presences_) presence->stop();
  while (!searches_.empty()) not_found(*searches_.begin(), {ATLAS_E_STOPPING}, "this node is shutting down");
}

void Client::session_is_down(Peer peer) {
  std::erase_if(pairs_, [peer](const auto& entry) { return entry.second.via == peer; });
  for (const auto& presence : presences_) presence->peer_is_down(peer);
}

void Client::count_announced() {
  announced_at_.set(
      std::count_if(presences_.begin(), presences_.end(), [](const auto& it) { return it->announced(); }));
}

void Client::on_notice(const atlas::Incoming& notice) {
  // From the moment that we ask: a notice may overtake the answer to the announcement.
  const bool known = std::any_of(presences_.begin(), presences_.end(),
                                 [&](const auto& presence) { return presence->peer() == notice.from; });
  const auto ready = decode_ready(notice.map());
  if (ready && ready->over) return pair_is_over(notice.from, *ready->over);
  if (!known) return notices_from_strangers_.add();
  notices_.add();
  if (!ready || !ready->forwarding || ready->forwarding->peer_id == host_.peers().self().node_id) {
    notices_refused_.add();
    return static_cast<void>(notice.reject("RelayReady: no forwarding to another agent in it"));
  }
  if (const Status status = host_.routes().expect(path_of(notice.from, *ready->forwarding)); !status.ok()) {
    notices_refused_.add();
    return host_.debug("a notice of a relay was not taken: ", status.text());
  }
  remember(notice.from, *ready->forwarding);
}

// At the limit any of them goes: what is forgotten is found out by silence.
void Client::remember(Peer via, const Forwarding& forwarding) {
  if (pairs_.size() >= kMaxKnownPairs && !pairs_.contains(forwarding.peer_id)) pairs_.erase(pairs_.begin());
  pairs_[forwarding.peer_id] = {via, forwarding.session, false};
}

// Whoever made the pair says so, and of the pair that was offered last: an agent that came back is reached over a new
// one already when the end of the old one is told.
void Client::pair_is_over(Peer via, const Over& over) {
  const auto known = pairs_.find(over.peer_id);
  if (known == pairs_.end() || known->second.via != via || known->second.session != over.session) return;
  known->second.over = true;
  const Peer peer = host_.peers().find(over.peer_id);
  if (peer == 0) {
    pairs_.erase(known);
  } else if (is_relayed(host_, peer)) {
    pairs_lost_.add();
    static_cast<void>(host_.peers().disconnect(peer, ATLAS_DISCONNECT_SHUTDOWN, "the relay forwards no longer"));
  } else {
    ask_for_life(peer);
  }
}

// The session has left the relay. Perhaps the agent is well and only its session with the relay is not; perhaps it was
// restarted and knows nothing of this session.
void Client::ask_for_life(Peer peer) {
  atlas::msgpack::Writer ping;
  ping.map(1).text("ts").integer(host_.unix_seconds() * 1'000);
  host_.request(peer, kPing, ping.take(), kSignOfLife, [this, peer](const atlas::Answer& answer) {
    if (answer.status.code != ATLAS_E_TIMEOUT) return;
    pairs_lost_.add();
    static_cast<void>(host_.peers().disconnect(peer, ATLAS_DISCONNECT_IDLE, "no sign of life"));
  });
}

// Back to a relay that does not forward any more.
void Client::path_has_changed(const atlas::PeerEvent& event) {
  const auto known = pairs_.find(event.node_id);
  if (known == pairs_.end() || !known->second.over || !is_relayed(host_, event.peer)) return;
  pairs_lost_.add();
  static_cast<void>(host_.peers().disconnect(event.peer, ATLAS_DISCONNECT_SHUTDOWN, "the relay forwards no longer"));
}

void Client::find_path(const atlas::PathRequest& request) {
  const auto search = std::make_shared<Search>(Search{
      request.reach, std::string(request.node_id), std::string(request.relay), host_.now() + kReachTime, 0, 0, {}});
  const bool room = searches_.size() < kMaxReaches;
  searches_.insert(search);
  if (draining_) return not_found(search, {ATLAS_E_STOPPING}, "this node is shutting down");
  if (!room) return not_found(search, {ATLAS_E_FULL}, "too many dials ask relays already");
  host_.connect(search->relay, kReachTime,
                [this, search](const atlas::Connected& result) { connected(search, result); });
}

void Client::connected(const SearchPtr& search, const atlas::Connected& result) {
  if (!searches_.contains(search)) return;
  if (!result.status.ok()) {
    return not_found(search, result.status, result.error.empty() ? result.status.text() : result.error);
  }
  search->peer = result.peer;
  if (is_relayed(host_, search->peer)) {
    return not_found(search, {ATLAS_E_DENIED}, "the session there runs through a relay itself");
  }
  ask(search);
}

void Client::ask(const SearchPtr& search) {
  const Millis left = search->deadline - host_.now();
  if (left <= Millis(0)) return not_found(search, {ATLAS_E_TIMEOUT}, "no answer in time");
  const std::string self = host_.peers().self().node_id;
  host_.request(search->peer, kConnect, encode(Connect{self, search->target}), left,
                [this, search](const atlas::Answer& answer) { answered(search, answer); });
}

void Client::answered(const SearchPtr& search, const atlas::Answer& answer) {
  if (!searches_.contains(search)) return;
  if (!answer.status.ok()) return not_found(search, answer.status, answer.why());
  if (answer.error_code != 0) return not_found(search, {ATLAS_E_DENIED}, cut(answer.why()));
  if (answer.type == kError) {
    const auto error = decode_error(answer.map());
    if (!error) return not_found(search, {ATLAS_E_DENIED}, "its answer is malformed");
    if (static_cast<Code>(error->code) == Code::kNotAnnounced && ask_again(search)) return;
    return not_found(search, status_of(*error), why_refused(*error));
  }
  const auto ready = answer.type == kReady ? decode_ready(answer.map()) : std::nullopt;
  if (!ready || ready->waiting) return not_found(search, {ATLAS_E_DENIED}, "its answer is malformed");
  if (!ready->forwarding) return not_found(search, {ATLAS_E_DENIED}, "it does not forward packets");
  found(search, *ready->forwarding);
}

// After a relay's restart its agents announce themselves anew, the target perhaps a moment later than this node.
bool Client::ask_again(const SearchPtr& search) {
  const auto relay = std::find_if(presences_.begin(), presences_.end(),
                                  [&](const auto& presence) { return presence->peer() == search->peer; });
  const bool fresh = relay != presences_.end() && (*relay)->just_came_back(kJustAnnounced);
  if (!fresh || search->asked >= std::size(kAskAgain)) return false;
  search->again = host_.after(kAskAgain[search->asked++], [this, weak = std::weak_ptr(search)] {
    const SearchPtr still = weak.lock();
    if (still && searches_.contains(still)) ask(still);
  });
  return true;
}

void Client::found(const SearchPtr& search, const Forwarding& forwarding) {
  if (forwarding.peer_id != search->target) {
    return not_found(search, {ATLAS_E_DENIED}, "it offers a way to another node");
  }
  const Status status = host_.routes().found(search->reach, path_of(search->peer, forwarding));
  if (status.code == ATLAS_E_GONE) return not_found(search, status, "the session with it has ended");
  if (!status.ok()) return not_found(search, status, "the path that it offers is none");
  remember(search->peer, forwarding);
  searches_.erase(search);
  paths_found_.add();
}

void Client::not_found(SearchPtr search, Status why, std::string_view reason) {
  searches_.erase(search);
  paths_not_found_.add();
  static_cast<void>(host_.routes().not_found(search->reach, why, concat("relay ", search->relay, ": ", reason)));
}

// Addresses are kept as far as the relay can know them: a stranger's word does not have this node send packets into
// networks of its own.
atlas::RoutePath Client::path_of(Peer via, const Forwarding& forwarding) const {
  atlas::RoutePath out{via, forwarding.route, forwarding.peer_route, forwarding.peer_id, {}, 0};
  const atlas::HostAddress relay = host_of(host_, via);
  for (const atlas::Address& address : forwarding.observed) {
    if (atlas::may_be_told(address, relay)) out.observed.push_back(address.text());
  }
  if (forwarding.expires != 0) {
    out.expires = std::min(forwarding.expires, host_.unix_seconds() + kLongestLife);
  }
  return out;
}

void Client::show(atlas::json::Object& out, const std::function<void(std::string)>& line) const {
  atlas::json::Array rows;
  for (const auto& presence : presences_) {
    atlas::json::Object row;
    row.text("address", presence->address());
    if (presence->node_id().empty()) {
      row.null("node_id");
    } else {
      row.text("node_id", presence->node_id());
    }
    row.text("state", to_text(presence->state()));
    if (presence->announced()) {
      row.integer("announced_at", presence->announced_at()).null("problem");
    } else {
      row.null("announced_at");
      if (presence->problem().empty()) {
        row.null("problem");
      } else {
        row.text("problem", presence->problem());
      }
    }
    rows.object(row);
    line(concat("relay ", presence->address(), ": ", to_text(presence->state()),
                presence->problem().empty() ? "" : " (", presence->problem(), presence->problem().empty() ? "" : ")"));
  }
  out.array("relays", rows);
}

}  // namespace relay
