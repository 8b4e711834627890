// A31, the datapath's part: pairs of routes leave with the session, and leave nothing.
#include <malloc.h>

#include "unit/quic/raw_socket.h"
#include "unit/quic/relay_fixture.h"

namespace atlas::quic {
namespace {

class RouteSlots : public RelayTest {
 protected:
  static constexpr std::size_t kCycles = 100'000, kWarmUp = 2'000;

  RoutePair numbered(std::uint64_t number) {
    RoutePair out = pair();
    for (std::size_t i = 0; i < 8; ++i) out.to_a[i] = out.to_b[i] = static_cast<std::uint8_t>(number >> (8 * i));
    out.to_a[7] = 1;
    out.to_b[7] = 2;
    out.ended = [this](RouteEnded) { ++over; };
    return out;
  }
  static std::size_t in_use() { return mallinfo2().uordblks; }

  std::size_t over = 0;
};

TEST_F(RouteSlots, sec_relay_slot_release) {
  constexpr std::size_t kPairs = 2'000;
  Routes& routes = relay->endpoint->routes();
  std::uint64_t number = 0;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < kPairs; ++i) ASSERT_NE(add(numbered(++number)), 0u);
    ASSERT_EQ(routes.size(), kPairs);
    over = 0;
    const base::MonoNs began = world.now();
    bob->endpoint->close_all(0, "");
    ASSERT_TRUE(world.run_until([&] { return routes.size() == 0; }, base::kSecond)) << "slots return within a second";
    EXPECT_EQ(over, kPairs);
    std::printf("%zu pairs of one session were free after %.0f ms\n", kPairs,
                static_cast<double>(world.now() - began) / base::kMillisecond);
    bob = std::make_unique<Party>(bob_node, static_cast<std::uint8_t>(20 + round));
    bob_at_relay = join(*bob);
  }
}

TEST_F(RouteSlots, sec_relay_slot_release_leaves_memory_flat) {
  RawSocket stranger(world.add_node("stranger"));
  for (Connection* session : {alice_at_relay, bob_at_relay}) session->keep_alive(10 * base::kSecond);
  Routes& routes = relay->endpoint->routes();
  base::Bytes packet(1'200, 0x40);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < kCycles + kWarmUp; ++i) {
    if (i == kWarmUp) begin = in_use();
    RoutePair made = numbered(i);
    std::ranges::copy(made.to_b, packet.begin() + 1);
    made.idle = i % 3 == 0 ? base::kSecond : 60 * base::kSecond;
    const RouteId route = add(std::move(made));
    if (i % 100 == 0) stranger.send(relay->address(), packet);
    if (i % 3 != 0) routes.remove(route);
    if (i % 300 == 299) world.run_for(2 * base::kSecond);  // the others run out
    ASSERT_LE(routes.size(), 200u);
  }
  world.run_for(2 * base::kSecond);
  const std::size_t end = in_use();
  EXPECT_EQ(routes.size(), 0u);
  EXPECT_EQ(over, kCycles + kWarmUp);
  EXPECT_LE(end, begin + (64u << 10)) << "bytes in use after " << kCycles << " pairs";
  std::printf("%zu pairs: %zu bytes in use before, %zu after\n", kCycles, begin, end);
}

}  // namespace
}  // namespace atlas::quic
