// Transfers that are under way when the network changes below them: NATs that forget, paths that die, cables that are
// pulled. The stream goes on, and the session does not notice.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

using base::kSecond;

constexpr NatPolicy kRestricted{.filter = NatPolicy::Filter::kAddress};
constexpr NatPolicy kPortRestricted{.filter = NatPolicy::Filter::kAddressAndPort};
constexpr NatPolicy kSymmetric{.mapping = NatPolicy::Mapping::kPerDestination,
                               .filter = NatPolicy::Filter::kAddressAndPort};

// Two agents, each behind a NAT of that kind, with a session between them, and links that let a transfer last.
class Scene : public RelayedNodes {
 public:
  Scene(double loss, NatPolicy policy)
      : RelayedNodes(3140, links(loss)),
        loss_(loss),
        relay(add_relay("relay")),
        alice(add_agent("alice", policy)),
        bob(add_agent("bob", policy)) {
    EXPECT_TRUE(announced(relay, 2));
  }
  // With the path that such NATs allow, and nothing going on.
  void settle(const std::string& wanted) {
    EXPECT_EQ(connect(alice, bob).exit_code, 0);
    EXPECT_TRUE(eventually([&] { return path(alice, bob).starts_with(wanted) && path(bob, alice) != "none"; }))
        << path(alice, bob);
    world().run_for(2 * kSecond);
  }
  // Sends, lets `happens` happen when some of it has arrived, and waits for the rest. The longest time in which nothing
  // moved, from then on.
  base::MonoNs transfer(FleetNode& from, FleetNode& to, const std::function<void()>& happens) {
    const std::array<Sessions, 2> before{sessions(from), sessions(to)};
    const std::string text = random_text(size());
    const auto sent = begin_send(from, to, text);
    world().run_for(kSecond);
    EXPECT_EQ(sent->exit_code, -1) << "it was over before anything happened";
    const Standstill standstill(world(), to.machine());
    happens();
    EXPECT_TRUE(eventually([&] { return sent->exit_code >= 0; }, 200 * kSecond));
    EXPECT_EQ(sent->exit_code, 0) << sent->error;
    // Where most is lost, an exchange may stand still for its ten seconds; the message goes again then.
    if (loss_ == 0 && sent->exit_code == 0) {
      EXPECT_EQ(sent->result["status"], "received") << sent->result.dump();
      EXPECT_EQ(sent->result["attempts"], 1);
    }
    EXPECT_TRUE(eventually([&] { return !inbox(to, from).empty(); }, 120 * kSecond));
    EXPECT_TRUE(inbox(to, from) == std::vector<std::string>{text});
    EXPECT_EQ(sessions(from), before[0]);
    EXPECT_EQ(sessions(to), before[1]);
    return standstill.longest();
  }

 private:
  using Sessions = std::vector<std::int64_t>;  // opened, closed, replaced

  Sessions sessions(FleetNode& node) {
    const auto counters = node.status(world())["counters"];
    return {counters["sessions_opened"], counters["sessions_closed"], counters["sessions_replaced"]};
  }
  static LinkPolicy links(double loss) {
    if (loss == 0) return {.bytes_per_second = 1'000'000, .queue_bytes = kQueue};
    return {.drop = loss, .duplicate = 0.05, .reorder = 0.1, .bytes_per_second = 1'000'000, .queue_bytes = kQueue};
  }
  // What lasts for three seconds at least.
  std::size_t size() const { return loss_ == 0 ? 4'000'000 : loss_ < 0.1 ? 1'000'000 : 200'000; }

  static constexpr std::size_t kQueue = 32 << 10;  // so that round trips stay short
  const double loss_;

 public:
  FleetNode &relay, &alice, &bob;
};

class Moves : public testing::TestWithParam<double> {
 protected:
  // On links that lose, what goes on again may be lost again, and the pause before the next try doubles.
  static base::MonoNs within(base::MonoNs time) {
    return GetParam() == 0 ? time : GetParam() < 0.1 ? 4 * time : 8 * time;
  }

