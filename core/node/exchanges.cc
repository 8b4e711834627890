// Requests and answers on the streams of a session: framing by session::InboundExchange and OutboundExchange, limits by
// session::PeerBudget, roles by the host.
#include <algorithm>

#include "base/log.h"
#include "node/switchboard.h"

namespace atlas::node {

namespace {

bool opened_by_us(const quic::Connection& connection, quic::StreamId stream) {
  // RFC 9000, section 2.1: the lowest bit of a stream id is 0 for the client's streams.
  return ((stream & 1) == 0) == (connection.side() == quic::Side::kDialler);
}

base::MonoNs deadline_of(const Exchange& exchange) {
  if (const auto* answering = std::get_if<std::unique_ptr<Answering>>(&exchange.part)) {
    return (*answering)->sending ? (*answering)->deadline : (*answering)->exchange.deadline();
  }
  return std::get<std::unique_ptr<Asked>>(exchange.part)->exchange.deadline();
}

// What fits into one packet is not watched on its way.
constexpr std::size_t kSmall = 1200;

}  // namespace

Exchange* Switchboard::find_exchange(Link& link, quic::StreamId stream) {
  if (!link.session) return nullptr;
  for (auto& exchange : link.session->exchanges) {
    if (exchange.stream == stream) return &exchange;
  }
  return nullptr;
}

void Switchboard::drop_exchange(Link& link, quic::StreamId stream) {
  Exchange* found = find_exchange(link, stream);
  if (found == nullptr) return;
  if (auto* answering = std::get_if<std::unique_ptr<Answering>>(&found->part)) {
    if ((*answering)->reply != 0) replies_.erase((*answering)->reply);
    link.session->unfinished -= (*answering)->buffered;
    link.session->unread -= (*answering)->size;
  } else {
    asked_by_tag_.erase(std::get<std::unique_ptr<Asked>>(found->part)->tag);
  }
  auto& all = link.session->exchanges;
  if (found != &all.back()) *found = std::move(all.back());
  all.pop_back();
  // An idle session keeps nothing for the exchanges that it once had.
  if (all.empty()) all.shrink_to_fit();
}

// The last of an answer is written. A large one is watched until the peer has acknowledged it (section 4: a stream that
// carries nothing for the time-out is reset).
void Switchboard::answer_written(Link& link, quic::StreamId stream) {
  Exchange* exchange = find_exchange(link, stream);
  if (exchange == nullptr) return;
  Answering& answering = *std::get<std::unique_ptr<Answering>>(exchange->part);
  answering.unread = link.connection->unacknowledged(stream);
  if (answering.unread <= kSmall && !answering.refused) return drop_exchange(link, stream);
  if (answering.reply != 0) replies_.erase(std::exchange(answering.reply, 0));
  answering.exchange.let_go();
  link.session->unfinished -= std::exchange(answering.buffered, 0);
  answering.size = answering.unread;
  link.session->unread += answering.size;
  answering.sending = true;
  answering.deadline = base::after(deadlines_.now(), setup_.exchange_timeout);
  deadlines_.set_no_later(link, answering.deadline);
}

// At its deadline: whether the peer has acknowledged something since the last look, so that it gets as long again.
bool Switchboard::still_moving(Link& link, Exchange& exchange, base::MonoNs now) {
  const std::size_t unread = link.connection->unacknowledged(exchange.stream);
  return std::visit(
      [&](auto& part) {
        if (unread >= part->unread) return false;
        part->unread = unread;
        if constexpr (std::is_same_v<std::decay_t<decltype(*part)>, Asked>) {
          part->exchange.request_moved(now);
          return part->exchange.deadline() > now;
        } else {
          part->deadline = base::after(now, setup_.exchange_timeout);
          return part->sending;
        }
      },
      exchange.part);
}

bool Switchboard::write_envelope(Link& link, quic::StreamId stream, std::uint8_t type, base::ByteView payload,
                                 bool fin) {
  scratch_.resize(wire::kHeaderSize + payload.size());
  wire::write_header(base::MutableBytes(scratch_).first(wire::kHeaderSize), type,
                     static_cast<std::uint32_t>(payload.size()));
  std::copy(payload.begin(), payload.end(), scratch_.begin() + wire::kHeaderSize);
  const bool written = link.connection->write(stream, scratch_, fin);
  if (scratch_.capacity() > 65'536) base::Bytes().swap(scratch_);
  return written;
}

void Switchboard::saw_exchange(Link& link) {
  SessionInfo& info = *link.session->info;
  info.last_exchange.store(setup_.clock->unix_s(), std::memory_order_relaxed);
}

// --- what arrives ---

void Switchboard::session_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin) {
  ConnectionStreams* streams = link.session->streams.get();
  if (streams != nullptr && streams->has(stream)) return streams->data(stream, data, fin, deadlines_.now());
  Exchange* exchange = stream == link.handshake_stream ? nullptr : find_exchange(link, stream);
  const bool fresh = exchange == nullptr && stream != link.handshake_stream && !opened_by_us(*link.connection, stream);
  base::Bytes begun;
  if (fresh && opening_data(link, stream, data, fin, begun)) return;
  link.connection->consume(stream, data.size());
  if (!begun.empty()) {
    begun.insert(begun.end(), data.begin(), data.end());
    data = begun;
  }
  if (stream == link.handshake_stream) {
    if (!data.empty()) link.connection->reset(stream, static_cast<std::uint64_t>(wire::Code::kRejected));
    return;
  }
  if (exchange == nullptr) {
    if (!fresh) return;  // of a request that was given up
    const base::MonoNs now = deadlines_.now();
    auto answering = std::make_unique<Answering>(Answering{session::InboundExchange(now, setup_.exchange_timeout)});
    deadlines_.set_no_later(link, answering->exchange.deadline());
    link.session->exchanges.push_back({stream, std::move(answering)});
    exchange = &link.session->exchanges.back();
  }
  if (auto* answering = std::get_if<std::unique_ptr<Answering>>(&exchange->part)) {
    answering_data(link, stream, **answering, data, fin);
  } else {
    asked_data(link, stream, *std::get<std::unique_ptr<Asked>>(exchange->part), data, fin);
  }
}

void Switchboard::answering_data(Link& link, quic::StreamId stream, Answering& answering, base::ByteView data,
                                 bool fin) {
  using What = session::InboundExchange::Outcome::What;
  const auto outcome = answering.exchange.on_data(data, fin, deadlines_.now());
  switch (outcome.what) {
    case What::kWait:
      if (!within_budget(link, answering)) {
        counters_.refused_unfinished.add();
        answering.refused = true;
        answering.exchange.let_go();
        refuse(link, stream, wire::Code::kInternal, "busy: too much of unfinished requests is held for you");
      }
      return;
    case What::kRequest:
      return run_request(link, stream, outcome.type, outcome.payload);
    case What::kError:
      counters_.refused_framing.add();
      answering.refused = !fin;
      return refuse(link, stream, outcome.code, "the envelope breaks a rule");
    case What::kReset:
      counters_.refused_framing.add();
      return reset_exchange(link, stream, outcome.code);
  }
}

bool Switchboard::within_budget(Link& link, Answering& answering) {
  if (answering.sending || answering.refused) return true;
  const std::size_t buffered = answering.exchange.buffered();
  link.session->unfinished += buffered - answering.buffered;
  answering.buffered = buffered;
  return link.session->unfinished <= kMaxUnfinished;
}

void Switchboard::asked_data(Link& link, quic::StreamId stream, Asked& asked, base::ByteView data, bool fin) {
  using What = session::OutboundExchange::Outcome::What;
  const auto outcome = asked.exchange.on_data(data, fin, deadlines_.now());
  host::Answer answer;
  switch (outcome.what) {
    case What::kWait:
      break;
    case What::kAnswer:
      saw_exchange(link);
      answer.unchecked = outcome.payload.size() > kCheckedHere;
      if (!answer.unchecked && !wire::structure_ok(outcome.payload)) {
        answer.fault = base::Fault::kInternal;
        answer.error_text = "the answer is malformed";
      } else {
        counters_.answers.add();
        answer.ok = true;
        answer.type = outcome.type;
        answer.rtt_us = (deadlines_.now() - asked.started) / base::kMicrosecond;
        if (outcome.type == wire::kError) {
          // An Error is small; one that is not says nothing.
          const auto error = answer.unchecked ? std::nullopt : wire::decode_error(outcome.payload);
          answer.error_code = error ? error->code : static_cast<std::uint32_t>(wire::Code::kInternal);
          if (error) answer.error_text = base::escaped(error->message, 256);
        }
        answer.body.assign(outcome.payload.begin(), outcome.payload.end());
      }
      complete(link, stream, std::move(answer));
      break;
    case What::kNoAnswer:
      answer.fault = base::Fault::kGone;
      answer.error_text = "the peer finished without an answer";
      complete(link, stream, std::move(answer));
      break;
    case What::kFault:
    case What::kTimeout:
    case What::kReset:
      answer.fault = outcome.what == What::kTimeout ? base::Fault::kTimeout : base::Fault::kInternal;
      answer.error_text = "the answer breaks a rule of the envelope";
      complete(link, stream, std::move(answer));
      return reset_exchange(link, stream, outcome.code);
  }
  if (outcome.over && link.session) drop_exchange(link, stream);
}

void Switchboard::run_request(Link& link, quic::StreamId stream, std::uint8_t type, base::ByteView payload) {
  counters_.requests.add();
  saw_exchange(link);
  if (type == wire::kDisconnect) return peer_disconnects(link, stream, payload);
  const bool known = host_->owns(type),
             ours = (type >= wire::kHello && type <= wire::kVerifyAck) || type == wire::kError;
  // Section 10: whatever the type, only unknown ones do not count.
  if ((known || ours) && !admit(link, stream, payload.size())) return;
  if (type == wire::kError) return finish_without_answer(link, stream);  // an Error on a stream of its own asks nothing
  if (!known) {
    counters_.refused_no_owner.add();
    return refuse(link, stream, wire::Code::kRejected, "no role here answers this message type");
  }
  if (link.session->unread > kMaxUnread) {
    counters_.refused_unread.add();
    return refuse(link, stream, wire::Code::kInternal, "busy: you have not read the answers to earlier requests");
  }
  const bool unchecked = payload.size() > kCheckedHere;
  if (!unchecked && !wire::structure_ok(payload)) {
    counters_.refused_structure.add();
    return refuse(link, stream, wire::Code::kRejected, "the payload is malformed");
  }
  Exchange* exchange = find_exchange(link, stream);
  Answering& answering = *std::get<std::unique_ptr<Answering>>(exchange->part);
  answering.reply = replies_.emplace(PendingReply{&link, stream});
  const host::Incoming incoming{type, link.session->info->handle, answering.reply, payload, unchecked};
  switch (host_->deliver(incoming)) {
    case host::Delivered::kQueued:
      return;
    case host::Delivered::kNoOwner:
      return refuse(link, stream, wire::Code::kRejected, "no role here answers this message type");
    case host::Delivered::kQueueFull:
      counters_.refused_busy.add();
      return refuse(link, stream, wire::Code::kInternal, "busy: the role's queue is full");
  }
}

// Section 10. False: the request was refused, and the session may be gone.
bool Switchboard::admit(Link& link, quic::StreamId stream, std::size_t payload) {
  const auto rule = over_budget(link, payload);
  if (!rule) return true;
  refuse(link, stream, wire::Code::kRateLimited, session::to_text(*rule));
  punish(link, *rule);
  return false;
}

std::optional<session::LimitRule> Switchboard::over_budget(Link& link, std::size_t payload) {
  LiveSession& session = *link.session;
  const auto rule = session.budget.admit(setup_.limits, session.info->record.trust, payload, deadlines_.now());
  switch (rule) {
    case session::LimitRule::kNone:
      return std::nullopt;
    case session::LimitRule::kPerSecond:
      counters_.refused_per_second.add();
      break;
    case session::LimitRule::kPerMinute:
      counters_.refused_per_minute.add();
      break;
    case session::LimitRule::kPayload:
      counters_.refused_payload.add();
      break;
  }
  return rule;
}

// The session may be gone after it.
void Switchboard::punish(Link& link, session::LimitRule rule) {
  LiveSession& session = *link.session;
  counters_.violations.add();
  if (session.budget.violation(setup_.limits, deadlines_.now())) {
    const std::int64_t until =
        base::saturating_add<std::int64_t>(setup_.clock->unix_s(), static_cast<std::int64_t>(setup_.limits.ban_s));
    ban(session.peer.node_id, until, "over the limit " + std::string(session::to_text(rule)) + " three times");
  }
}

void Switchboard::refuse(Link& link, quic::StreamId stream, wire::Code code, std::string_view text) {
  const auto message = wire::encode(wire::ErrorMessage{static_cast<std::uint32_t>(code), std::string(text), {}});
  link.connection->write(stream, message, true);
  Exchange* exchange = find_exchange(link, stream);
  if (exchange == nullptr) return;
  auto* answering = std::get_if<std::unique_ptr<Answering>>(&exchange->part);
  if (answering == nullptr) return;
  (*answering)->exchange.answered(deadlines_.now(), true);
  answer_written(link, stream);
}

void Switchboard::finish_without_answer(Link& link, quic::StreamId stream) {
  link.connection->write(stream, {}, true);
  drop_exchange(link, stream);
}

void Switchboard::peer_disconnects(Link& link, quic::StreamId stream, base::ByteView payload) {
  // A goodbye is small; one that is not is not looked at.
  const auto message = payload.size() > kCheckedHere ? std::nullopt : wire::decode_disconnect(payload);
  if (!message) {
    counters_.refused_structure.add();
    return refuse(link, stream, wire::Code::kRejected, "the Disconnect is malformed");
  }
  const auto reason =
      message->reason <= 5 ? static_cast<wire::DisconnectReason>(message->reason) : wire::DisconnectReason::kShutdown;
  link.connection->write(stream, {}, true);
  session_down(link, reason);
  // The sender closes with its code; we do when it does not.
  link.farewell = std::make_unique<Farewell>(Farewell{-1, static_cast<std::uint64_t>(reason), "the peer said goodbye"});
  deadlines_.set(link, base::after(deadlines_.now(), 2 * kFarewellWait));
}

// Tells the role once. The exchange stays until its stream is over.
void Switchboard::complete(Link& link, quic::StreamId stream, host::Answer&& answer) {
  Exchange* exchange = find_exchange(link, stream);
  if (exchange == nullptr) return;
  auto* part = std::get_if<std::unique_ptr<Asked>>(&exchange->part);
  if (part == nullptr || !(*part)->done) return;
  asked_by_tag_.erase((*part)->tag);
  auto done = std::exchange((*part)->done, nullptr);
  done(std::move(answer));
}

void Switchboard::reset_exchange(Link& link, quic::StreamId stream, wire::Code code) {
  link.connection->reset(stream, static_cast<std::uint64_t>(code));
  drop_exchange(link, stream);
}

void Switchboard::sweep(Link& link, base::MonoNs now) {
  std::vector<quic::StreamId> due;
  for (const auto& exchange : link.session->exchanges) {
    if (deadline_of(exchange) <= now) due.push_back(exchange.stream);
  }
  for (const auto stream : due) {
    Exchange* exchange = find_exchange(link, stream);
    if (exchange == nullptr || still_moving(link, *exchange, now)) continue;
    counters_.exchanges_timed_out.add();
    if (auto* asked = std::get_if<std::unique_ptr<Asked>>(&exchange->part)) {
      (*asked)->exchange.on_timeout(now);
      host::Answer answer;
      answer.fault = base::Fault::kTimeout;
      complete(link, stream, std::move(answer));
    }
    reset_exchange(link, stream, wire::Code::kRejected);
  }
  base::MonoNs next = sweep_streams(link, now);
  for (const auto& exchange : link.session->exchanges) next = std::min(next, deadline_of(exchange));
  if (next != base::kNever) deadlines_.set(link, next);
}

// --- what roles ask for ---

void Switchboard::send(host::PeerHandle to, std::uint8_t type, base::ByteView payload) {
  request(to, type, payload, setup_.exchange_timeout, 0, nullptr);
}

void Switchboard::request(host::PeerHandle to, std::uint8_t type, base::ByteView payload, base::MonoNs timeout,
                          std::uint64_t tag, host::AnswerFn done) {
  const auto fail = [&done](base::Fault fault, std::string text) {
    host::Answer answer;
    answer.fault = fault;
    answer.error_text = std::move(text);
    if (done) done(std::move(answer));
  };
  Link* link = link_of(to);
  if (link == nullptr) return fail(base::Fault::kGone, "no such session");
  if (payload.size() > wire::kMaxPayload) return fail(base::Fault::kArgument, "the payload is larger than 4 MiB");
  const auto stream = link->connection->open_stream();
  if (!stream) return fail(base::Fault::kFull, stream.error().text);
  write_envelope(*link, *stream, type, payload, true);
  counters_.requests_sent.add();
  const base::MonoNs now = deadlines_.now();
  auto asked = std::make_unique<Asked>(Asked{tag, std::move(done), now, session::OutboundExchange(now, timeout)});
  if (payload.size() > kSmall) asked->unread = link->connection->unacknowledged(*stream);
  deadlines_.set_no_later(*link, asked->exchange.deadline());
  link->session->exchanges.push_back({*stream, std::move(asked)});
  if (tag != 0) asked_by_tag_[tag] = {link, *stream};
}

void Switchboard::cancel_request(std::uint64_t tag) {
  const auto found = asked_by_tag_.find(tag);
  if (found == asked_by_tag_.end()) return;
  const auto [link, stream] = found->second;
  reset_exchange(*link, stream, wire::Code::kRejected);
}

// Type 0 finishes the exchange without an answer.
void Switchboard::reply(host::ReplyHandle to, std::uint8_t type, base::ByteView payload) {
  const PendingReply* found = replies_.find(to);
  if (found == nullptr) return;  // the peer gave up, or has gone
  const auto [link, stream] = *found;
  if (type == 0) return finish_without_answer(*link, stream);
  if (payload.size() > wire::kMaxPayload) {
    return refuse(*link, stream, wire::Code::kInternal, "the answer is larger than 4 MiB");
  }
  const std::size_t unread = link->session->unread;
  if (unread != 0 && unread + payload.size() > kMaxUnread) {
    counters_.refused_unread.add();
    return refuse(*link, stream, wire::Code::kInternal, "busy: you have not read the answers to earlier requests");
  }
  write_envelope(*link, stream, type, payload, true);
  answer_written(*link, stream);
}

void Switchboard::disconnect(host::PeerHandle peer, wire::DisconnectReason reason, std::string_view note) {
  if (Link* link = link_of(peer)) part(*link, reason, note);
}

}  // namespace atlas::node
