// What the node-level tests share: one whole node on the simulated network, and a peer that obeys no rule.
// One thread, virtual time.
#pragma once

#include <gtest/gtest.h>

#include <atlas/msgpack.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kit/raw_peer.h"
#include "sim/fleet.h"

namespace atlas::node {

inline constexpr std::uint8_t kPing = 0xf0, kPong = 0xf1, kNobodys = 0x90;

inline base::Bytes ping_payload(std::int64_t ts = 1) {
  msgpack::Writer out;
  out.map(1).text("ts").integer(ts);
  return out.take();
}

// A command that runs while the test goes on.
class Running final : public control::Call {
 public:
  bool row(std::string_view) override { return true; }
  bool progress(std::string_view) override { return true; }
  bool result(std::string_view) override { return true; }
  bool finish(int code, std::string_view text) override {
    exit_code = code;
    error = text;
    return true;
  }
  void on_gone(std::function<void()>) override {}

  int exit_code = -1;  // -1: not over
  std::string error;
};

inline std::shared_ptr<Running> begin(sim::FleetNode& node, const std::string& path,
                                      std::map<std::string, std::string> args) {
  auto running = std::make_shared<Running>();
  node.node().handle({path, std::move(args)}, running);
  return running;
}

class NodeTest : public testing::Test {
 protected:
  // Without keepalive's own pings a silent session stays silent; the role answers them all the same.
  NodeTest() : fleet_(20'250'101), node_(fleet_.add("node", {"keepalive"})), raw_machine_(world().add_node("raw")) {
    node_.config().plugin_tables["keepalive"]["interval"] = {std::string("24h"), 0, 0};
  }

  sim::SimWorld& world() { return fleet_.world(); }
  // Starts the node; the peer is there afterwards.
  void start(const std::function<void(config::Config&)>& change = {}) {
    if (change) change(node_.config());
    node_.start();
    peer_ = std::make_unique<kit::RawPeer>(world(), raw_machine_);
  }
  kit::RawPeer& peer() { return *peer_; }
  net::SocketAddress address() const { return node_.address(); }
  std::size_t sessions() { return node_.node().session_count(); }
  std::uint64_t counter(const std::string& name) {
    return node_.run(world(), "status").result["counters"].at(name).get<std::uint64_t>();
  }

  sim::Fleet fleet_;
  sim::FleetNode& node_;
  sim::SimNode& raw_machine_;
  std::unique_ptr<kit::RawPeer> peer_;  // goes first
};

}  // namespace atlas::node
