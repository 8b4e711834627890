// Connections come and go here; one session for each node id; dials are started and their outcome told.
#include "node/switchboard.h"

#include <algorithm>

#include "base/log.h"

#include "atlas/plugin.h"

namespace atlas::node {

using base::Level;
using base::log;

void Link::on_expire(base::MonoNs now) {
  owner.expired(*this, now);
}

Switchboard::Switchboard(Setup setup)
    : setup_(std::move(setup)),
      deadlines_(*setup_.deadlines),
      counters_(*setup_.counters),
      journal_(*setup_.store, deadlines_),
      bans_(*setup_.random),
      dialler_(deadlines_, counters_,
               {.open = [this](const DialTarget& target, const session::Candidate& candidate,
                               DialTicket ticket) { return open_attempt(target, candidate, ticket); },
                .abandon = [this](DialTicket ticket, Abandon why) { return abandon_attempt(ticket, why); },
                .mark_failure = [this](const std::string& node_id,
                                       wire::DialFailure failure) { setup_.store->mark_failure(node_id, failure); }}),
      budgets_(*setup_.random) {
  policy_.max_clock_drift_s = setup_.max_clock_drift_s;
  policy_.refuse = [this](const session::PeerIdentity& peer) {
    return bans_.check(peer.node_id, setup_.clock->unix_s());
  };
}

Switchboard::~Switchboard() {
  for (auto& [raw, link] : links_) deadlines_.clear(*link);
}

void Switchboard::attach(quic::Endpoint& endpoint, host::Host& host) {
  endpoint_ = &endpoint;
  host_ = &host;
}

Link* Switchboard::link_of(host::PeerHandle peer) {
  Link** found = sessions_.find(peer);
  return found == nullptr ? nullptr : *found;
}

// --- connections ---

void Switchboard::on_connected(quic::Connection& connection) {
  Link* link = link_of(connection);
  // It was still in TLS when the node began to stop. Nobody waits for a connection without a link.
  if (stopping_ && link == nullptr) return connection.close(0, kStopNote);
  if (stopping_) return await_and_close(*link, -1, 0, kStopNote);
  if (link == nullptr) {
    auto made = std::make_unique<Link>(*this);
    link = made.get();
    link->connection = &connection;
    connection.user = link;
    links_.emplace(link, std::move(made));
    if (connection.routed()) {
      link->via = forwarder_of(connection);
      routed_.push_back(link);
    }
  }
  begin_greeting(*link);
}

void Switchboard::on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) {
  Link* link = link_of(connection);
  if (link == nullptr) return;
  if (link->phase == Phase::kSession) return session_data(*link, stream, data, fin);
  connection.consume(stream, data.size());
  if (link->phase == Phase::kGreeting) greeting_data(*link, stream, data, fin);
}

void Switchboard::on_written(quic::Connection& connection, quic::StreamId stream) {
  Link* link = link_of(connection);
  if (link == nullptr) return;
  if (link->farewell && link->farewell->awaited == stream) {
    connection.close(link->farewell->code, link->farewell->note);
  } else if (link->phase == Phase::kSession) {
    Exchange* exchange = find_exchange(*link, stream);
    const auto* answering = exchange ? std::get_if<std::unique_ptr<Answering>>(&exchange->part) : nullptr;
    // The refusal has arrived: what the peer still sends on this stream is not wanted.
    if (answering != nullptr && (*answering)->refused) {
      reset_exchange(*link, stream, wire::Code::kRejected);
    } else if (answering != nullptr && (*answering)->sending) {
      drop_exchange(*link, stream);
    } else if (exchange != nullptr && answering == nullptr) {
      Asked& asked = *std::get<std::unique_ptr<Asked>>(exchange->part);
      if (std::exchange(asked.unread, 0) != 0) asked.exchange.request_moved(deadlines_.now());
    }
  }
}