  void rebinds(const char* name, NatPolicy policy, const std::string& path, bool sender, bool dialler) {
    SCOPED_TRACE(name);
    Scene scene(GetParam(), policy);
    scene.settle(path);
    FleetNode& from = dialler == sender ? scene.alice : scene.bob;
    FleetNode& to = dialler == sender ? scene.bob : scene.alice;
    SimNode& moves = (sender ? from : to).machine();
    EXPECT_LE(scene.transfer(from, to, [&] { scene.world().rebind(moves); }), within(2 * kSecond));
    EXPECT_EQ(scene.send(to, from, "and back"), "");
  }
};

// A40. NATs that let in who is known by his host, which the path survives; NATs that also want the port, which it does
// not; and NATs that have left only the relay.
TEST_P(Moves, net_nat_rebind) {
  for (const bool sender : {true, false}) {
    for (const bool dialler : {true, false}) {
      SCOPED_TRACE(std::string(sender ? "the sender" : "the receiver") + ", who " +
                   (dialler ? "dialled" : "was dialled") + ", has another port");
      rebinds("restricted", kRestricted, "direct", sender, dialler);
      rebinds("port-restricted", kPortRestricted, "direct", sender, dialler);
      rebinds("symmetric", kSymmetric, "relay (direct failed", sender, dialler);
    }
  }
}

TEST_P(Moves, AStreamMovesToTheDirectPathWhileItRuns) {
  Scene scene(GetParam(), kPortRestricted);
  scene.world().cut(scene.alice.machine(), scene.bob.machine());
  scene.settle("relay (direct failed");
  // The next attempt is 30 s away at most: a transfer after the other until it has come.
  scene.world().cut(scene.alice.machine(), scene.bob.machine(), false);
  scene.world().run_for(18 * kSecond);
  EXPECT_TRUE(scene.path(scene.alice, scene.bob).starts_with("relay"));
  EXPECT_LE(scene.transfer(scene.alice, scene.bob, [] {}), within(kSecond));
  EXPECT_TRUE(scene.eventually([&] { return scene.path(scene.alice, scene.bob) == "direct"; }));
}

TEST_P(Moves, AStreamMovesBackToTheRelayWhenTheDirectPathDies) {
  for (const bool dialler_sends : {true, false}) {
    SCOPED_TRACE(dialler_sends);
    Scene scene(GetParam(), kPortRestricted);
    scene.settle("direct");
    FleetNode& from = dialler_sends ? scene.alice : scene.bob;
    FleetNode& to = dialler_sends ? scene.bob : scene.alice;
    const auto cut = [&] { scene.world().cut(from.machine(), to.machine()); };
    EXPECT_LE(scene.transfer(from, to, cut), within(2 * kSecond));
    EXPECT_EQ(scene.path(scene.alice, scene.bob), "relay (direct failed: the direct path went silent)");
    // And to the direct path again when it is back, and nobody was disturbed.
    scene.world().heal();
    const auto moved = [&] { return scene.path(scene.alice, scene.bob) == "direct"; };
    EXPECT_TRUE(scene.eventually(moved, GetParam() == 0 ? RelayedNodes::kLong : 10 * RelayedNodes::kLong));
    EXPECT_EQ(scene.send(to, from, "and back"), "");
  }
}

TEST_P(Moves, ACableThatIsOutForFiveSeconds) {
  for (const bool is_direct : {true, false}) {
    for (const bool dialler_loses : {true, false}) {
      SCOPED_TRACE(std::string(is_direct ? "direct" : "relayed") + (dialler_loses ? ", dialler" : ", listener"));
      Scene scene(GetParam(), is_direct ? kPortRestricted : kSymmetric);
      scene.settle(is_direct ? "direct" : "relay (direct failed");
      SimNode& loses = (dialler_loses ? scene.alice : scene.bob).machine();
      const auto unplug = [&] {
        loses.set_up(false);
        scene.world().after(5 * kSecond, [&loses] { loses.set_up(true); });
      };
      EXPECT_LE(scene.transfer(scene.alice, scene.bob, unplug), within(9 * kSecond));
      EXPECT_EQ(scene.send(scene.bob, scene.alice, "and back"), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Links, Moves, testing::Values(0.0, 0.05, 0.2), [](const auto& info) {
  return "Loss" + std::to_string(static_cast<int>(info.param * 100 + 0.5));
});

}  // namespace
}  // namespace atlas::sim
