// A28. Nobody can have a relay, or a node that uses one, send packets to an address of their choice: what is asked of a
// relay names nodes and never addresses, and of the addresses that a relay tells only those count that it can know.
#include <set>

#include "attack/addresses/special_ranges.h"
#include "caps.h"
#include "unit/plugins/relay/role_fixture.h"

namespace relay_test {
namespace {

using namespace atlas::attack;

// --- the server half: there is no place for an address ---

class RelaySsrfServer : public RelayServer {
 protected:
  // Nobody was dialled, told or forwarded to but the two agents that have sessions here.
  void expect_nobody_else(const std::set<atlas_peer>& agents) {
    EXPECT_TRUE(host.dials.empty());
    EXPECT_TRUE(host.requests.empty());
    EXPECT_TRUE(host.upserted.empty());
    for (const auto& message : host.sent) EXPECT_TRUE(agents.contains(message.to));
    for (const auto& [handle, route] : host.routes) EXPECT_TRUE(agents.contains(route.a) && agents.contains(route.b));
  }
  static std::set<std::string> fields_of(const Bytes& body) {
    std::set<std::string> out;
    for (const auto& entry : MapView::of(body)) out.insert(std::string(*entry.key.text()));
    return out;
  }
};

// What a peer asks is all that decode_*() reads, and none of it is an address.
TEST_F(RelaySsrfServer, sec_relay_no_ssrf) {
  using Names = std::set<std::string>;
  EXPECT_EQ(fields_of(relay::encode(relay::Announce{node_id(1), 1})), (Names{"node_id", "timestamp"}));
  EXPECT_EQ(fields_of(relay::encode(relay::Connect{node_id(1), node_id(2)})), (Names{"source_id", "target_id"}));
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  const auto there = target(2), here = agent(1);
  std::size_t asked = 0;
  for (const std::string& special : special_hosts()) {
    for (const std::string& text : {with_port(special), with_port(special, 4433) + "/", special}) {
      const auto reply = host.deliver(here, relay::kConnect, relay::encode(relay::Connect{node_id(1), text}));
      EXPECT_EQ(reply.error_code, 2003u) << text;
      EXPECT_EQ(code(announce(here, text)), 4u) << text;
      ++asked;
    }
  }
  EXPECT_GT(asked, 1'000u);
  EXPECT_TRUE(host.routes.empty());
  expect_nobody_else({});
  EXPECT_EQ(host.metric("announced"), 1);
  EXPECT_EQ(connect(here, 2).type, relay::kReady);
  expect_nobody_else({here, there});
}

// Fields that are not asked for change nothing, whatever they are called.
TEST_F(RelaySsrfServer, sec_relay_no_ssrf_in_other_fields) {
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  const auto there = target(2), here = agent(1);
  const auto observed_at = [&] { return forwarding_of(host.sent.back().body).observed; };
  ASSERT_EQ(connect(here, 2).type, relay::kReady);
  const auto usual = observed_at();
  const char* kNames[] = {"address", "target", "target_address", "public_address", "observed",   "host",   "port",
                          "peer",    "relay",  "relays",         "route",          "peer_route", "via",    "url",
                          "ip",      "to",     "from",           "addresses",      "candidates", "source", "dial_back"};
  for (const char* name : kNames) {
    for (const char* victim : {"127.0.0.1:22", "169.254.169.254:80", "[::1]:4433", "8.8.8.8:53"}) {
      Writer body;
      body.map(4).text("source_id").text(node_id(1)).text("target_id").text(node_id(2)).text(name).text(victim);
      body.text("also").map(1).text(name).array(1).text(victim);
      host.advance(10);
      ASSERT_EQ(host.deliver(here, relay::kConnect, body.take()).type, relay::kReady) << name;
      EXPECT_EQ(observed_at(), usual) << name;
    }
  }
  expect_nobody_else({here, there});
}

// The first peer to say so may not have its words told on as an address: the relay tells where it sees an agent.
TEST_F(RelaySsrfServer, sec_relay_no_ssrf_tells_what_it_sees) {
  host.run();
  const auto there = target(2), here = agent(1, "198.51.100.200:999");
  host.peers.at(here).public_address = "169.254.169.254:80";
  host.peers.at(there).public_address = "127.0.0.1:22";
  const auto reply = connect(here, 2);
  ASSERT_EQ(reply.type, relay::kReady);
  EXPECT_EQ(forwarding_of(reply.body).observed, std::vector{*atlas::Address::parse(host.peers.at(there).address)});
  EXPECT_EQ(forwarding_of(host.sent.at(0).body).observed, std::vector{*atlas::Address::parse("198.51.100.200:999")});
}

// --- the client half: what a relay tells about the other agent ---

class RelaySsrfClient : public RelayRole {
 protected:
  static constexpr const char* kRelay = "9.9.9.9:4433";

  // Announced at a relay that is seen at this address.
  void announced_at(const std::string& address) {
    host.node_keys["network.relays"] = {address};
    host.run();
    host.finish_dial(host.dials.at(0), {.node_id = node_id(100), .address = address, .dialled = true});
    via = host.peers.rbegin()->first;
    host.answer(host.requests.at(0), relay::kReady, relay::encode_waiting());
    relay_address = address;
  }
  // As a hostile relay writes it: any texts.
  static Bytes ready(const std::vector<std::string>& observed) {
    Writer out;
    out.map(5).text("status").text("ready").text("session").integer(1);
    out.text("route").bin(Bytes{1, 2, 3, 4, 5, 6, 7, 8}).text("peer_route").bin(Bytes{8, 7, 6, 5, 4, 3, 2, 1});
    out.text("peer").map(2).text("node_id").text(node_id(2)).text("observed").array(observed.size());
    for (const std::string& text : observed) out.text(text);
    return out.take();
  }
  // What the core is told of addresses that the relay told, when asked and by itself.
  std::vector<std::string> kept(const std::vector<std::string>& observed) {
    const auto reach = host.want_path(node_id(2), relay_address);
    host.finish_dial_existing(host.dials.at(0), via);
    host.answer(host.requests.at(0), relay::kReady, ready(observed));
    const auto asked = host.reaches.at(reach).path.observed;
    const std::size_t before = host.expected.size();
    host.deliver(via, relay::kReady, ready(observed));
    EXPECT_EQ(host.expected.size(), before + 1);
    EXPECT_EQ(host.expected.back().observed, asked);
    return asked;
  }

  atlas_peer via = 0;
  std::string relay_address;
};

TEST_F(RelaySsrfClient, sec_relay_no_ssrf) {
  announced_at(kRelay);
  std::vector<std::string> batch;
  std::size_t told = 0;
  const auto flush = [&] {
    EXPECT_EQ(kept(batch), std::vector<std::string>{}) << testing::PrintToString(batch);
    told += batch.size();
    batch.clear();
  };
  for (const std::string& special : special_hosts()) {
    batch.push_back(with_port(special));
    if (batch.size() == relay::kMaxObserved) flush();
  }
  for (const SpecialRange& range : kSpecialV4) {
    for (const std::string& text : refused_spellings(range.first)) {
      batch.push_back(with_port(text));
      if (batch.size() == relay::kMaxObserved) flush();
    }
  }
  flush();
  EXPECT_GT(told, 900u);
  for (const char* host : kGlobalHosts) {
    const std::string text = with_port(host);
    EXPECT_EQ(kept({text}), std::vector{atlas::Address::parse(text)->text()});
    EXPECT_EQ(kept({with_port(host, 0)}), std::vector<std::string>{});
  }
}

// A relay in the same private network knows its neighbours; not who is on this machine, nor on another link.
TEST_F(RelaySsrfClient, sec_relay_no_ssrf_from_nearby) {
  announced_at("192.168.7.1:4433");
  EXPECT_EQ(kept({"10.0.0.2:1", "[fd00::2]:2"}), (std::vector<std::string>{"10.0.0.2:1", "[fd00::2]:2"}));
  EXPECT_EQ(kept({"127.0.0.1:22", "[::1]:22", "[::ffff:127.0.0.1]:22", "169.254.169.254:80", "[::ffff:a9fe:a9fe]:80",
                  "[fe80::1]:22", "0.0.0.0:22", "[64:ff9b::10.0.0.2]:1"}),
            std::vector<std::string>{});
}

// Its own control socket, metrics port or any other service: a relay on this machine may name loopback, and then it is
// the operator's own; what is nobody's is refused even then.
TEST_F(RelaySsrfClient, sec_relay_no_ssrf_from_this_machine) {
  announced_at("127.0.0.1:4433");
  EXPECT_EQ(kept({"127.0.0.1:5000"}), std::vector<std::string>{"127.0.0.1:5000"});
  EXPECT_EQ(kept({"0.0.0.0:5000", "[::]:5000", "224.0.0.1:5000", "255.255.255.255:5000", "[ff02::1]:5000",
                  "[2002:7f00:1::1]:5000", "[::127.0.0.1]:5000", "[64:ff9b::127.0.0.1]:5000"}),
            std::vector<std::string>{});
}

}  // namespace
}  // namespace relay_test
