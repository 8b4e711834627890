// Drives the handshake of section 5 on the first stream of a connection.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "node/switchboard.h"

namespace atlas::node {

using base::Level;
using base::log;

namespace {

// RFC 9000, section 2.1: the first bidirectional stream of the side that dialled.
constexpr quic::StreamId kDiallersFirst = 0;

constexpr auto kProtocolError = static_cast<std::uint64_t>(wire::DisconnectReason::kProtocolError);

base::MonoNs deadline_of(const Greeting& greeting) {
  return std::visit([](const auto& side) { return side.deadline(); }, greeting.state);
}

}  // namespace

Greeting::Early* Greeting::find_early(quic::StreamId id) {
  const auto found = std::ranges::find(early, id, &Early::stream);
  return found == early.end() ? nullptr : &*found;
}

void Greeting::give_up_early(quic::StreamId id) {
  Early* found = find_early(id);
  if (found == nullptr) return;
  early_bytes -= std::exchange(found->data, {}).size();
  found->given_up = true;
}

void Switchboard::begin_greeting(Link& link) {
  quic::Connection& connection = *link.connection;
  link.phase = Phase::kGreeting;
  std::optional<session::Self> behind_nat;
  if (connection.relayed() && setup_.obstacles && setup_.obstacles().symmetric) {
    behind_nat = setup_.self;
    behind_nat->features.emplace_back(kSymmetricNatFeature);
  }
  const session::Self& self = behind_nat ? *behind_nat : setup_.self;
  if (connection.side() == quic::Side::kListener) {
    link.greeting = std::make_unique<Greeting>(session::ListenerHandshake(
        self, policy_, connection.peer_key(), connection.relayed() ? "" : connection.remote().text(),
        connection.started(), *setup_.random));
    deadlines_.set(link, deadline_of(*link.greeting));
    return;
  }
  link.greeting = std::make_unique<Greeting>(
      session::DiallerHandshake(self, connection.peer_key(), connection.started(), policy_.refuse));
  deadlines_.set(link, deadline_of(*link.greeting));
  const auto stream = connection.open_stream();
  if (!stream) {
    attempt_failed(link, wire::DialFailure::kReset, "the peer allows no streams");
    return await_and_close(link, -1, kProtocolError, "no stream for the handshake");
  }
  link.greeting->stream = *stream;
  apply(link, std::get<session::DiallerHandshake>(link.greeting->state).begin(setup_.clock->unix_s()));
}

void Switchboard::greeting_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin) {
  Greeting& greeting = *link.greeting;
  const bool listener = link.connection->side() == quic::Side::kListener;
  if (listener && stream == kDiallersFirst) greeting.stream = stream;
  if (stream == greeting.stream) return greeting_bytes(link, data, fin);
  if (!listener) return early_data(link, stream, data, fin);

  // A second stream before VerifyAck, or one before the first: the Error goes on the stream that broke the rule.
  counters_.early_streams_refused.add();
  auto step = std::get<session::ListenerHandshake>(greeting.state).on_fault(wire::Code::kNotVerified);
  greeting.stream = stream;
  apply(link, std::move(step));
}

void Switchboard::greeting_bytes(Link& link, base::ByteView data, bool fin) {
  using State = wire::EnvelopeReader::State;
  while (link.phase == Phase::kGreeting) {
    Greeting& greeting = *link.greeting;
    const State state = greeting.reader.feed(data);
    if (state == State::kNeedMore) break;
    if (state == State::kFault) {
      const wire::Code code = greeting.reader.fault();
      return apply(link, std::visit([code](auto& side) { return side.on_fault(code); }, greeting.state));
    }
    const auto [type, payload] = greeting.reader.envelope();
    session::Step step = step_message(link, type, payload);
    greeting.reader.pop();
    apply(link, std::move(step));
  }
  // What follows the handshake on its stream breaks the same rule whether it came in this piece or in a later one.
  if (link.phase == Phase::kSession && !data.empty()) return session_data(link, link.handshake_stream, data, fin);
  if (!fin || link.phase != Phase::kGreeting) return;
  if (!link.greeting->reader.at_boundary()) {
    return apply(link,
                 std::visit([](auto& side) { return side.on_fault(wire::Code::kRejected); }, link.greeting->state));
  }
  apply(link, std::visit([](auto& side) { return side.on_finish(); }, link.greeting->state));
}

session::Step Switchboard::step_message(Link& link, std::uint8_t type, base::ByteView payload) {
  if (auto* listener = std::get_if<session::ListenerHandshake>(&link.greeting->state)) {
    return listener->on_message(type, payload, deadlines_.now(), setup_.clock->unix_s());
  }
  return std::get<session::DiallerHandshake>(link.greeting->state).on_message(type, payload);
}

void Switchboard::early_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin) {
  Greeting& greeting = *link.greeting;
  Greeting::Early* early = greeting.find_early(stream);
  if (early == nullptr && greeting.early.size() < setup_.max_streams) early = &greeting.early.emplace_back(stream);
  if (early != nullptr && early->given_up) return;
  if (early == nullptr || greeting.early_bytes + data.size() > kMaxEarlyBytes) {
    counters_.early_streams_refused.add();
    greeting.give_up_early(stream);
    link.connection->reset(stream, static_cast<std::uint64_t>(wire::Code::kNotVerified));
    return;
  }
  greeting.early_bytes += data.size();
  early->data.insert(early->data.end(), data.begin(), data.end());
  early->fin = fin;
}

void Switchboard::apply(Link& link, session::Step step) {
  using Outcome = session::Step::Outcome;
  for (std::size_t i = 0; i < step.send.size(); ++i) {
    const bool last = i + 1 == step.send.size();
    // A failed step ends our side with its last words, so that their acknowledgement can be awaited.
    const bool fin = last && (step.finish || step.outcome == Outcome::kFailed);
    link.connection->write(link.greeting->stream, step.send[i], fin);
  }
  switch (step.outcome) {
    case Outcome::kContinue:
      return;
    case Outcome::kDone:
      return session_up(link);
    case Outcome::kFailed:
      return greeting_failed(link, step, !step.send.empty());
  }
}

void Switchboard::greeting_failed(Link& link, const session::Step& step, bool await_stream) {
  if (step.code == wire::Code::kHandshakeTimeout) {
    counters_.handshakes_timed_out.add();
  } else if (step.close_code == static_cast<std::uint64_t>(wire::DisconnectReason::kBanned)) {
    counters_.handshakes_rejected.add();
  } else {
    counters_.handshakes_failed.add();
  }
  static base::LogGate gate;
  std::uint32_t left_out = 0;
  if (gate.pass(deadlines_.now(), &left_out)) {
    log(Level::kInfo, "handshake", "{}: refused: {} (code {}; {} like it not shown)", link.connection->remote().text(),
        step.reason, static_cast<std::uint32_t>(step.code), left_out);
  }
  const auto failure =
      step.code == wire::Code::kHandshakeTimeout ? wire::DialFailure::kExpired : wire::DialFailure::kRejected;
  attempt_failed(link, failure, step.reason);
  const quic::StreamId stream = link.greeting->stream;
  link.greeting.reset();
  await_and_close(link, await_stream ? stream : -1, step.close_code, step.reason);
}

}  // namespace atlas::node