void Switchboard::on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  Link* link = link_of(connection);
  if (link == nullptr) return;
  if (link->phase == Phase::kGreeting && link->greeting && link->greeting->stream == stream) {
    session::Step step;
    step.outcome = session::Step::Outcome::kFailed;
    step.close_code = static_cast<std::uint64_t>(wire::DisconnectReason::kProtocolError);
    step.reason = "the peer reset the handshake stream";
    greeting_failed(*link, step, false);
  } else if (link->phase == Phase::kGreeting && link->greeting) {
    link->greeting->give_up_early(stream);
  } else if (link->phase == Phase::kSession) {
    if (ConnectionStreams* streams = streams_with(connection, stream)) return streams->reset(stream, code);
    drop_opening(*link, stream);
    host::Answer gone;
    gone.fault = base::Fault::kGone;
    complete(*link, stream, std::move(gone));
    drop_exchange(*link, stream);
  }
}

void Switchboard::on_stream_closed(quic::Connection& connection, quic::StreamId stream) {
  Link* link = link_of(connection);
  if (link == nullptr || link->phase != Phase::kSession) return;
  if (ConnectionStreams* streams = streams_with(connection, stream)) return streams->closed(stream);
  host::Answer gone;
  gone.fault = base::Fault::kGone;
  complete(*link, stream, std::move(gone));
  drop_exchange(*link, stream);
}

void Switchboard::on_path(quic::Connection& connection) {
  Link* link = link_of(connection);
  if (link == nullptr || !link->session) return;
  if (connection.routed()) return path_changed(*link);
  const auto& info = *link->session->info;
  const std::string address = connection.remote().text();
  setup_.table->moved(info.handle, address);
  journal_.moved(
      {info.record.node_id, address, info.protocol_v, info.connected_at, info.record.trust, connection.loss_token()});
  host_->peer_event(
      {.what = ATLAS_PEER_PATH, .peer = info.handle, .node_id = info.record.node_id, .dialled = info.dialled});
}

namespace {

struct CloseMeaning {
  wire::DialFailure failure;
  wire::DisconnectReason reason;
  std::string text;
};

CloseMeaning meaning_of(const quic::CloseInfo& info) {
  using By = quic::CloseInfo::By;
  const auto known = [](std::uint64_t code) {
    return code <= 5 ? static_cast<wire::DisconnectReason>(code) : wire::DisconnectReason::kShutdown;
  };
  switch (info.by) {
    case By::kLocal:
      return {wire::DialFailure::kDisconnected, known(info.code), "closed here"};
    case By::kPeer:
      return {info.code == 2 ? wire::DialFailure::kRejected : wire::DialFailure::kDisconnected, known(info.code),
              "the peer closed with code " + std::to_string(info.code)};
    case By::kPeerTransport:
      return {info.code >= 0x100 && info.code < 0x200 ? wire::DialFailure::kRejected : wire::DialFailure::kReset,
              wire::DisconnectReason::kProtocolError,
              info.code >= 0x100 && info.code < 0x200 ? "the peer refused our certificate or protocol"
                                                      : "the peer closed the transport"};
    case By::kTransport:
      return {wire::DialFailure::kReset, wire::DisconnectReason::kProtocolError, info.reason};
    case By::kIdle:
      return {wire::DialFailure::kExpired, wire::DisconnectReason::kIdle, "silent for too long"};
    case By::kHandshakeTimeout:
      return {wire::DialFailure::kUnreachable, wire::DisconnectReason::kIdle, "no answer"};
    case By::kReset:
      return {wire::DialFailure::kReset, wire::DisconnectReason::kShutdown, "the peer lost the connection"};
    case By::kIdentity:
      return {wire::DialFailure::kRejected, wire::DisconnectReason::kProtocolError, info.reason};
  }
  return {wire::DialFailure::kReset, wire::DisconnectReason::kProtocolError, info.reason};
}

}  // namespace

void Switchboard::on_closed(quic::Connection& connection, const quic::CloseInfo& info) {
  Link* link = link_of(connection);
  if (link == nullptr) return;
  connection.user = nullptr;
  const CloseMeaning meaning = meaning_of(info);
  if (link->phase == Phase::kSession) session_down(*link, meaning.reason);
  attempt_failed(*link, meaning.failure, meaning.text);
  link->phase = Phase::kClosed;
  deadlines_.clear(*link);
  if (connection.routed()) std::erase(routed_, link);
  links_.erase(link);
  finish_stop_when_empty();
}

