#include "kit/raw_peer.h"

#include <stdexcept>

namespace atlas::kit {

std::vector<Envelope> RawStream::envelopes() const {
  std::vector<Envelope> all;
  wire::EnvelopeReader reader;
  base::ByteView rest = data;
  while (reader.feed(rest) == wire::EnvelopeReader::State::kEnvelope) {
    const auto& envelope = reader.envelope();
    all.push_back({envelope.type, base::Bytes(envelope.payload.begin(), envelope.payload.end())});
    reader.pop();
  }
  return all;
}

std::uint32_t RawStream::error_code() const {
  const auto all = envelopes();
  if (all.empty() || all.front().type != wire::kError) return 0;
  const auto error = wire::decode_error(all.front().payload);
  return error ? error->code : 0;
}

std::string RawStream::error_text() const {
  const auto all = envelopes();
  const auto error = all.empty() ? std::nullopt : wire::decode_error(all.front().payload);
  return error ? error->message : "";
}

quic::StreamId RawLine::opened_by_peer(bool we_dialled, quic::StreamId behind) const {
  for (const auto& [id, stream] : streams) {
    if (id > behind && ((id & 1) != 0) == we_dialled) return id;
  }
  return -1;
}

RawPeer::RawPeer(sim::SimWorld& world, sim::SimNode& machine)
    : world_(world), machine_(machine), key_(identity::NodeKey::generate(machine.random())) {
  quic::Endpoint::Setup setup;
  setup.loop = &machine.loop();
  setup.random = &machine.random();
  setup.limits.max_connections = 100'000;
  setup.limits.max_half_open = 100'000;
  setup.secret.fill(7);
  auto made = quic::Endpoint::make(std::move(setup));
  if (!made) throw std::runtime_error(made.error().text);
  endpoint_ = std::move(*made);
  quic::Protocol protocol;
  protocol.alpn = "atlas/1";
  protocol.key = &key_;
  protocol.events = this;
  protocol.idle_timeout = 3600 * base::kSecond;
  protocol.handshake_timeout = 60 * base::kSecond;
  if (const auto added = endpoint_->add_protocol(protocol); !added) throw std::runtime_error(added.error().text);
}

RawPeer::~RawPeer() {
  on_piece = nullptr;
}

RawLine& RawPeer::dial(const net::SocketAddress& remote, const identity::NodeKey* key) {
  lines_.push_back(std::make_unique<RawLine>());
  RawLine& line = *lines_.back();
  line.started_at = world_.now();
  quic::DialOptions options;
  options.remote = remote;
  options.user = &line;
  options.key = key;
  const auto dialled = endpoint_->dial(options);
  if (!dialled) throw std::runtime_error(dialled.error().text);
  line.connection = *dialled;
  return line;
}

net::SocketAddress RawPeer::listen(std::uint16_t port) {
  const auto bound = endpoint_->listen(machine_.at(port));
  if (!bound) throw std::runtime_error(bound.error().text);
  return *bound;
}

quic::StreamId RawPeer::say(RawLine& line, base::ByteView bytes, bool fin) {
  if (line.connection == nullptr) throw std::runtime_error("that line is closed");
  const auto stream = line.connection->open_stream();
  if (!stream) throw std::runtime_error(stream.error().text);
  line.streams[*stream];
  line.connection->write(*stream, bytes, fin);
  return *stream;
}

void RawPeer::say_more(RawLine& line, quic::StreamId stream, base::ByteView bytes, bool fin) {
  if (line.connection != nullptr) line.connection->write(stream, bytes, fin);
}

const RawStream& RawPeer::ask(RawLine& line, std::uint8_t type, base::ByteView payload) {
  const quic::StreamId stream = say(line, type, payload);
  wait_ended(line, stream);
  return line.streams[stream];
}

wire::Hello RawPeer::hello(const identity::NodeKey& key) const {
  wire::Hello hello;
  hello.node_id = key.node_id();
  hello.name = "raw";
  hello.public_key.assign(key.public_key().begin(), key.public_key().end());
  hello.timestamp = unix_s();
  return hello;
}

std::optional<Envelope> RawPeer::send_hello(RawLine& line, const wire::Hello& hello) {
  if (!wait_connected(line)) return std::nullopt;
  line.greeting = say(line, wire::encode(hello), false);
  const auto answered = [&] { return !line.streams[line.greeting].envelopes().empty() || line.closed; };
  if (!wait(answered) || line.streams[line.greeting].envelopes().empty()) return std::nullopt;
  return line.streams[line.greeting].envelopes().front();
}

wire::Verify RawPeer::verify(const wire::HelloAck& ack, const identity::NodeKey& key) {
  const identity::Signature signature = key.sign(ack.challenge);
  wire::Verify verify;
  verify.signature.assign(signature.begin(), signature.end());
  verify.challenge = ack.challenge;
  return verify;
}

bool RawPeer::greet(RawLine& line, const identity::NodeKey* key) {
  const identity::NodeKey& who = key != nullptr ? *key : key_;
  const auto answer = send_hello(line, hello(who));
  if (!answer || answer->type != wire::kHelloAck) return false;
  const auto ack = wire::decode_hello_ack(answer->payload);
  if (!ack) return false;
  say_more(line, line.greeting, wire::encode(verify(*ack, who)), true);
  wait([&] { return line.streams[line.greeting].envelopes().size() > 1 || line.closed; });
  const auto envelopes = line.streams[line.greeting].envelopes();
  if (envelopes.size() < 2 || envelopes[1].type != wire::kVerifyAck) return false;
  const auto verdict = wire::decode_verify_ack(envelopes[1].payload);
  return verdict && verdict->ok;
}

RawLine& RawPeer::session(const net::SocketAddress& remote, const identity::NodeKey* key) {
  RawLine& line = dial(remote, key);
  if (!greet(line, key)) throw std::runtime_error("the node refused a handshake that was right");
  return line;
}

void RawPeer::on_connected(quic::Connection& connection) {
  if (connection.user == nullptr) {
    lines_.push_back(std::make_unique<RawLine>());
    lines_.back()->connection = &connection;
    lines_.back()->started_at = world_.now();
    connection.user = lines_.back().get();
    accepted_.push_back(lines_.back().get());
  }
  line_of(connection).connected = true;
}

void RawPeer::on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) {
  RawLine& line = line_of(connection);
  RawStream& log = line.streams[stream];
  if (log.first_at == 0) log.first_at = world_.now();
  log.data.insert(log.data.end(), data.begin(), data.end());
  log.fin = fin;
  if (fin) log.ended_at = world_.now();
  if (consume) connection.consume(stream, data.size());
  if (on_piece) on_piece(line, stream);
}

void RawPeer::on_written(quic::Connection& connection, quic::StreamId stream) {
  line_of(connection).streams[stream].written = true;
}

void RawPeer::on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  RawStream& log = line_of(connection).streams[stream];
  log.reset = code;
  log.ended_at = world_.now();
}

void RawPeer::on_stream_closed(quic::Connection& connection, quic::StreamId stream) {
  line_of(connection).streams[stream].closed = true;
}

void RawPeer::on_closed(quic::Connection& connection, const quic::CloseInfo& info) {
  RawLine& line = line_of(connection);
  line.connection = nullptr;
  line.closed = info;
  line.closed_at = world_.now();
}

}  // namespace atlas::kit
