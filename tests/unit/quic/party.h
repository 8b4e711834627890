// Endpoints on the simulated network, and somebody to listen to them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "identity/node_key.h"
#include "quic/endpoint.h"
#include "sim/sim_world.h"

namespace atlas::quic {

inline base::Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

// Notes everything; consumes what arrives at once unless told otherwise; hooks may act in the middle of a callback.
class Recorder : public ConnectionEvents {
 public:
  struct StreamLog {
    std::string data;
    bool fin = false, written = false, closed = false;
    std::optional<std::uint64_t> reset;
    std::size_t unconsumed = 0;
  };

  void on_connected(Connection& connection) override {
    connected.push_back(&connection);
    if (connect_hook) connect_hook(connection);
  }
  void on_data(Connection& connection, StreamId stream, base::ByteView data, bool fin) override {
    StreamLog& log = streams[{connection.number(), stream}];
    EXPECT_FALSE(log.closed);
    EXPECT_FALSE(log.fin);
    log.data += base::as_text(data);
    log.fin = fin;
    if (consume_at_once) {
      connection.consume(stream, data.size());
    } else {
      log.unconsumed += data.size();
    }
    if (data_hook) data_hook(connection, stream, data, fin);
  }
  void on_written(Connection& connection, StreamId stream) override {
    StreamLog& log = streams[{connection.number(), stream}];
    EXPECT_FALSE(log.written);
    EXPECT_EQ(connection.unacknowledged(stream), 0u);
    log.written = true;
  }
  void on_reset(Connection& connection, StreamId stream, std::uint64_t code) override {
    StreamLog& log = streams[{connection.number(), stream}];
    EXPECT_FALSE(log.reset);
    log.reset = code;
  }
  void on_stream_closed(Connection& connection, StreamId stream) override {
    StreamLog& log = streams[{connection.number(), stream}];
    EXPECT_FALSE(log.closed);
    log.closed = true;
    ++streams_closed;
  }
  void on_path(Connection& connection) override { paths.push_back(connection.remote()); }
  void on_closed(Connection& connection, const CloseInfo& info) override {
    closed.push_back(info);
    if (close_hook) close_hook(connection, info);
  }

  StreamLog& log(const Connection& connection, StreamId stream) { return streams[{connection.number(), stream}]; }

  std::vector<Connection*> connected;
  std::map<std::pair<std::uint64_t, StreamId>, StreamLog> streams;
  std::vector<net::SocketAddress> paths;
  std::vector<CloseInfo> closed;
  std::size_t streams_closed = 0;
  bool consume_at_once = true;
  std::function<void(Connection&)> connect_hook;
  std::function<void(Connection&, StreamId, base::ByteView, bool)> data_hook;
  std::function<void(Connection&, const CloseInfo&)> close_hook;
};

inline identity::NodeKey key_of(std::uint8_t number) {
  base::ByteArray<32> seed{};
  seed[0] = number;
  seed[31] = 0x5a;
  return identity::NodeKey::from_seed(seed);
}

// An endpoint on a node.
struct Party {
  static constexpr std::uint16_t kPort = 4433;

  explicit Party(sim::SimNode& at, std::uint8_t number, EndpointLimits limits = {},
                 std::function<bool(const net::SocketAddress&)> filter = {})
      : node(at), key(key_of(number)) {
    Endpoint::Setup setup;
    setup.loop = &node.loop();
    setup.random = &node.random();
    setup.limits = limits;
    setup.secret.fill(number);
    setup.accept_filter = std::move(filter);
    auto made = Endpoint::make(std::move(setup));
    EXPECT_TRUE(made.has_value());
    endpoint = std::move(*made);
    protocol.alpn = "atlas/1";
    protocol.key = &key;
    protocol.events = &events;
  }

  Party& listen() {
    open();
    const auto bound = endpoint->listen(node.at(kPort));
    EXPECT_TRUE(bound.has_value()) << bound.error().text;
    return *this;
  }
  void open() {
    if (opened) return;
    opened = true;
    const auto added = endpoint->add_protocol(protocol);
    EXPECT_TRUE(added.has_value()) << added.error().text;
  }
  net::SocketAddress address() const { return node.at(kPort); }

  Connection* dial(const Party& to, std::optional<std::string> expected = std::nullopt) {
    return dial(to.address(), std::move(expected));
  }
  Connection* dial(const net::SocketAddress& to, std::optional<std::string> expected = std::nullopt) {
    open();
    DialOptions options;
    options.remote = to;
    options.alpn = protocol.alpn;
    options.expected_node_id = std::move(expected);
    const auto made = endpoint->dial(options);
    EXPECT_TRUE(made.has_value()) << made.error().text;
    return made.has_value() ? *made : nullptr;
  }
  const EndpointCounters& counters() const { return endpoint->counters(); }

  sim::SimNode& node;
  identity::NodeKey key;
  Recorder events;
  Protocol protocol;
  std::unique_ptr<Endpoint> endpoint;
  bool opened = false;
};

// Two nodes 10 ms apart, the second one listening.
class PairTest : public ::testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 30 * base::kSecond;

  PairTest() : world(seed()), alice_node(world.add_node("alice")), bob_node(world.add_node("bob")) {}

  static std::uint64_t seed() { return 4711; }

  void start(EndpointLimits limits = {}) {
    if (!alice) alice = std::make_unique<Party>(alice_node, 1);
    if (!bob) bob = std::make_unique<Party>(bob_node, 2, limits);
    bob->listen();
  }
  // A connection known to both sides.
  Connection& connect() {
    const std::size_t before = bob->events.connected.size();
    here = alice->dial(*bob);
    EXPECT_TRUE(world.run_until([&] { return bob->events.connected.size() > before; }, kLong));
    there = bob->events.connected.back();
    return *here;
  }
  bool run_until(const std::function<bool()>& done, base::MonoNs most = kLong) { return world.run_until(done, most); }

  sim::SimWorld world;
  sim::SimNode& alice_node;
  sim::SimNode& bob_node;
  std::unique_ptr<Party> alice, bob;
  Connection* here = nullptr;
  Connection* there = nullptr;
};

}  // namespace atlas::quic