void Switchboard::expired(Link& link, base::MonoNs now) {
  switch (link.phase) {
    case Phase::kGreeting:
      apply(link, std::visit([](auto& side) { return side.on_timeout(); }, link.greeting->state));
      return;
    case Phase::kSession:
      return sweep(link, now);
    case Phase::kFarewell:
      return link.connection->close(link.farewell->code, link.farewell->note);
    case Phase::kTls:
    case Phase::kClosed:
      return;
  }
}

// --- sessions ---

namespace {

// Only a listener that the operator configured may tell us what our address is.
void pass_observed_on(const Switchboard::Setup& setup, const SessionInfo& info, const std::string& observed,
                      bool relay) {
  const bool bootstrap = info.record.trust == wire::Trust::kBootstrap;
  if (!setup.on_observed || (!bootstrap && !relay)) return;
  setup.on_observed(info.record.address, observed,
                    bootstrap ? PublicAddress::Seen::kByBootstrap : PublicAddress::Seen::kByRelay);
}

}  // namespace

void Switchboard::session_up(Link& link) {
  if (stopping_) return part(link, wire::DisconnectReason::kShutdown, kStopNote);
  auto session = std::make_unique<LiveSession>();
  session->peer = std::visit([](auto& side) { return side.peer(); }, link.greeting->state);
  if (session->peer.node_id == setup_.self.key->node_id()) {
    attempt_failed(link, wire::DialFailure::kRejected, "that address is this node itself");
    return part(link, wire::DisconnectReason::kShutdown, "this is the same node");
  }
  if (!settle_duplicate(link, session->peer)) return;

  const std::int64_t now_s = setup_.clock->unix_s();
  const std::string address = link.connection->remote().text();
  auto info = std::make_shared<SessionInfo>();
  info->record.node_id = session->peer.node_id;
  info->key = link.connection->peer_key();
  info->record.address = address;
  info->record.name = session->peer.name;
  info->record.skills = session->peer.skills;
  info->record.operator_username = session->peer.operator_username;
  info->record.last_seen = now_s;
  info->dialled = link.connection->side() == quic::Side::kDialler;
  // Through a relay the address is the relay's, and the peer is somebody else.
  const bool itself = !link.connection->routed();
  const bool configured = itself && std::ranges::find(setup_.bootstrap, address) != setup_.bootstrap.end();
  info->relayed = link.connection->relayed();
  info->routes = std::ranges::find(session->peer.features, kRoutesFeature) != session->peer.features.end();
  info->record.trust = info->dialled && configured ? wire::Trust::kBootstrap : wire::Trust::kUnknown;
  const bool relay = itself && std::ranges::find(setup_.relays, address) != setup_.relays.end();
  if (info->dialled && relay) keep_forwarder(link);
  if (info->dialled && session->peer.observed) pass_observed_on(setup_, *info, *session->peer.observed, relay);
  info->connected_at = now_s;
  info->protocol_v = session->peer.protocol_v;
  info->last_exchange = now_s;
  info->rtt_us = link.connection->stats().smoothed_rtt / base::kMicrosecond;
  info->handle = sessions_.emplace(&link);

  session->info = info;
  session->budget = budgets_.take(session->peer.node_id);
  session->established = deadlines_.now();
  link.session = std::move(session);
  link.phase = Phase::kSession;
  deadlines_.clear(link);
  by_node_id_[info->record.node_id] = &link;
  link.connection->mark_verified();
  setup_.table->add(info);
  // Seen through a forwarder, the address is that one's and proves nothing of the peer.
  if (link.connection->routed()) {
    setup_.store->touch(info->record.node_id, now_s);
  } else {
    journal_.opened(info->record, {info->record.node_id, address, info->protocol_v, now_s, info->record.trust,
                                   link.connection->loss_token()});
  }
  counters_.sessions_opened.add();
  log(Level::kInfo, "session", "{} is connected from {} ({}{})", info->record.node_id, address,
      info->dialled ? "dialled" : "accepted", info->relayed ? ", through the relay there" : "");

  host_->peer_event(
      {.what = ATLAS_PEER_UP, .peer = info->handle, .node_id = info->record.node_id, .dialled = info->dialled});
  if (link.connection->routed()) begin_upgrade(link);
  const DialTicket ticket = std::exchange(link.ticket, {});
  const auto early = std::move(link.greeting->early);
  link.handshake_stream = link.greeting->stream;
  link.greeting.reset();
  if (ticket.dial != 0) dialler_.on_session(ticket, info->handle, info->record.node_id);
  for (const auto& request : early) {
    if (link.phase != Phase::kSession) break;
    if (!request.given_up) session_data(link, request.stream, request.data, request.fin);
  }
}

