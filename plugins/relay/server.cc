#include "server.h"

#include <algorithm>
#include <utility>

namespace relay {

using atlas::Incoming;
using atlas::Peer;

namespace {

struct Reason {
  Refused why;
  const char* name;
  const char* metric;
  const char* help;
};
constexpr Reason kReasons[] = {
    {Refused::kMalformed, "malformed", "refused_malformed", "Requests with a missing or ill-typed field."},
    {Refused::kIdentity, "identity", "refused_identity", "Requests in the name of another node."},
    {Refused::kLoop, "loop", "refused_loop", "Requests over a relayed session, or from a node to itself."},
    {Refused::kNotOffered, "not_offered", "refused_not_offered", "Requests while this node is no relay."},
    {Refused::kNotAnnounced, "not_announced", "refused_not_announced", "Connects to a target that is not announced."},
    {Refused::kNoRoutes, "no_routes", "refused_no_routes", "Connects where an agent lacks the feature `routes`."},
    {Refused::kTargetSessions, "target_sessions", "refused_target_sessions",
     "Connects to a target with sessions_per_node sessions."},
    {Refused::kTargetNotices, "target_notices", "refused_target_notices",
     "Connects to a target that was sent notices_per_minute notices."},
    {Refused::kTargetShare, "target_share", "refused_target_share",
     "Connects of a source that had its share of one target's notices."},
    {Refused::kTargetQueue, "target_queue", "refused_target_queue", "Connects to a target that reads nothing."},
    {Refused::kSessions, "sessions", "refused_sessions", "Connects at max_sessions."},
    {Refused::kNodeSessions, "node_sessions", "refused_node_sessions",
     "Connects of a source with sessions_per_node sessions."},
    {Refused::kPrefixSessions, "prefix_sessions", "refused_prefix_sessions",
     "Connects from an IPv4 /24 or IPv6 /48 with sessions_per_prefix sessions."},
    {Refused::kAnnounced, "announced", "refused_announced", "Announcements at max_announced."},
    {Refused::kRoutes, "routes", "refused_routes", "Connects for which the core had no routes left."},
    {Refused::kStopping, "stopping", "refused_stopping", "Requests while this node was shutting down."},
};
static_assert(std::size(kReasons) == static_cast<std::size_t>(Refused::kCount));

std::uint64_t bytes_of(const atlas::RouteCounters& counters) {
  return counters.bytes_to_a + counters.bytes_to_b;
}

}  // namespace

Server::Server(atlas::Setup& setup, const Settings& settings)
    : host_(setup.host()),
      settings_(settings),
      announcements_(settings.max_announced, settings.notices_per_minute),
      sessions_(settings.caps) {
  announced_gauge_ = setup.gauge("announced", "Agents that are reachable through this relay.");
  sessions_gauge_ = setup.gauge("sessions", "Pairs of agents that are being forwarded between.");
  announces_ = setup.counter("announces", "Announcements taken.");
  connects_ = setup.counter("connects", "Pairs of agents that were brought together.");
  replaced_ = setup.counter("replaced", "Of these, pairs that took the place of an earlier one of the same agents.");
  made_way_ = setup.counter("made_way", "Pairs that carried keep-alives only and made room for others.");
  bytes_metric_ = setup.counter("bytes", "Bytes forwarded, both directions, UDP payload.");
  for (const Reason& reason : kReasons) {
    refused_[static_cast<std::size_t>(reason.why)].metric = setup.counter(reason.metric, reason.help);
  }
}

std::optional<Server::Asker> Server::asker(Peer peer) const {
  std::optional<Asker> out;
  static_cast<void>(host_.peers().info(peer, [&](const atlas::PeerView& info) {
    out.emplace(Asker{peer, std::string(info.node_id()),
                      atlas::Address::parse(info.address()).value_or(atlas::Address()),
                      info.trust() == atlas::Trust::kRelay});
  }));
  return out;
}

void Server::on_announce(const Incoming& request) {
  const auto asked = decode_announce(request.map());
  if (!asked) return malformed(request, "RelayAnnounce: expected node_id, a text, and timestamp, an integer");
  const auto from = asker(request.from);
  if (!from || refused_for_asker(request, *from, asked->node_id, from->node_id)) return;
  if (!announcements_.put(from->node_id, from->peer, host_.now())) {
    return refuse(request, Code::kFull, Refused::kAnnounced, from->node_id);
  }
  announces_.add();
  update_gauges();
  static_cast<void>(request.reply(kReady, encode_waiting()));
}

bool Server::refused_for_asker(const Incoming& request, const Asker& asker, std::string_view claimed_id,
                               std::string_view target_id) {
  if (!settings_.offered) return refuse(request, Code::kNotOffered, Refused::kNotOffered, target_id), true;
  if (draining_) return refuse(request, Code::kFull, Refused::kStopping, target_id), true;
  if (claimed_id != asker.node_id) return refuse(request, Code::kDenied, Refused::kIdentity, target_id), true;
  // A relay behind a relay could lead back to where it began.
  if (asker.relayed) return refuse(request, Code::kDenied, Refused::kLoop, target_id), true;
  return false;
}

// All that speaks against the asker comes before the first look at the target. Whoever may not have a session learns
// nothing about the target then; and nobody learns here why a target is not reachable: unknown, connected but not
// announced, gone a moment ago and refused by the core are one answer, given at once.
void Server::on_connect(const Incoming& request) {
  const auto asked = decode_connect(request.map());
  if (!asked) return malformed(request, "RelayConnect: expected source_id and target_id, both texts");
  if (!is_node_id(asked->target_id)) return malformed(request, "RelayConnect: target_id is no node id");
  const auto source = asker(request.from);
  if (!source || refused_for_asker(request, *source, asked->source_id, asked->target_id)) return;
  if (asked->target_id == source->node_id) {
    return refuse(request, Code::kDenied, Refused::kLoop, asked->target_id);
  }
  if (refused_for_room(request, *source, asked->target_id)) return;
  Announcements::Entry* target = announcements_.find(asked->target_id);
  if (target == nullptr) return refuse(request, Code::kNotAnnounced, Refused::kNotAnnounced, asked->target_id);
  // Before its limits, which would tell it from one that is not announced.
  const auto other = asker(target->peer);
  if (!other) return refuse(request, Code::kNotAnnounced, Refused::kNotAnnounced, asked->target_id);
  if (other->relayed) return refuse(request, Code::kNotAnnounced, Refused::kLoop, asked->target_id);
  if (!sessions_.room_for_target(source->node_id, asked->target_id) &&
      !room_can_be_made(Sessions::Room::kNoneForNode, asked->target_id)) {
    return refuse(request, Code::kBusy, Refused::kTargetSessions, asked->target_id);
  }
  switch (target->notices.take(source->node_id, host_.now())) {
    case NoticeBudget::Taken::kYes:
      break;
    case NoticeBudget::Taken::kNoneLeft:
      return refuse(request, Code::kBusy, Refused::kTargetNotices, asked->target_id);
    case NoticeBudget::Taken::kShareIsUsed:
      return refuse(request, Code::kBusy, Refused::kTargetShare, asked->target_id);
  }
  pair(request, *source, *other);
}

bool Server::refused_for_room(const Incoming& request, const Asker& source, std::string_view target_id) {
  const auto room = sessions_.room_for_source(source.node_id, target_id, Prefix(source.address.host));
  if (room_can_be_made(room, source.node_id)) return false;
  switch (room) {
    case Sessions::Room::kYes:
      return false;
    case Sessions::Room::kNone:
      return refuse(request, Code::kFull, Refused::kSessions, target_id), true;
    case Sessions::Room::kNoneForNode:
      return refuse(request, Code::kFull, Refused::kNodeSessions, target_id), true;
    case Sessions::Room::kNoneForPrefix:
      return refuse(request, Code::kFull, Refused::kPrefixSessions, target_id), true;
  }
  return false;
}

// A pair whose agents have a direct path keeps its routes with a datagram now and then, in case that path dies. It is
// the first to go when somebody else has no other way.
bool Server::room_can_be_made(Sessions::Room room, std::string_view node_id) const {
  const atlas::Millis before = host_.now() - settings_.idle;
  if (room == Sessions::Room::kNone) return sessions_.quietest({}, before) != 0;
  return room == Sessions::Room::kNoneForNode && sessions_.quietest(node_id, before) != 0;
}

void Server::make_room(const Asker& source, std::string_view target_id) {
  const atlas::Millis before = host_.now() - settings_.idle;
  const auto drop_quietest = [&](std::string_view node_id) {
    drop(sessions_.quietest(node_id, before));
    made_way_.add();
  };
  const Prefix prefix(source.address.host);
  if (!sessions_.room_for_target(source.node_id, target_id)) drop_quietest(target_id);
  const auto room = sessions_.room_for_source(source.node_id, target_id, prefix);
  if (room == Sessions::Room::kNoneForNode) drop_quietest(source.node_id);
  if (room == Sessions::Room::kNone) drop_quietest({});
}

void Server::pair(const Incoming& request, const Asker& source, const Asker& target) {
  make_room(source, target.node_id);
  const auto counted = std::make_shared<std::uint64_t>(0);
  const atlas::RouteOptions options{settings_.idle, settings_.bandwidth_limit, 0};
  const atlas::AddedRoute added = host_.routes().add(
      source.peer, target.peer, options, [this, counted](const atlas::RouteEnded& end) { ended(end, *counted); });
  if (!added.status.ok()) return refused_by_core(request, added.status, target.node_id);
  Forwarding forwarding;
  forwarding.session = host_.random_u64() >> 11;  // JSON has no integers beyond 2^53
  forwarding.bandwidth_limit = settings_.bandwidth_limit;
  forwarding.expires = host_.unix_seconds() + settings_.idle.count() / 1000;
  forwarding.route = added.to_b;
  forwarding.peer_route = added.to_a;
  forwarding.peer_id = source.node_id;
  forwarding.observed = {source.address};
  if (const atlas::Status sent = host_.send(target.peer, kReady, encode(forwarding)); !sent.ok()) {
    static_cast<void>(host_.routes().remove(added.route));
    if (sent.code == ATLAS_E_GONE) return refuse(request, Code::kNotAnnounced, Refused::kNotAnnounced, target.node_id);
    return refuse(request, Code::kBusy, Refused::kTargetQueue, target.node_id);
  }
  Session session{.number = forwarding.session,
                  .route = added.route,
                  .source = source.node_id,
                  .target = target.node_id,
                  .prefix = Prefix(source.address.host),
                  .begun = host_.now(),
                  .counted = counted,
                  .source_peer = source.peer,
                  .target_peer = target.peer,
                  .busy = host_.now()};
  if (const atlas::Route earlier = sessions_.add(std::move(session)); earlier != 0) {
    static_cast<void>(host_.routes().remove(earlier));
    replaced_.add();
  }
  connects_.add();
  ++paired_;
  update_gauges();
  std::swap(forwarding.route, forwarding.peer_route);
  forwarding.peer_id = target.node_id;
  forwarding.observed = {target.address};
  static_cast<void>(request.reply(kReady, encode(forwarding)));
}

void Server::refused_by_core(const Incoming& request, atlas::Status why, std::string_view target_id) {
  switch (why.code) {
    case ATLAS_E_GONE:
      return refuse(request, Code::kNotAnnounced, Refused::kNotAnnounced, target_id);
    case ATLAS_E_DENIED:  // the asker is direct, so it is the target that is not
      return refuse(request, Code::kNotAnnounced, Refused::kLoop, target_id);
    case ATLAS_E_STATE:
      return refuse(request, Code::kNotOffered, Refused::kNoRoutes, target_id);
    default:
      return refuse(request, Code::kFull, Refused::kRoutes, target_id);
  }
}

void Server::ended(const atlas::RouteEnded& ended, std::uint64_t counted) {
  if (const Session* session = sessions_.find(ended.route); session != nullptr) {
    const Session over = *session;
    sessions_.remove(ended.route);
    tell_ended(over);
  }
  const std::uint64_t all = std::max(bytes_of(ended.last), counted);
  bytes_metric_.add(static_cast<std::int64_t>(all - counted));
  bytes_ += all - counted;
  update_gauges();
}

void Server::drop(atlas::Route route) {
  const Session* session = sessions_.find(route);
  if (session == nullptr) return;
  const Session over = *session;
  sessions_.remove(route);
  static_cast<void>(host_.routes().remove(route));
  tell_ended(over);
  update_gauges();
}

// Their own connection finds out by silence only: nothing answers it any more, and nothing says so.
void Server::tell_ended(const Session& session) {
  tell(session.source_peer, session.source, session, session.target);
  tell(session.target_peer, session.target, session, session.source);
}

// A notice like that of a connect, and within the same bounds.
void Server::tell(Peer peer, const std::string& node_id, const Session& session, const std::string& other_id) {
  Announcements::Entry* entry = announcements_.find(node_id);
  if (draining_ || entry == nullptr || entry->peer != peer) return;
  if (entry->notices.take(other_id, host_.now()) != NoticeBudget::Taken::kYes) return;
  static_cast<void>(host_.send(peer, kReady, encode(Over{session.number, other_id})));
}

// The routes end with the connection, which may wait for a last word; nobody should wait for that.
void Server::session_is_down(const atlas::PeerEvent& event) {
  announcements_.drop(event.peer);
  for (const atlas::Route route : sessions_.of(event.node_id, event.peer)) drop(route);
  update_gauges();
}

void Server::count_bytes() {
  const auto& all = sessions_.all();
  auto at = all.upper_bound(counted_to_);
  for (std::size_t looked = 0; looked < kCountedEachSecond && at != all.end(); ++looked, ++at) {
    counted_to_ = at->first;
    const auto counters = host_.routes().counters(at->first);
    if (!counters || bytes_of(*counters) <= *at->second.counted) continue;
    const std::uint64_t more = bytes_of(*counters) - std::exchange(*at->second.counted, bytes_of(*counters));
    const std::uint64_t datagrams = counters->datagrams_to_a + counters->datagrams_to_b;
    const bool busy = more > kMostKeepAlive * (datagrams - std::min(datagrams, at->second.datagrams));
    sessions_.passed(at->first, datagrams, busy, host_.now());
    bytes_metric_.add(static_cast<std::int64_t>(more));
    bytes_ += more;
  }
  if (at == all.end()) counted_to_ = 0;
}

void Server::refuse(const Incoming& request, Code code, Refused why, std::string_view target_id) {
  count(why);
  static_cast<void>(request.reply(kError, encode(Error{static_cast<std::uint32_t>(code), to_text(code), target_id})));
}

void Server::malformed(const Incoming& request, std::string_view why) {
  count(Refused::kMalformed);
  static_cast<void>(request.reject(why));
}

void Server::count(Refused why) {
  Tally& tally = refused_[static_cast<std::size_t>(why)];
  tally.metric.add();
  ++tally.value;
}

void Server::update_gauges() {
  announced_gauge_.set(static_cast<std::int64_t>(announcements_.size()));
  sessions_gauge_.set(static_cast<std::int64_t>(sessions_.size()));
}

void Server::show(atlas::json::Object& out, const std::function<void(std::string)>& line) const {
  using atlas::json::Object;
  Object limits, refused;
  limits.integer("max_sessions", settings_.caps.all).integer("sessions_per_node", settings_.caps.per_node);
  limits.integer("sessions_per_prefix", settings_.caps.per_prefix).integer("max_announced", settings_.max_announced);
  limits.integer("notices_per_minute", settings_.notices_per_minute);
  limits.integer("bandwidth_limit", settings_.bandwidth_limit).integer("idle_s", settings_.idle.count() / 1000);
  for (const Reason& reason : kReasons) {
    const std::uint64_t times = refused_[static_cast<std::size_t>(reason.why)].value;
    refused.integer(reason.name, times);
    if (times != 0) line(atlas::concat("refused, ", reason.name, ": ", times));
  }
  atlas::json::Array rows;
  std::size_t shown = 0;
  std::uint64_t uncounted = 0;
  for (const auto& [route, session] : sessions_.all()) {
    const atlas::RouteCounters it = host_.routes().counters(route).value_or(atlas::RouteCounters{});
    uncounted += std::max(bytes_of(it), *session.counted) - *session.counted;
    if (rows.bytes() > kMaxShownBytes) continue;
    const auto age = std::max<std::int64_t>((host_.now() - session.begun).count() / 1000, 0);
    Object row;
    row.integer("session", session.number).text("source", session.source).text("target", session.target);
    row.integer("bytes_to_source", it.bytes_to_a).integer("bytes_to_target", it.bytes_to_b);
    row.integer("datagrams_to_source", it.datagrams_to_a).integer("datagrams_to_target", it.datagrams_to_b);
    row.object("dropped", Object()
                              .integer("rate", it.dropped_rate)
                              .integer("source", it.dropped_source)
                              .integer("queue", it.dropped_queue)
                              .integer("share", it.dropped_share));
    rows.object(row.integer("age_s", age));
    if (++shown > kMaxShownLines) continue;
    line(atlas::concat("session ", session.number, ": ", session.source.substr(0, 14), " - ",
                       session.target.substr(0, 14), ", ", it.bytes_to_a, " bytes to the source, ", it.bytes_to_b,
                       " to the target, dropped ", it.dropped_rate, " rate ", it.dropped_source, " source ",
                       it.dropped_queue, " queue ", it.dropped_share, " share, ", age, " s"));
  }
  if (shown > kMaxShownLines) line(atlas::concat(shown - kMaxShownLines, " more sessions; --json has them"));
  out.boolean("offered", settings_.offered).object("limits", limits).integer("announced", announcements_.size());
  out.integer("active", sessions_.size()).integer("connects", paired_).integer("bytes", bytes_ + uncounted);
  out.array("sessions", rows).boolean("more_sessions", shown < sessions_.size()).object("refused", refused);
}

}  // namespace relay
