// Over the machine's own loopback and loop: real sockets, segmentation offload, two endpoints in one thread.
#include <gtest/gtest.h>

#include "net/uv_loop.h"
#include "party.h"

namespace atlas::quic {
namespace {

class EndpointLoopback : public ::testing::Test {
 protected:
  EndpointLoopback() {
    guard = loop.make_timer([this] {
      ADD_FAILURE() << "took too long";
      loop.stop();
    });
    guard->arm(clock.mono_ns() + 60 * base::kSecond);
    for (Side side : {Side::kListener, Side::kDialler}) {
      Endpoint::Setup setup;
      setup.loop = &loop;
      setup.random = &random;
      auto& made = side == Side::kListener ? listener : dialler;
      made = std::move(Endpoint::make(std::move(setup)).value());
      Protocol protocol;
      protocol.alpn = "atlas/1";
      protocol.key = side == Side::kListener ? &listener_key : &dialler_key;
      protocol.events = side == Side::kListener ? &listener_events : &dialler_events;
      EXPECT_TRUE(made->add_protocol(protocol).has_value());
    }
    listener_events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
      connection.write(stream, data, fin);
    };
  }

  base::SystemClock clock;
  base::SystemRandom random;
  net::UvLoop loop{clock};
  std::unique_ptr<net::Timer> guard;
  identity::NodeKey listener_key = key_of(1), dialler_key = key_of(2);
  Recorder listener_events, dialler_events;
  std::unique_ptr<Endpoint> listener, dialler;
};

TEST_F(EndpointLoopback, EchoesFourMebibytes) {
  const auto address = listener->listen({net::IpAddress::v4({127, 0, 0, 1}), 0});
  ASSERT_TRUE(address.has_value()) << address.error().text;
  const std::string data(4 << 20, 'd');
  dialler_events.connect_hook = [&](Connection& connection) {
    connection.write(connection.open_stream().value(), base::as_bytes(data), true);
  };
  dialler_events.data_hook = [&](Connection& connection, StreamId, base::ByteView, bool fin) {
    if (fin) connection.close(0, "done");
  };
  listener_events.close_hook = [&](Connection&, const CloseInfo& info) {
    EXPECT_EQ(info.reason, "done");
    loop.stop();
  };
  DialOptions options;
  options.remote = *address;
  options.expected_node_id = listener_key.node_id();
  ASSERT_TRUE(dialler->dial(options).has_value());
  loop.run();
  ASSERT_EQ(dialler_events.streams.size(), 1u);
  EXPECT_EQ(dialler_events.streams.begin()->second.data, data);
  const net::UdpCounters counters = listener->udp_counters();
  EXPECT_GT(counters.received_datagrams, counters.receive_calls) << "datagrams come in batches";
  dialler.reset();
  listener.reset();
}

}  // namespace
}  // namespace atlas::quic