// Section 5: one session for each node id. False when the newcomer is the one to go.
bool Switchboard::settle_duplicate(Link& newcomer, const session::PeerIdentity& peer) {
  const auto found = by_node_id_.find(peer.node_id);
  if (found == by_node_id_.end()) return true;
  Link& old = *found->second;
  const bool old_dialled = old.session->info->dialled;
  const bool new_dialled = newcomer.connection->side() == quic::Side::kDialler;
  // Both dials were under way together when the newer began before the older was done.
  const bool at_once = old_dialled != new_dialled && newcomer.connection->started() < old.session->established;
  counters_.sessions_replaced.add();
  if (session::newcomer_wins(setup_.self.key->node_id(), peer.node_id, old_dialled, new_dialled, at_once)) {
    part(old, wire::DisconnectReason::kReplaced, "replaced by a newer connection");
    return true;
  }
  const DialTicket ticket = std::exchange(newcomer.ticket, {});
  if (ticket.dial != 0) dialler_.on_session(ticket, old.session->info->handle, peer.node_id);
  part(newcomer, wire::DisconnectReason::kReplaced, "the other connection stays");
  return false;
}

void Switchboard::session_down(Link& link, wire::DisconnectReason reason) {
  const std::unique_ptr<LiveSession> session = std::move(link.session);
  if (!session) return;
  link.phase = Phase::kFarewell;
  deadlines_.clear(link);
  const SessionInfo& info = *session->info;
  link.upgrade.reset();
  link.keeper.reset();
  sessions_.erase(info.handle);
  const auto named = by_node_id_.find(info.record.node_id);
  const bool ours = named != by_node_id_.end() && named->second == &link;
  if (ours) by_node_id_.erase(named);
  setup_.table->remove(info.handle);
  if (link.connection->routed()) {
    setup_.store->touch(info.record.node_id, info.last_exchange);
  } else {
    journal_.closed(info.record.node_id, info.last_exchange, ours);
  }
  session->streams.reset();  // what was open is told
  counters_.sessions_closed.add();
  log(Level::kInfo, "session", "{} is gone (reason {})", info.record.node_id, static_cast<std::uint32_t>(reason));

  keep_budget(*session);
  for (auto& exchange : session->exchanges) {
    if (auto* answering = std::get_if<std::unique_ptr<Answering>>(&exchange.part)) {
      if ((*answering)->reply != 0) replies_.erase((*answering)->reply);
      continue;
    }
    Asked& asked = *std::get<std::unique_ptr<Asked>>(exchange.part);
    asked_by_tag_.erase(asked.tag);
    host::Answer gone;
    gone.fault = base::Fault::kGone;
    if (asked.done) asked.done(std::move(gone));
  }
  host_->peer_event({.what = ATLAS_PEER_DOWN,
                     .peer = info.handle,
                     .node_id = info.record.node_id,
                     .reason = static_cast<std::uint32_t>(reason),
                     .dialled = info.dialled});
  if (!link.connection->routed()) leave_forwarder(info.handle);
}

// A reconnect does not refill a budget: it is kept for as long as it remembers something.
void Switchboard::keep_budget(LiveSession& session) {
  const base::MonoNs now = deadlines_.now();
  if (now >= next_budget_sweep_) {
    next_budget_sweep_ = base::after(now, kBudgetSweep);
    budgets_.sweep(setup_.limits, now);
  }
  if (!session.budget.idle(setup_.limits, now)) {
    budgets_.of(session.peer.node_id) = std::move(session.budget);
  }
}

