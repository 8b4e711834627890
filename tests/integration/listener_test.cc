// What a role is told of how its node is reached, and when: sockets and protocols of whole nodes, an address that a
// bootstrap node saw, and a NAT.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "atlas/plugin.hpp"
#include "attack/quic_hostile/self_signed.h"
#include "integration/node_test.h"
#include "kit/protocol_role.h"

namespace atlas::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Keeps what it was told last, and at start.
class Watcher {
 public:
  explicit Watcher(Setup& setup) : host_(setup.host()) {
    before_start = host_.listener().has_value();
    setup.watch_listener(&Watcher::changed);
  }
  void start() { last = host_.listener(); }
  void changed() {
    ++changes;
    last = host_.listener();
  }
  static const ::atlas_plugin* plugin() {
    using Entry = detail::Entry<Watcher>;
    static constexpr ::atlas_plugin kPlugin = {sizeof(::atlas_plugin),
                                               ATLAS_ABI_MAJOR,
                                               0,
                                               "watcher.role",
                                               "1.0",
                                               "Looks at the listener.",
                                               nullptr,
                                               &Entry::init,
                                               &Entry::start,
                                               &Entry::drain,
                                               &Entry::stop,
                                               &Entry::peer_event};
    before_start = false;
    changes = 0;
    last.reset();
    return &kPlugin;
  }
  static inline bool before_start = false;
  static inline int changes = 0;
  static inline std::optional<Listener> last;

 private:
  Host& host_;
};

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() : fleet_(20'261'121), bootstrap_(fleet_.add("bootstrap", {"bootstrap", "keepalive"})) {}

  sim::SimWorld& world() { return fleet_.world(); }
  void start(sim::FleetNode& node) {
    bootstrap_.start();
    node.linked.push_back(Watcher::plugin());
    node.start();
    world().run_for(10 * base::kSecond);
    ASSERT_TRUE(Watcher::last.has_value());
    EXPECT_FALSE(Watcher::before_start);
  }
  std::string registrar() const { return bootstrap_.address().text(); }

  sim::Fleet fleet_;
  sim::FleetNode& bootstrap_;
};

TEST_F(ListenerTest, SaysWhereTheNodeListensAndHowABootstrapNodeSeesIt) {
  sim::FleetNode& agent = fleet_.add("agent", {"discovery", "keepalive"}, {registrar()});
  start(agent);
  const Listener& now = *Watcher::last;
  EXPECT_TRUE(now.listening);
  EXPECT_FALSE(now.bound.empty());
  EXPECT_THAT(now.protocols, ElementsAre("atlas/1"));
  EXPECT_EQ(now.public_address, agent.address().text());
  EXPECT_GE(Watcher::changes, 1) << "nobody had seen the node when the role started";
}

TEST_F(ListenerTest, AnAddressBehindANatIsTheOneThatOthersSee) {
  sim::Nat& nat = world().add_nat(*net::IpAddress::parse("30.1.0.1"));
  sim::FleetNode& agent = fleet_.add_behind(nat, "agent", {"discovery", "keepalive"}, {registrar()});
  start(agent);
  EXPECT_THAT(Watcher::last->public_address, testing::StartsWith("30.1.0.1:"));
  EXPECT_NE(Watcher::last->public_address, agent.address().text());
}

TEST_F(ListenerTest, ACertificateOpensAProtocolAndIsToldOnce) {
  const hostile::SelfSigned certificate = hostile::self_signed();
  kit::ProtocolRole other("other.role");
  sim::FleetNode& agent = fleet_.add("agent", {"keepalive"});
  agent.linked.push_back(other.plugin<0>());
  start(agent);
  EXPECT_THAT(Watcher::last->protocols, ElementsAre("atlas/1")) << "claimed, but there is no certificate";
  const int before = Watcher::changes;
  other.certificate = certificate.der;
  other.key = certificate.pkcs8;
  ASSERT_EQ(other.credentials("test/1"), ATLAS_OK);
  world().run_for(base::kSecond);
  EXPECT_THAT(Watcher::last->protocols, ElementsAre("atlas/1", "test/1"));
  ASSERT_EQ(other.credentials("test/1"), ATLAS_OK);
  world().run_for(base::kSecond);
  EXPECT_EQ(Watcher::changes, before + 1) << "nothing changed by the second one";
}

}  // namespace
}  // namespace atlas::node
