// Routes that roles ask for, paths that they find, and the connections that run through forwarders.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "node/switchboard.h"

#include "atlas/ext/routes.h"

namespace atlas::node {

using base::Level;
using base::log;

// --- forwarding for others ---

void Switchboard::add_route(host::RouteOrder order) {
  const std::uint64_t id = order.route;
  const auto ended = std::make_shared<host::RouteEndedFn>(std::move(order.ended));
  const Link* a = link_of(order.a);
  const Link* b = link_of(order.b);
  if (a == nullptr || b == nullptr) return (*ended)(ATLAS_ROUTE_PEER_GONE);
  quic::RoutePair pair;
  pair.a = a->connection;
  pair.b = b->connection;
  pair.to_a = order.to_a;
  pair.to_b = order.to_b;
  pair.bytes_per_second = order.bytes_per_second;
  pair.byte_budget = order.byte_budget;
  pair.idle = order.idle;
  pair.tally = std::move(order.tally);
  pair.ended = [this, id, ended](quic::RouteEnded why) {
    routes_.erase(id);
    (*ended)(static_cast<std::uint32_t>(why));
  };
  const auto added = endpoint_->routes().add(std::move(pair));
  if (!added) {
    log(Level::kWarn, "routes", "a pair of routes was not added: {}", added.error().text);
    return (*ended)(ATLAS_ROUTE_REMOVED);
  }
  routes_.emplace(id, *added);
}

void Switchboard::remove_route(std::uint64_t route) {
  const auto found = routes_.find(route);
  if (found != routes_.end()) endpoint_->routes().remove(quic::RouteId(found->second));
}

// --- paths through others ---

base::Result<void> Switchboard::ask_for_path(const DialTarget& target, const session::Candidate& candidate,
                                             DialTicket ticket) {
  if (!target.node_id) return base::fail(base::Fault::kArgument, "a relay needs to be told a node id");
  const std::uint64_t reach = next_reach_++;
  const std::string relay = candidate.address.text();
  reaches_.emplace(reach, Reach{ticket, *target.node_id, relay});
  if (host_->want_path(reach, *target.node_id, relay)) return {};
  reaches_.erase(reach);
  return base::fail(base::Fault::kUnreachable, "relay " + relay + ": no role looks for paths now");
}

std::optional<Switchboard::Reach> Switchboard::take_reach(std::uint64_t reach) {
  const auto found = reaches_.find(reach);
  if (found == reaches_.end()) return std::nullopt;
  Reach out = std::move(found->second);
  reaches_.erase(found);
  return out;
}

bool Switchboard::forget_reach(DialTicket ticket) {
  const auto found = std::ranges::find_if(reaches_, [&](const auto& entry) {
    return entry.second.ticket.dial == ticket.dial && entry.second.ticket.attempt == ticket.attempt;
  });
  if (found == reaches_.end()) return false;
  host_->forget_path(found->first);
  reaches_.erase(found);
  return true;
}

// The relay's clock may differ from ours by as much as a handshake allows: within that nobody is locked out.
base::MonoNs Switchboard::life_of(const host::PathOffer& offer) const {
  if (offer.expires == 0) return base::kNever;
  const auto drift = static_cast<std::int64_t>(std::min<std::uint64_t>(setup_.max_clock_drift_s, INT64_MAX));
  const std::int64_t end = base::saturating_add(offer.expires, drift), now = setup_.clock->unix_s();
  return end <= now ? 0 : base::saturating_mul<base::MonoNs>(base::distance(end, now), base::kSecond);
}

void Switchboard::path_found(std::uint64_t reach, host::PathOffer offer) {
  const auto asked = take_reach(reach);
  if (!asked) return;  // another candidate was first, or the time is over
  const auto failed = [&](const std::string& why) {
    dialler_.on_failed(asked->ticket, wire::DialFailure::kUnreachable, "relay " + asked->relay + ": " + why);
  };
  const Link* via = link_of(offer.via);
  if (via == nullptr || via->connection->relayed()) return failed("the session with it has ended");
  if (offer.node_id != asked->node_id) return failed("it offers a path to another node");
  if (life_of(offer) == 0) return failed("the path that it offers has expired");
  auto made = std::make_unique<Link>(*this);
  made->ticket = asked->ticket;
  made->via = offer.via;
  made->observed = std::move(offer.observed);
  made->peer_route = offer.peer_route;
  made->keep_route = keep_route_every(offer.expires, setup_.clock->unix_s());
  const auto opened = endpoint_->dial({.remote = via->connection->remote(),
                                       .expected_node_id = asked->node_id,
                                       .user = made.get(),
                                       .via = quic::Via{offer.route, offer.peer_route}});
  if (!opened) return failed(opened.error().text);
  made->connection = *opened;
  Link* raw = made.get();
  links_.emplace(raw, std::move(made));
  routed_.push_back(raw);
}

void Switchboard::path_not_found(std::uint64_t reach, base::Fault fault, std::string reason) {
  const auto asked = take_reach(reach);
  if (!asked) return;
  const auto failure = fault == base::Fault::kDenied ? wire::DialFailure::kRejected : wire::DialFailure::kUnreachable;
  dialler_.on_failed(asked->ticket, failure, reason.empty() ? "relay " + asked->relay + ": no path" : reason);
}

void Switchboard::expect_path(host::PathOffer offer) {
  const Link* via = link_of(offer.via);
  if (via == nullptr || via->connection->relayed()) return;
  const base::MonoNs life = std::min(life_of(offer), kExpectFor);
  if (life == 0) return log(Level::kInfo, "routes", "{} is not expected: its path has expired", offer.node_id);
  const auto expected = endpoint_->expect({.route = offer.route,
                                           .forwarder = via->connection->remote(),
                                           .node_id = offer.node_id,
                                           .until = base::after(deadlines_.now(), life)});
  if (!expected) return log(Level::kWarn, "routes", "{} cannot be expected: {}", offer.node_id, expected.error().text);
  const base::MonoNs now = deadlines_.now();
  std::erase_if(announced_, [&](const auto& one) { return one.until <= now || one.node_id == offer.node_id; });
  announced_.push_back({offer.node_id, std::move(offer.observed), base::after(now, life)});
}

// --- connections that run through a forwarder ---

host::PeerHandle Switchboard::forwarder_of(const quic::Connection& connection) {
  host::PeerHandle found = 0;
  sessions_.each([&](host::PeerHandle handle, const Link* link) {
    if (!link->connection->relayed() && link->connection->remote() == connection.remote()) found = handle;
  });
  return found;
}

void Switchboard::begin_upgrade(Link& link) {
  const std::string& node_id = link.session->info->record.node_id;
  const auto known = std::ranges::find(announced_, node_id, &Announced::node_id);
  if (link.connection->side() == quic::Side::kListener && known != announced_.end()) {
    link.observed = std::move(known->observed);
    announced_.erase(known);
  }
  const auto& features = link.session->peer.features;
  const bool symmetric_there = std::ranges::find(features, kSymmetricNatFeature) != features.end();
  link.upgrade = std::make_unique<PathUpgrade>(PathUpgrade::Setup{.deadlines = &deadlines_,
                                                                  .endpoint = endpoint_,
                                                                  .random = setup_.random,
                                                                  .connection = link.connection,
                                                                  .candidates = std::move(link.observed),
                                                                  .symmetric_there = symmetric_there,
                                                                  .here = setup_.obstacles});
  link.upgrade->begin();
  begin_watch();
  if (link.connection->side() == quic::Side::kListener) return;
  const auto relay = [this, via = link.via]() -> std::optional<net::SocketAddress> {
    const Link* found = link_of(via);
    if (found == nullptr) return std::nullopt;
    return found->connection->remote();
  };
  link.keeper = std::make_unique<RouteKeeper>(RouteKeeper::Setup{.deadlines = &deadlines_,
                                                                 .endpoint = endpoint_,
                                                                 .random = setup_.random,
                                                                 .relay = relay,
                                                                 .peer_route = link.peer_route,
                                                                 .every = link.keep_route});
}

void Switchboard::path_changed(Link& link) {
  SessionInfo& info = *link.session->info;
  const bool relayed = link.connection->relayed();
  // The session with the relay has ended meanwhile, and the routes with it: there is nothing to come back to.
  if (relayed && link.via != 0 && link_of(link.via) == nullptr) return lose_way(link);
  const std::string address = link.connection->remote().text();
  info.relayed = relayed;
  setup_.table->moved(info.handle, address);
  log(Level::kInfo, "session", "{} is reached {} now", info.record.node_id,
      relayed ? "through the relay at " + address : "directly at " + address);
  if (link.upgrade) link.upgrade->on_path();
  host_->peer_event(
      {.what = ATLAS_PEER_PATH, .peer = info.handle, .node_id = info.record.node_id, .dialled = info.dialled});
}

void Switchboard::on_opening(const net::SocketAddress& from) {
  for (const Link* link : routed_) {
    if (link->upgrade) link->upgrade->on_opening(from);
  }
}

std::vector<Switchboard::PathRow> Switchboard::paths() const {
  std::vector<PathRow> out;
  for (const Link* link : routed_) {
    if (!link->upgrade || !link->session) continue;
    out.push_back({link->session->info->record.node_id, link->upgrade->text(), to_text(link->upgrade->reason())});
  }
  return out;
}

// The way of these is gone with the session: whoever needs their peers dials anew, over another relay if there is one.
void Switchboard::leave_forwarder(host::PeerHandle via) {
  std::vector<Link*> lost;
  for (Link* link : routed_) {
    const bool direct = link->session && !link->connection->relayed();
    if (link->via == via && !direct && link->phase != Phase::kFarewell && link->phase != Phase::kClosed)
      lost.push_back(link);
  }
  for (Link* link : lost) lose_way(*link);
}

void Switchboard::lose_way(Link& link) {
  log(Level::kInfo, "session", "the relay at {} is gone, and with it the way to a peer",
      link.connection->remote().text());
  if (link.phase == Phase::kSession) session_down(link, wire::DisconnectReason::kShutdown);
  attempt_failed(link, wire::DialFailure::kUnreachable, "the relay is gone");
  await_and_close(link, -1, static_cast<std::uint64_t>(wire::DisconnectReason::kShutdown), "the relay is gone");
}

}  // namespace atlas::node
