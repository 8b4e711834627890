#include "bench/swarm.h"

#include <algorithm>
#include <stdexcept>

namespace atlas::bench {

Peer::Peer(Swarm& swarm, std::size_t index, std::size_t socket) : swarm_(swarm), index_(index), socket_(socket) {
  swarm.random_.fill(seed_);
}

void Peer::request(std::uint8_t type, base::ByteView payload, Answered done) {
  const auto stream = connection_->open_stream();
  if (!stream) {
    // The peer's stream limit: it moves with its next packet.
    swarm_.after(base::kMillisecond, [this, type, copy = base::Bytes(payload.begin(), payload.end()), done] {
      if (connection_ != nullptr) request(type, copy, done);
    });
    ++swarm_.stream_waits_;
    return;
  }
  connection_->write(*stream, wire::seal(type, payload), true);
  pending_.push_back({*stream, swarm_.clock_.mono_ns(), wire::EnvelopeReader(), std::move(done)});
}

void Peer::close() {
  if (connection_ != nullptr) connection_->close(0, "done");
}

void Peer::take(quic::StreamId stream, base::ByteView data, bool fin) {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (pending_[i].stream != stream) continue;
    using State = wire::EnvelopeReader::State;
    const State state = pending_[i].reader.feed(data);
    if (state == State::kNeedMore && !fin) return;
    Pending pending = std::move(pending_[i]);
    pending_[i] = std::move(pending_.back());
    pending_.pop_back();
    const base::MonoNs round_trip = swarm_.clock_.mono_ns() - pending.started;
    if (state == State::kEnvelope) {
      const auto& envelope = pending.reader.envelope();
      pending.done(envelope.type, envelope.payload, round_trip);
    } else {
      pending.done(0, {}, round_trip);
    }
    return;
  }
}

void Peer::take_pushed(quic::StreamId stream, base::ByteView data, bool fin) {
  auto found = std::ranges::find(pushed_, stream, &Pushed::stream);
  if (found == pushed_.end()) found = pushed_.insert(found, {stream, wire::EnvelopeReader()});
  const auto state = found->reader.feed(data);
  if (state == wire::EnvelopeReader::State::kEnvelope && swarm_.hooks.on_pushed) {
    const auto [type, payload] = found->reader.envelope();
    swarm_.hooks.on_pushed(*this, type, payload);
    found->reader.pop();
  }
  if (fin) pushed_.erase(found);
}

Swarm::Swarm(net::SocketAddress target, const Options& options)
    : target_(target), own_key_(identity::NodeKey::generate(random_)) {
  due_timer_ = loop_.make_timer([this] { run_due(); });
  self_.name = "bench";
  self_.agent_version = "atlas-bench";
  self_.features = options.features;
  for (std::size_t i = 0; i < options.sockets; ++i) {
    socket_loops_.push_back(std::make_unique<SharedPortLoop>(loop_, options.share_ports));
    endpoints_.push_back(make_endpoint(*socket_loops_.back()));
  }
}

std::unique_ptr<quic::Endpoint> Swarm::make_endpoint(net::Loop& loop) {
  quic::Endpoint::Setup setup;
  setup.loop = &loop;
  setup.random = &random_;
  setup.limits.max_connections = 1'000'000;
  random_.fill(setup.secret);
  auto made = quic::Endpoint::make(std::move(setup));
  if (!made) throw std::runtime_error(made.error().text);
  quic::Protocol protocol;
  protocol.alpn = "atlas/1";
  protocol.key = &own_key_;
  protocol.events = this;
  protocol.idle_timeout = 3600 * base::kSecond;
  protocol.handshake_timeout = 60 * base::kSecond;
  if (const auto added = (*made)->add_protocol(protocol); !added) throw std::runtime_error(added.error().text);
  return std::move(*made);
}

Swarm::~Swarm() {
  hooks = {};
  for (const auto& endpoint : endpoints_) endpoint->close_all(0, "done");
  run_for(200 * base::kMillisecond);
}

std::size_t Swarm::add_peer() {
  peers_.push_back(std::make_unique<Peer>(*this, peers_.size(), peers_.size() % endpoints_.size()));
  return peers_.size() - 1;
}

void Swarm::connect_all(std::size_t count, std::size_t in_flight) {
  while (size() < count) add_peer();
  std::size_t next = 0, connected = 0;
  hooks.on_ready = [&](Peer&) {
    if (next < count) dial(peer(next++));
    if (++connected == count) stop();
  };
  hooks.on_closed = [&](Peer& peer, const quic::CloseInfo& info) {
    throw std::runtime_error("peer " + std::to_string(peer.index()) + " was closed: " + info.reason);
  };
  while (next < std::min(in_flight, count)) dial(peer(next++));
  if (!run_for(600 * base::kSecond)) throw std::runtime_error("the peers did not all connect");
  hooks.on_ready = nullptr;
  hooks.on_closed = nullptr;
}

