// The relay role in the kit's host: agents that announce and connect, relays that answer.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kit/fake_host.h"
#include "messages.h"

namespace relay_test {

using atlas::kit::Bytes;
using atlas::kit::FakeHost;
using atlas::kit::FakePeer;
using atlas::kit::FakeReply;
using atlas::kit::node_id;
using atlas::msgpack::MapView;
using atlas::msgpack::Writer;
using testing::HasSubstr;

inline constexpr std::uint64_t kSecond = 1'000, kMinute = 60'000;

class RelayRole : public testing::Test {
 protected:
  explicit RelayRole(std::uint32_t mode = ATLAS_MODE_DAEMON) : host(atlas_plugin_v1, mode) {
    host.node_keys = {{"transport.offer_relay", {"false"}},
                      {"transport.enable_relay", {"true"}},
                      {"transport.relay_bandwidth_limit", {"1048576"}},
                      {"transport.idle_timeout", {"120"}},
                      {"network.relays", {}}};
    host.self.address = "[::]:4433";
  }
  nlohmann::json status() {
    const auto call = host.run_command("relay status", {});
    EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
    return nlohmann::json::parse(host.calls.at(call).result.value());
  }
  static relay::Forwarding forwarding_of(const Bytes& body) {
    const auto ready = relay::decode_ready(MapView::of(body));
    if (!ready || !ready->forwarding) throw std::runtime_error("no RelayReady with a forwarding");
    return *ready->forwarding;
  }

  FakeHost host;
};

// This node is the relay.
class RelayServer : public RelayRole {
 protected:
  RelayServer() { host.node_keys["transport.offer_relay"] = {"true"}; }

  // Agents are numbered; each has an address in a /24 of its own unless one is given.
  atlas_peer agent(std::uint64_t number, std::string address = "", std::uint32_t trust = ATLAS_TRUST_UNKNOWN) {
    if (address.empty()) {
      address = "198." + std::to_string(100 + number / 256) + "." + std::to_string(number % 256) + ".7:4433";
    }
    return host.connect_peer({.node_id = node_id(number), .address = address, .trust = trust});
  }
  FakeReply announce(atlas_peer from, const std::string& id) {
    return host.deliver(from, relay::kAnnounce, relay::encode(relay::Announce{id, host.unix_seconds()}));
  }
  FakeReply announce(atlas_peer from) { return announce(from, host.peers.at(from).node_id); }
  // An agent that is announced.
  atlas_peer target(std::uint64_t number) {
    const auto peer = agent(number);
    EXPECT_EQ(announce(peer).type, relay::kReady);
    return peer;
  }
  FakeReply connect(atlas_peer from, const std::string& target_id) {
    const std::string id = host.peers.at(from).node_id;
    return host.deliver(from, relay::kConnect, relay::encode(relay::Connect{id, target_id}));
  }
  FakeReply connect(atlas_peer from, std::uint64_t target_number) { return connect(from, node_id(target_number)); }
  // The code of the RelayError; 0 for another answer.
  static std::uint32_t code(const FakeReply& reply) {
    if (reply.type != relay::kError) return 0;
    const auto error = relay::decode_error(MapView::of(reply.body));
    return error ? error->code : 0;
  }
};

}  // namespace relay_test