void Switchboard::ban(const std::string& node_id, std::int64_t until, const std::string& reason) {
  counters_.bans.add();
  bans_.add(node_id, until, reason, setup_.clock->unix_s());
  setup_.store->set_ban(node_id, until, reason);
  log(Level::kWarn, "session", "{} is banned until {}: {}", node_id, until, reason);
  const auto found = by_node_id_.find(node_id);
  if (found != by_node_id_.end()) part(*found->second, wire::DisconnectReason::kBanned, reason);
}

// --- dials ---

void Switchboard::dial(DialTarget target, base::MonoNs timeout, host::ConnectedFn done) {
  const auto existing = [&]() -> Link* {
    if (target.node_id) {
      const auto found = by_node_id_.find(*target.node_id);
      return found == by_node_id_.end() ? nullptr : found->second;
    }
    return link_of(setup_.table->find_dialled(target.key));
  }();
  if (existing != nullptr) {
    host::Connected out;
    out.ok = true;
    out.existing = true;
    out.peer = existing->session->info->handle;
    out.node_id = existing->session->info->record.node_id;
    return done(std::move(out));
  }
  if (const auto ban = target.node_id ? bans_.check(*target.node_id, setup_.clock->unix_s()) : std::nullopt) {
    host::Connected out;
    out.fault = base::Fault::kDenied;
    out.error = target.key + ": banned (" + *ban + ")";
    return done(std::move(out));
  }
  if (target.node_id && host_->provides_paths()) {
    wire::PeerRecord listed;
    listed.relays = std::move(target.relays);
    for (auto& relay : session::relay_candidates_of(listed, setup_.relays)) target.candidates.push_back(relay);
  }
  dialler_.dial(std::move(target), timeout, std::move(done));
}

base::Result<void> Switchboard::open_attempt(const DialTarget& target, const session::Candidate& candidate,
                                             DialTicket ticket) {
  if (candidate.via == session::Candidate::Via::kRelay) return ask_for_path(target, candidate, ticket);
  auto made = std::make_unique<Link>(*this);
  made->ticket = ticket;
  auto opened = endpoint_->dial({.remote = candidate.address, .expected_node_id = target.node_id, .user = made.get()});
  if (!opened) return std::unexpected(opened.error());
  made->connection = *opened;
  Link* raw = made.get();
  links_.emplace(raw, std::move(made));
  return {};
}

namespace {

std::string_view note_of(Abandon why) {
  switch (why) {
    case Abandon::kLost:
      return "another address answered";
    case Abandon::kTimeout:
      return "no answer in time";
    case Abandon::kStopping:
      return kStopNote;
  }
  return "";
}

}  // namespace

wire::DialFailure Switchboard::abandon_attempt(DialTicket ticket, Abandon why) {
  if (forget_reach(ticket)) return wire::DialFailure::kUnreachable;
  const auto found = std::ranges::find_if(links_, [&](const auto& entry) {
    return entry.second->ticket.dial == ticket.dial && entry.second->ticket.attempt == ticket.attempt;
  });
  if (found == links_.end()) return wire::DialFailure::kUnreachable;
  Link& link = *found->second;
  link.ticket = {};
  const bool greeting = link.phase == Phase::kGreeting;
  if (greeting && why == Abandon::kTimeout) {
    apply(link, std::get<session::DiallerHandshake>(link.greeting->state).on_given_up());
  } else {
    await_and_close(link, -1, static_cast<std::uint64_t>(wire::DisconnectReason::kShutdown), note_of(why));
  }
  return greeting ? wire::DialFailure::kExpired : wire::DialFailure::kUnreachable;
}

void Switchboard::attempt_failed(Link& link, wire::DialFailure failure, const std::string& reason) {
  const DialTicket ticket = std::exchange(link.ticket, {});
  if (ticket.dial != 0) dialler_.on_failed(ticket, failure, reason);
}

}  // namespace atlas::node
