#include "node/other_protocols.h"

#include <algorithm>

#include "base/log.h"

namespace atlas::node {
namespace {

// RFC 9000, section 20.1, and RFC 8446, section 6.
constexpr std::uint64_t kConnectionRefused = 0x02, kBadCertificate = 0x12a;

bool opened_by_us(const quic::Connection& connection, quic::StreamId stream) {
  return ((stream & 1) == 0) == (connection.side() == quic::Side::kDialler);
}
bool is_unidirectional(quic::StreamId stream) {
  return (stream & 2) != 0;
}

std::uint32_t why_of(const quic::CloseInfo& info) {
  using By = quic::CloseInfo::By;
  switch (info.by) {
    case By::kLocal:
      return ATLAS_CLOSED_LOCAL;
    case By::kPeer:
      return ATLAS_CLOSED_PEER;
    case By::kPeerTransport:
    case By::kTransport:
    case By::kReset:
    case By::kIdentity:
      return ATLAS_CLOSED_TRANSPORT;
    case By::kIdle:
    case By::kHandshakeTimeout:
      return ATLAS_CLOSED_IDLE;
  }
  return ATLAS_CLOSED_TRANSPORT;
}

}  // namespace

void OtherLink::on_expire(base::MonoNs) {
  owner.expired(*this);
}

// --- one protocol ---

OtherProtocol::~OtherProtocol() {
  for (auto& [raw, link] : links_) owner_.setup_.deadlines->clear(*link);
}

OtherLink& OtherProtocol::keep(std::unique_ptr<OtherLink> link) {
  OtherLink& kept = *link;
  kept.streams = std::make_unique<ConnectionStreams>(
      ConnectionStreams::Setup{.connection = kept.connection, .index = owner_.setup_.index});
  kept.connection->user = &kept;
  owner_.by_tag_.emplace(kept.pipe->tag(), &kept);
  links_.emplace(&kept, std::move(link));
  return kept;
}

void OtherProtocol::drop(OtherLink& link) {
  owner_.setup_.deadlines->clear(link);
  owner_.by_tag_.erase(link.pipe->tag());
  links_.erase(&link);
}

void OtherProtocol::dial(host::ProtocolDial dial) {
  auto link = std::make_unique<OtherLink>(*this, dial.pipe);
  const auto opened = owner_.endpoint_->dial({.remote = dial.remote,
                                              .alpn = claim_.alpn,
                                              .server_name = std::move(dial.server_name),
                                              .handshake_timeout = dial.timeout});
  if (!opened) return dial.pipe->on_down(ATLAS_CLOSED_TRANSPORT, 0, opened.error().text);
  link->connection = *opened;
  OtherLink& kept = keep(std::move(link));
  owner_.setup_.deadlines->set(kept, base::after(owner_.setup_.deadlines->now(), dial.timeout));
}

void OtherProtocol::on_connected(quic::Connection& connection) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) {
    auto pipe = owner_.setup_.host->deliver_connection(spec_, connection.remote().text());
    if (!pipe) return connection.refuse(kConnectionRefused, "nobody is there for it");
    auto made = std::make_unique<OtherLink>(*this, std::move(pipe));
    made->connection = &connection;
    link = &keep(std::move(made));
    owner_.setup_.deadlines->set(*link, base::after(connection.started(), claim_.handshake));
  }
  link->phase = OtherLink::Phase::kJudged;
  link->pipe->on_presented(connection.take_peer_chain());
}

// No verdict in time, or no connection.
void OtherProtocol::expired(OtherLink& link) {
  link.late = true;
  link.connection->refuse(kConnectionRefused, "no verdict in time");
}

void OtherProtocol::judge(OtherLink& link, bool accepted) {
  if (link.phase != OtherLink::Phase::kJudged || link.late) return;
  owner_.setup_.deadlines->clear(link);
  if (!accepted) {
    link.refused = true;
    return link.connection->refuse(kBadCertificate, "the certificate was refused");
  }
  link.phase = OtherLink::Phase::kUp;
  quic::Connection& connection = *link.connection;
  connection.mark_verified();
  for (const bool unidirectional : {false, true}) {
    link.pipe->on_streams_allowed(unidirectional, connection.streams_left(unidirectional));
  }
  link.pipe->on_up();
  replay(link);
}

void OtherProtocol::replay(OtherLink& link) {
  const auto early = std::exchange(link.early, {});
  quic::Connection& connection = *link.connection;
  for (const auto& [stream, came] : early) {
    if (!came.data.empty() || came.fin) on_data(connection, stream, came.data, came.fin);
    if (came.reset) on_reset(connection, stream, *came.reset);
    if (came.stopped) on_stopped(connection, stream, *came.stopped);
    if (came.closed) on_stream_closed(connection, stream);
  }
}

ConnectionStreams* OtherProtocol::streams_with(OtherLink& link, quic::StreamId stream) {
  if (link.streams->has(stream)) return link.streams.get();
  if (opened_by_us(*link.connection, stream)) return nullptr;
  auto pipe = link.pipe->arrived_stream(is_unidirectional(stream));
  if (!pipe) {
    link.connection->reset(stream, 0);
    return nullptr;
  }
  link.streams->add(stream, std::move(pipe), std::nullopt, owner_.setup_.deadlines->now());
  return link.streams.get();
}

