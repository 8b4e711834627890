// Raw streams of a session (wire protocol, section 4): the one envelope in front of them is read here, all else goes
// through node::ConnectionStreams.
#include <algorithm>

#include "base/log.h"
#include "node/switchboard.h"

namespace atlas::node {
namespace {

// Magic, version and type: of so many bytes it is known what a stream is.
constexpr std::size_t kTypeKnown = 4;
constexpr base::MonoNs kStreamIdle = base::limits::node_stream_idle * base::kSecond;

}  // namespace

ConnectionStreams& Switchboard::streams_of(Link& link) {
  auto& streams = link.session->streams;
  if (!streams) {
    streams = std::make_unique<ConnectionStreams>(
        ConnectionStreams::Setup{.connection = link.connection,
                                 .index = &stream_index_,
                                 .idle = kStreamIdle,
                                 .idle_code = static_cast<std::uint64_t>(wire::Code::kRejected),
                                 .ahead = base::limits::node_stream_ahead_bytes});
  }
  return *streams;
}

ConnectionStreams* Switchboard::streams_with(quic::Connection& connection, quic::StreamId stream) {
  const Link* link = link_of(connection);
  if (link == nullptr || !link->session || !link->session->streams) return nullptr;
  ConnectionStreams* streams = link->session->streams.get();
  return streams->has(stream) ? streams : nullptr;
}

void Switchboard::on_acknowledged(quic::Connection& connection, quic::StreamId stream, std::size_t bytes) {
  if (ConnectionStreams* streams = streams_with(connection, stream)) {
    streams->acknowledged(stream, bytes, deadlines_.now());
  }
}

bool Switchboard::on_stopped(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  ConnectionStreams* streams = streams_with(connection, stream);
  if (streams != nullptr) streams->stopped(stream, code);
  return streams != nullptr;
}

// --- what plugins ask for ---

void Switchboard::open_stream(host::StreamOrder order) {
  Link* link = link_of(order.to);
  if (link == nullptr) return order.pipe->on_closed(ATLAS_E_GONE, 0);
  const auto stream = link->connection->open_stream();
  if (!stream) return order.pipe->on_closed(ATLAS_E_FULL, 0);
  counters_.streams_opened.add();
  saw_exchange(*link);
  write_envelope(*link, *stream, order.type, order.payload, false);
  streams_of(*link).add(*stream, std::move(order.pipe), wire::kHeaderSize + order.payload.size(), deadlines_.now());
  deadlines_.set_no_later(*link, base::after(deadlines_.now(), kStreamIdle));
}

void Switchboard::serve_stream(std::uint64_t tag) {
  const auto found = stream_index_.find(tag);
  if (found != stream_index_.end()) found->second.first->serve(found->second.second, deadlines_.now());
}

// --- what peers open ---

// False: it is an exchange, of which `begun` came before `data`.
bool Switchboard::opening_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin, base::Bytes& begun) {
  auto& openings = link.session->openings;
  auto at = std::ranges::find(openings, stream, [](const auto& opening) { return opening->stream; });
  if (at == openings.end()) {
    const bool may_be = data.size() < kTypeKnown ? !fin : host_->takes_streams(data[kTypeKnown - 1]);
    if (!may_be) return false;
    const base::MonoNs deadline = base::after(deadlines_.now(), setup_.exchange_timeout);
    deadlines_.set_no_later(link, deadline);
    openings.push_back(std::make_unique<Opening>(stream, deadline));
    at = openings.end() - 1;
  }
  Opening& opening = **at;
  opening.deadline = base::after(deadlines_.now(), setup_.exchange_timeout);
  if (!opening.head_known) {
    opening.head.insert(opening.head.end(), data.begin(), data.end());
    const std::size_t known = opening.head.size();
    if (known < kTypeKnown && !fin) {
      link.connection->consume(stream, data.size());
      return true;
    }
    if (known < kTypeKnown || !host_->takes_streams(opening.head[kTypeKnown - 1])) {
      begun.assign(opening.head.begin(), opening.head.end() - static_cast<std::ptrdiff_t>(data.size()));
      openings.erase(at);
      return false;
    }
    opening.head_known = true;
    const base::Bytes all = std::move(opening.head);
    read_opening(link, opening, all, fin, all.size() - data.size());
    return true;
  }
  read_opening(link, opening, data, fin, 0);
  return true;
}

// `consumed`: of `data`, what came earlier and has been consumed.
void Switchboard::read_opening(Link& link, Opening& opening, base::ByteView data, bool fin, std::size_t consumed) {
  const quic::StreamId stream = opening.stream;
  base::ByteView rest = data;
  const auto state = opening.reader.feed(rest);
  link.connection->consume(stream, data.size() - rest.size() - consumed);
  if (state == wire::EnvelopeReader::State::kEnvelope) return stream_arrived(link, opening, rest, fin);
  const bool fault = state == wire::EnvelopeReader::State::kFault;
  if (!fault && !fin) return;
  counters_.refused_framing.add();
  refuse_opening(link, stream, fault ? opening.reader.fault() : wire::Code::kRejected);
}

void Switchboard::refuse_opening(Link& link, quic::StreamId stream, wire::Code code) {
  link.connection->reset(stream, static_cast<std::uint64_t>(code));
  drop_opening(link, stream);
}

void Switchboard::drop_opening(Link& link, quic::StreamId stream) {
  auto& openings = link.session->openings;
  std::erase_if(openings, [stream](const auto& opening) { return opening->stream == stream; });
  if (openings.empty()) openings.shrink_to_fit();
}

void Switchboard::stream_arrived(Link& link, Opening& opening, base::ByteView rest, bool fin) {
  const quic::StreamId stream = opening.stream;
  const auto [type, payload] = opening.reader.envelope();
  saw_exchange(link);
  // Section 10: the opening counts as a question does; what follows is bounded by flow control.
  if (const auto rule = over_budget(link, payload.size())) {
    refuse_opening(link, stream, wire::Code::kRateLimited);
    return punish(link, *rule);
  }
  if (!wire::structure_ok(payload)) {
    counters_.refused_structure.add();
    return refuse_opening(link, stream, wire::Code::kRejected);
  }
  auto pipe = host_->deliver_stream(type, link.session->info->handle, payload);
  if (!pipe) {
    counters_.streams_refused.add();
    return refuse_opening(link, stream, wire::Code::kInternal);
  }
  counters_.streams_accepted.add();
  drop_opening(link, stream);
  const base::MonoNs now = deadlines_.now();
  ConnectionStreams& streams = streams_of(link);
  streams.add(stream, std::move(pipe), std::nullopt, now);
  deadlines_.set_no_later(link, base::after(now, kStreamIdle));
  if (!rest.empty() || fin) streams.data(stream, rest, fin, now);
}

// At the session's deadline; the next one.
base::MonoNs Switchboard::sweep_streams(Link& link, base::MonoNs now) {
  LiveSession& session = *link.session;
  std::vector<quic::StreamId> due;
  for (const auto& opening : session.openings) {
    if (opening->deadline <= now) due.push_back(opening->stream);
  }
  for (const auto stream : due) {
    counters_.exchanges_timed_out.add();
    refuse_opening(link, stream, wire::Code::kRejected);
  }
  base::MonoNs next = base::kNever;
  for (const auto& opening : session.openings) next = std::min(next, opening->deadline);
  if (!session.streams) return next;
  counters_.streams_timed_out.add(session.streams->sweep(now));
  if (session.streams->size() == 0) session.streams.reset();
  return session.streams ? std::min(next, session.streams->next_deadline()) : next;
}

}  // namespace atlas::node
