#include "integration/processes/live_peer.h"

#include <algorithm>
#include <stdexcept>

namespace atlas::kit {
namespace {

net::SocketAddress address_of(const std::string& text) {
  const auto address = net::SocketAddress::parse(text);
  if (!address) throw std::runtime_error("\"" + text + "\" is no address");
  return *address;
}

}  // namespace

LivePeer::LivePeer(const std::string& node) : key_(identity::NodeKey::generate(random_)), node_(address_of(node)) {
  quic::Endpoint::Setup setup;
  setup.loop = &loop_;
  setup.random = &random_;
  setup.limits.max_connections = 10'000;
  setup.limits.max_half_open = 10'000;
  random_.fill(setup.secret);
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

LivePeer::~LivePeer() {
  endpoint_->close_all(0, "done");
  wait([this] { return std::ranges::all_of(lines_, [](const auto& line) { return line->connection == nullptr; }); });
}

RawLine& LivePeer::dial(const identity::NodeKey* key) {
  RawLine& line = *lines_.emplace_back(std::make_unique<RawLine>());
  line.started_at = clock_.mono_ns();
  quic::DialOptions options;
  options.remote = node_;
  options.user = &line;
  options.key = key;
  const auto dialled = endpoint_->dial(options);
  if (!dialled) throw std::runtime_error(dialled.error().text);
  line.connection = *dialled;
  return line;
}

bool LivePeer::wait(const std::function<bool()>& done, base::MonoNs most) {
  if (done()) return true;
  done_ = done;
  const auto deadline = loop_.make_timer([this] { loop_.stop(); });
  deadline->arm(base::after(clock_.mono_ns(), most));
  loop_.run();
  done_ = nullptr;
  return done();
}

void LivePeer::look() {
  if (done_ && done_()) loop_.stop();
}

std::optional<quic::StreamId> LivePeer::say(RawLine& line, base::ByteView bytes, bool fin) {
  if (line.connection == nullptr) throw std::runtime_error("that line is closed");
  const auto stream = line.connection->open_stream();
  if (!stream) return std::nullopt;
  line.streams[*stream];
  line.connection->write(*stream, bytes, fin);
  return *stream;
}

wire::Hello LivePeer::hello(const identity::NodeKey& key) const {
  wire::Hello hello;
  hello.node_id = key.node_id();
  hello.name = "live";
  hello.public_key.assign(key.public_key().begin(), key.public_key().end());
  hello.timestamp = unix_s();
  return hello;
}

std::optional<Envelope> LivePeer::send_hello(RawLine& line, const wire::Hello& hello) {
  if (!wait_connected(line)) return std::nullopt;
  line.greeting = say(line, wire::encode(hello), false).value();
  wait([&] { return !line.streams[line.greeting].envelopes().empty() || line.closed; });
  const auto answers = line.streams[line.greeting].envelopes();
  return answers.empty() ? std::nullopt : std::optional(answers.front());
}

std::optional<wire::VerifyAck> LivePeer::greet(RawLine& line, const identity::NodeKey* key) {
  const identity::NodeKey& who = key != nullptr ? *key : key_;
  const auto answer = send_hello(line, hello(who));
  const auto ack = answer && answer->type == wire::kHelloAck ? wire::decode_hello_ack(answer->payload) : std::nullopt;
  if (!ack || line.closed) return std::nullopt;
  line.connection->write(line.greeting, wire::encode(RawPeer::verify(*ack, who)), true);
  wait([&] { return line.streams[line.greeting].envelopes().size() > 1 || line.closed; });
  const auto answers = line.streams[line.greeting].envelopes();
  if (answers.size() < 2 || answers[1].type != wire::kVerifyAck) return std::nullopt;
  return wire::decode_verify_ack(answers[1].payload);
}

RawLine& LivePeer::session(const identity::NodeKey* key) {
  RawLine& line = dial(key);
  const auto verdict = greet(line, key);
  if (!verdict || !verdict->ok) throw std::runtime_error("the node refused a handshake that was right");
  return line;
}

void LivePeer::on_connected(quic::Connection& connection) {
  line_of(connection).connected = true;
  look();
}

void LivePeer::on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) {
  RawStream& log = line_of(connection).streams[stream];
  if (log.first_at == 0) log.first_at = clock_.mono_ns();
  log.data.insert(log.data.end(), data.begin(), data.end());
  log.fin = fin;
  if (fin) log.ended_at = clock_.mono_ns();
  connection.consume(stream, data.size());
  look();
}

void LivePeer::on_written(quic::Connection& connection, quic::StreamId stream) {
  line_of(connection).streams[stream].written = true;
  look();
}

void LivePeer::on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) {
  RawStream& log = line_of(connection).streams[stream];
  log.reset = code;
  log.ended_at = clock_.mono_ns();
  look();
}

void LivePeer::on_stream_closed(quic::Connection& connection, quic::StreamId stream) {
  line_of(connection).streams[stream].closed = true;
  look();
}

void LivePeer::on_closed(quic::Connection& connection, const quic::CloseInfo& info) {
  RawLine& line = line_of(connection);
  line.connection = nullptr;
  line.closed = info;
  line.closed_at = clock_.mono_ns();
  look();
}

}  // namespace atlas::kit
