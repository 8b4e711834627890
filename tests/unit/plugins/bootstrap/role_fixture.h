// The bootstrap role over the in-process host: peers that register, and one that asks.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "atlas/msgpack.hpp"
#include "kit/fake_host.h"

namespace bootstrap::test {

using atlas::kit::Bytes;
using atlas::kit::FakeHost;
using atlas::kit::FakePeer;
using atlas::kit::FakeReply;
using atlas::kit::node_id;
using atlas::msgpack::MapView;
using atlas::msgpack::View;
using atlas::msgpack::Writer;
using testing::ElementsAre;
using testing::HasSubstr;

// A register, with only what a v0.1.0 node sends unless a test adds to it.
struct Register {
  std::string node_id;
  std::string address = "0.0.0.0:4433";
  std::vector<std::pair<std::string, std::string>> texts = {};
  std::optional<std::vector<std::string>> skills = std::nullopt, relays = std::nullopt;

  Bytes body() const {
    Writer out;
    out.map(3 + texts.size() + skills.has_value() + relays.has_value());
    out.text("node_id").text(node_id).text("address").text(address).text("timestamp").integer(1'700'000'000);
    for (const auto& [key, value] : texts) out.text(key).text(value);
    for (const auto& [key, list] : {std::pair{"skills", skills}, std::pair{"relays", relays}}) {
      if (!list) continue;
      out.text(key).array(list->size());
      for (const auto& it : *list) out.text(it);
    }
    return out.take();
  }
};

struct Discover {
  std::optional<std::string> skill = std::nullopt, operator_username = std::nullopt, id = std::nullopt;
  std::optional<std::uint32_t> limit = std::nullopt;
  std::optional<Bytes> cursor = std::nullopt;

  Bytes body() const {
    Writer out;
    out.map(skill.has_value() + operator_username.has_value() + id.has_value() + limit.has_value() +
            cursor.has_value());
    if (skill) out.text("skill").text(*skill);
    if (operator_username) out.text("operator").text(*operator_username);
    if (id) out.text("node_id").text(*id);
    if (limit) out.text("limit").integer(*limit);
    if (cursor) out.text("cursor").bin(*cursor);
    return out.take();
  }
};

struct Listing {
  std::vector<std::string> ids;
  std::map<std::string, Bytes> records;  // node id -> PeerRecord
  std::optional<Bytes> next;
  std::size_t bytes = 0;
  MapView record(const std::string& id) const { return MapView::of(records.at(id)); }
};

class Bootstrap : public testing::Test {
 protected:
  FakeHost host{atlas_plugin_v1};

  atlas_peer join(std::uint64_t number, FakePeer peer = {}) {
    peer.node_id = node_id(number);
    return host.connect_peer(peer);
  }
  FakeReply send(atlas_peer from, const Register& request) { return host.deliver(from, 0x20, request.body()); }
  // Joins and registers with nothing but what must be there.
  atlas_peer add(std::uint64_t number, FakePeer peer = {}) {
    const auto handle = join(number, std::move(peer));
    EXPECT_EQ(send(handle, {.node_id = node_id(number)}).type, 0x11);
    return handle;
  }
  FakeReply ask(const Discover& request) {
    if (!host.peers.contains(asker_)) asker_ = join(0xa5ce);
    return host.deliver(asker_, 0x21, request.body());
  }
  Listing discover(const Discover& request = {}) {
    const FakeReply reply = ask(request);
    Listing out;
    EXPECT_EQ(reply.type, 0x22) << reply.error_text;
    EXPECT_EQ(atlas::msgpack::check_map(reply.body), atlas::msgpack::Fault::kNone);
    const MapView map = MapView::of(reply.body);
    for (const View peer : map.find("peers").array()) {
      out.ids.emplace_back(peer.map().find("node_id").text().value());
      out.records[out.ids.back()] = Bytes(peer.raw().begin(), peer.raw().end());
    }
    if (const auto next = map.find("next").bin()) out.next = Bytes(next->begin(), next->end());
    out.bytes = reply.body.size();
    return out;
  }
  void expect_refused(const FakeReply& reply, std::string_view text) {
    EXPECT_EQ(reply.error_code, 2003u);
    EXPECT_THAT(reply.error_text, HasSubstr(text));
  }

 private:
  atlas_peer asker_ = 0;
};

inline std::string text_at(MapView map, std::string_view key) {
  return std::string(map.find(key).text().value_or("?"));
}

}  // namespace bootstrap::test