net::SocketAddress Swarm::local(std::size_t socket) const {
  return {target_.ip, socket_loops_[socket]->local().port};
}

void Swarm::deliver(std::size_t socket, const net::ReceivedBatch& batch) {
  socket_loops_[socket]->deliver(batch);
}

void Swarm::dial(Peer& peer) {
  peer.ready_ = false;
  peer.pending_.clear();
  peer.pushed_.clear();
  quic::DialOptions options;
  options.remote = target_;
  peer.key_ = std::make_unique<identity::NodeKey>(identity::NodeKey::from_seed(peer.seed_));
  peer.node_id_ = peer.key_->node_id();
  options.key = peer.key_.get();
  options.user = &peer;
  const auto dialled = endpoints_[peer.socket_]->dial(options);
  if (!dialled) throw std::runtime_error(dialled.error().text);
  peer.connection_ = *dialled;
}

bool Swarm::run_for(base::MonoNs span) {
  timed_out_ = false;
  const auto timer = loop_.make_timer([this] {
    timed_out_ = true;
    loop_.stop();
  });
  timer->arm(clock_.mono_ns() + span);
  loop_.run();
  return !timed_out_;
}

void Swarm::stop() {
  loop_.stop();
}

void Swarm::after(base::MonoNs span, std::function<void()> callback) {
  due_.emplace(clock_.mono_ns() + span, std::move(callback));
  due_timer_->arm(due_.begin()->first);
}

void Swarm::run_due() {
  const base::MonoNs now = clock_.mono_ns();
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto callback = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    callback();
  }
  if (!due_.empty()) due_timer_->arm(due_.begin()->first);
}

void Swarm::on_connected(quic::Connection& connection) {
  Peer& peer = *static_cast<Peer*>(connection.user);
  session::Self self = self_;
  self.key = peer.key_.get();
  peer.handshake_ = std::make_unique<session::DiallerHandshake>(self, connection.peer_key(), connection.started());
  peer.reader_ = std::make_unique<wire::EnvelopeReader>(wire::kMaxHandshakePayload);
  const auto stream = connection.open_stream();
  if (!stream) return connection.close(3, "no stream");
  peer.handshake_stream_ = *stream;
  apply(peer, peer.handshake_->begin(clock_.unix_s()));
}

void Swarm::apply(Peer& peer, session::Step step) {
  for (std::size_t i = 0; i < step.send.size(); ++i) {
    peer.connection_->write(peer.handshake_stream_, step.send[i], step.finish && i + 1 == step.send.size());
  }
  using Outcome = session::Step::Outcome;
  if (step.outcome == Outcome::kContinue) return;
  peer.handshake_.reset();
  peer.reader_.reset();
  peer.key_.reset();
  if (step.outcome == Outcome::kFailed) {
    ++failed_;
    return peer.connection_->close(step.close_code, step.reason);
  }
  peer.ready_ = true;
  if (hooks.on_ready) hooks.on_ready(peer);
}

void Swarm::handshake_bytes(Peer& peer, base::ByteView data) {
  while (peer.reader_ && peer.reader_->feed(data) == wire::EnvelopeReader::State::kEnvelope) {
    const auto [type, payload] = peer.reader_->envelope();
    session::Step step = peer.handshake_->on_message(type, payload);
    peer.reader_->pop();
    apply(peer, std::move(step));
  }
}

void Swarm::on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) {
  Peer& peer = *static_cast<Peer*>(connection.user);
  connection.consume(stream, data.size());
  if (stream == peer.handshake_stream_) return handshake_bytes(peer, data);
  // The server's own requests (keepalive) are answered by finishing our side.
  if ((stream & 1) != 0) {
    if (hooks.on_pushed) peer.take_pushed(stream, data, fin);
    if (fin) connection.write(stream, {}, true);
    return;
  }
  peer.take(stream, data, fin);
}

void Swarm::on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t) {
  static_cast<Peer*>(connection.user)->take(stream, {}, true);
}

void Swarm::on_closed(quic::Connection& connection, const quic::CloseInfo& info) {
  Peer& peer = *static_cast<Peer*>(connection.user);
  peer.connection_ = nullptr;
  peer.ready_ = false;
  peer.handshake_.reset();
  peer.reader_.reset();
  peer.pending_.clear();
  if (hooks.on_closed) hooks.on_closed(peer, info);
}

}  // namespace atlas::bench