void OtherProtocol::on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) return;
  if (link->phase != OtherLink::Phase::kUp) {
    OtherLink::Early& early = link->early[stream];
    early.data.insert(early.data.end(), data.begin(), data.end());
    early.fin = early.fin || fin;
    return;
  }
  if (ConnectionStreams* streams = streams_with(*link, stream)) {
    streams->data(stream, data, fin, owner_.setup_.deadlines->now());
  }
}

void OtherProtocol::on_acknowledged(quic::Connection& connection, quic::StreamId stream, std::size_t bytes) {
  OtherLink* link = link_of(connection);
  if (link != nullptr) link->streams->acknowledged(stream, bytes, owner_.setup_.deadlines->now());
}

void OtherProtocol::on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) return;
  if (link->phase != OtherLink::Phase::kUp) {
    link->early[stream].reset = code;
  } else if (ConnectionStreams* streams = streams_with(*link, stream)) {
    streams->reset(stream, code);
  }
}

bool OtherProtocol::on_stopped(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) return true;
  if (link->phase != OtherLink::Phase::kUp) {
    link->early[stream].stopped = code;
  } else if (ConnectionStreams* streams = streams_with(*link, stream)) {
    streams->stopped(stream, code);
  }
  return true;
}

void OtherProtocol::on_stream_closed(quic::Connection& connection, quic::StreamId stream) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) return;
  if (link->phase != OtherLink::Phase::kUp) {
    const auto found = link->early.find(stream);
    if (found != link->early.end()) found->second.closed = true;
  } else {
    link->streams->closed(stream);
  }
}

void OtherProtocol::on_streams_allowed(quic::Connection& connection, bool unidirectional, std::uint64_t total) {
  if (OtherLink* link = link_of(connection)) link->pipe->on_streams_allowed(unidirectional, total);
}

void OtherProtocol::on_path(quic::Connection& connection) {
  if (OtherLink* link = link_of(connection)) link->pipe->on_moved(connection.remote().text());
}

void OtherProtocol::on_closed(quic::Connection& connection, const quic::CloseInfo& info) {
  OtherLink* link = link_of(connection);
  if (link == nullptr) return;
  connection.user = nullptr;
  link->streams->end(ATLAS_E_GONE);
  const std::uint32_t why = link->refused ? static_cast<std::uint32_t>(ATLAS_CLOSED_REFUSED)
                            : link->late  ? static_cast<std::uint32_t>(ATLAS_CLOSED_IDLE)
                                          : why_of(info);
  link->pipe->on_down(why, info.code, info.reason);
  drop(*link);
}

// --- all of them ---

base::Result<void> OtherProtocols::begin(quic::Endpoint& endpoint) {
  endpoint_ = &endpoint;
  for (const auto& [spec, claim] : setup_.host->protocols()) {
    protocols_.push_back(std::make_unique<OtherProtocol>(*this, *spec, claim));
    quic::Protocol protocol;
    protocol.alpn = claim.alpn;
    protocol.events = protocols_.back().get();
    protocol.max_streams = claim.max_streams;
    protocol.max_unidirectional = claim.max_unidirectional;
    protocol.max_connections = claim.max_connections;
    protocol.idle_timeout = claim.idle;
    protocol.handshake_timeout = claim.handshake;
    protocol.stream_window = claim.stream_window;
    protocol.connection_window = claim.connection_window;
    protocol.accepts = claim.accepts;
    protocol.needs_client_certificate = claim.needs_client_certificate;
    if (auto added = endpoint.add_protocol(protocol); !added) return added;
  }
  return {};
}

OtherLink* OtherProtocols::find(std::uint64_t tag) {
  const auto found = by_tag_.find(tag);
  return found == by_tag_.end() ? nullptr : found->second;
}

void OtherProtocols::set_credentials(const std::string& alpn, quic::CredentialsPtr credentials) {
  endpoint_->set_credentials(alpn, std::move(credentials));
  setup_.served();
}

void OtherProtocols::dial(host::ProtocolDial dial) {
  const auto found = std::ranges::find_if(protocols_, [&](const auto& one) { return one->claim().alpn == dial.alpn; });
  if (found != protocols_.end()) return (*found)->dial(std::move(dial));
  dial.pipe->on_down(ATLAS_CLOSED_LOCAL, 0, "no such protocol");
}

void OtherProtocols::open_stream(host::ConnectionStreamOrder order) {
  OtherLink* link = find(order.connection);
  if (link == nullptr) return order.pipe->on_closed(ATLAS_E_GONE, 0);
  quic::Connection& connection = *link->connection;
  const auto stream = order.unidirectional ? connection.open_unidirectional_stream() : connection.open_stream();
  if (!stream) {
    const bool full = stream.error().fault == base::Fault::kFull;
    return order.pipe->on_closed(full ? ATLAS_E_FULL : ATLAS_E_GONE, 0);
  }
  link->streams->add(*stream, std::move(order.pipe), std::nullopt, setup_.deadlines->now());
}

void OtherProtocols::judge(std::uint64_t tag, bool accepted) {
  if (OtherLink* link = find(tag)) link->owner.judge(*link, accepted);
}

void OtherProtocols::close(std::uint64_t tag, std::uint64_t code, const std::string& reason) {
  if (OtherLink* link = find(tag)) link->connection->close(code, reason);
}

}  // namespace atlas::node
