// The bootstrap role over its exported object: registers, discovers and refusals of protocol.md, section 7.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "atlas/msgpack.hpp"
#include "kit/fake_host.h"

namespace {

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

std::string text_at(MapView map, std::string_view key) {
  return std::string(map.find(key).text().value_or("?"));
}

// -- register ---------------------------------------------------------------------------------------------------------

TEST_F(Bootstrap, ClaimsItsTwoTypesOnly) {
  host.run();
  EXPECT_EQ(host.claimed.size(), 2u);
  EXPECT_TRUE(host.claimed.contains(0x20) && host.claimed.contains(0x21));
}

TEST_F(Bootstrap, AcknowledgesARegisterWithTheNodeId) {
  host.run();
  const auto peer = join(1);
  const FakeReply reply = send(peer, {.node_id = node_id(1)});
  ASSERT_EQ(reply.type, 0x11);
  EXPECT_EQ(text_at(MapView::of(reply.body), "msg_id"), node_id(1));
  EXPECT_EQ(text_at(MapView::of(reply.body), "status"), "registered");
  EXPECT_EQ(host.metric("records"), 1);
  EXPECT_EQ(host.metric("registers"), 1);
}

TEST_F(Bootstrap, TakesNameSkillsAndOperatorFromTheSessionWhenTheRegisterHasNone) {
  host.run();
  add(1, {.address = "198.51.100.7:9999",
          .name = "solver",
          .skills = {"math", "chess"},
          .operator_username = "@alice",
          .trust = ATLAS_TRUST_VERIFIED});
  const Listing all = discover();
  ASSERT_THAT(all.ids, ElementsAre(node_id(1)));
  const MapView record = all.record(node_id(1));
  EXPECT_EQ(text_at(record, "address"), "198.51.100.7:4433");  // the seen host, the port that was announced
  EXPECT_EQ(text_at(record, "name"), "solver");
  EXPECT_EQ(text_at(record, "operator_username"), "alice");
  EXPECT_EQ(text_at(record, "trust_level"), "verified");
  EXPECT_EQ(record.find("last_seen").i64(), host.unix_seconds());
  std::vector<std::string> skills;
  for (const View skill : record.find("skills").array()) skills.emplace_back(*skill.text());
  EXPECT_THAT(skills, ElementsAre("math", "chess"));
  EXPECT_FALSE(record.find("public_address").present());
  EXPECT_FALSE(record.find("relays").present());
}

TEST_F(Bootstrap, WhatTheRegisterSaysGoesBeforeTheSession) {
  host.run();
  const auto peer = join(1, {.address = "198.51.100.7:9999", .name = "old", .skills = {"math"}});
  send(peer, {.node_id = node_id(1),
              .address = "10.1.2.3:4433",
              .texts = {{"name", "new"}, {"operator_username", "@bob"}, {"public_address", "198.51.100.7:500"}},
              .skills = {{"go", "go", "rust"}},
              .relays = {{"203.0.113.9:4433", "relay.example:4433", "203.0.113.9:4433", "127.0.0.1:1"}}});
  const Listing all = discover();
  const MapView record = all.record(node_id(1));
  EXPECT_EQ(text_at(record, "address"), "10.1.2.3:4433");
  EXPECT_EQ(text_at(record, "public_address"), "198.51.100.7:500");
  EXPECT_EQ(text_at(record, "name"), "new");
  EXPECT_EQ(text_at(record, "operator_username"), "bob");
  EXPECT_EQ(record.find("skills").array().size(), 2u);
  ASSERT_EQ(record.find("relays").array().size(), 1u);
  EXPECT_EQ((*record.find("relays").array().begin()).text(), "203.0.113.9:4433");
}

TEST_F(Bootstrap, ARegisterForAnotherNodeIsRefused) {
  host.run();
  const auto peer = join(1);
  for (const std::string& id : {node_id(2), std::string("atlas_12"), std::string(), node_id(1) + "0"}) {
    expect_refused(send(peer, {.node_id = id}), "node_id: must be the session's own");
  }
  EXPECT_EQ(host.metric("refused_identity"), 4);
  EXPECT_EQ(host.metric("records"), 0);
}

TEST_F(Bootstrap, AMissingOrIllTypedFieldIsRefusedByName) {
  host.run();
  const auto peer = join(1);
  const std::vector<std::pair<std::string, std::function<void(Writer&)>>> cases = {
      {"node_id", [](Writer& w) { w.map(2).text("address").text("0.0.0.0:1").text("timestamp").integer(1); }},
      {"timestamp", [](Writer& w) { w.map(2).text("node_id").text(node_id(1)).text("address").text("0.0.0.0:1"); }},
      {"address", [](Writer& w) { w.map(2).text("node_id").text(node_id(1)).text("timestamp").integer(1); }},
      {"node_id", [](Writer& w) { w.map(1).text("node_id").integer(1); }},
      {"timestamp",
       [](Writer& w) {
         w.map(3).text("node_id").text(node_id(1)).text("address").text("0.0.0.0:1").text("timestamp").text("1");
       }},
      {"address",
       [](Writer& w) {
         w.map(3).text("node_id").text(node_id(1)).text("address").array(0).text("timestamp").integer(1);
       }},
  };
  const auto with = [](auto extra) {
    return [extra](Writer& w) {
      w.map(4).text("node_id").text(node_id(1)).text("address").text("0.0.0.0:1").text("timestamp").integer(1);
      extra(w);
    };
  };
  std::vector<std::pair<std::string, std::function<void(Writer&)>>> more = {
      {"name", with([](Writer& w) { w.text("name").text(std::string(65, 'n')); })},
      {"skills", with([](Writer& w) { w.text("skills").array(1).text(std::string(65, 's')); })},
      {"skills", with([](Writer& w) {
         w.text("skills").array(33);
         for (int i = 0; i < 33; ++i) w.text(std::to_string(i));
       })},
      {"operator_username", with([](Writer& w) { w.text("operator_username").text(std::string(65, 'o')); })},
  };
  more.insert(more.end(), cases.begin(), cases.end());
  for (const auto& [field, write] : more) {
    Writer body;
    write(body);
    expect_refused(host.deliver(peer, 0x20, body.take()), field + ": expected");
  }
  EXPECT_EQ(host.metric("refused_fields"), static_cast<std::int64_t>(more.size()));
  EXPECT_EQ(host.metric("records"), 0);
}

TEST_F(Bootstrap, AnOptionalFieldOfAnotherTypeCountsAsMissing) {
  host.run();
  const auto peer = join(1, {.name = "session", .skills = {"math"}, .operator_username = "alice"});
  const std::vector<std::function<void(Writer&)>> cases = {
      [](Writer& w) { w.text("name").integer(1); },
      [](Writer& w) { w.text("skills").text("one"); },
      [](Writer& w) { w.text("skills").array(2).text("one").nil(); },
      [](Writer& w) {
        w.text("skills").array(33);
        for (int i = 0; i < 33; ++i) w.integer(i);
      },
      [](Writer& w) { w.text("operator_username").map(0); },
      [](Writer& w) { w.text("public_address").integer(4433); },
      [](Writer& w) { w.text("relays").text("203.0.113.9:1"); },
      [](Writer& w) { w.text("relays").array(2).text("203.0.113.9:1").integer(1); },
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    Writer body;
    body.map(4).text("node_id").text(node_id(1)).text("address").text("0.0.0.0:1").text("timestamp").integer(1);
    cases[i](body);
    const FakeReply reply = host.deliver(peer, 0x20, body.take());
    ASSERT_EQ(reply.type, 0x11) << reply.error_text;
    const Listing all = discover();
    const MapView record = all.record(node_id(1));
    EXPECT_EQ(text_at(record, "name"), "session");
    EXPECT_EQ(text_at(record, "operator_username"), "alice");
    ASSERT_EQ(record.find("skills").array().size(), 1u);
    EXPECT_EQ((*record.find("skills").array().begin()).text(), "math");
    EXPECT_FALSE(record.find("public_address").present());
    EXPECT_FALSE(record.find("relays").present());
  }
  EXPECT_EQ(host.metric("refused_fields"), 0);
}

TEST_F(Bootstrap, LongestLegalFieldsAreTaken) {
  host.run();
  const auto peer = join(1);
  std::vector<std::string> skills, relays;
  for (int i = 0; i < 32; ++i) skills.push_back(std::string(62, 's') + std::to_string(10 + i));
  for (int i = 0; i < 20; ++i)
    relays.push_back("[2001:db8:ffff:ffff:ffff:ffff:ffff:" + std::to_string(1000 + i) + "]:4433");
  const FakeReply reply =
      send(peer, {.node_id = node_id(1),
                  .texts = {{"name", std::string(64, 'n')}, {"operator_username", "@" + std::string(64, 'o')}},
                  .skills = skills,
                  .relays = relays});
  EXPECT_EQ(reply.type, 0x11);
  const Listing all = discover({.skill = skills.back()});
  EXPECT_EQ(all.record(node_id(1)).find("skills").array().size(), 32u);
  EXPECT_EQ(all.record(node_id(1)).find("relays").array().size(), 8u);
}

TEST_F(Bootstrap, NilIsMissing) {
  host.run();
  const auto peer = join(1, {.name = "session"});
  Writer body;
  body.map(8).text("node_id").text(node_id(1)).text("address").text("0.0.0.0:1").text("timestamp").integer(1);
  for (const char* key : {"name", "skills", "operator_username", "public_address", "relays"}) body.text(key).nil();
  EXPECT_EQ(host.deliver(peer, 0x20, body.take()).type, 0x11);
  EXPECT_EQ(text_at(discover().record(node_id(1)), "name"), "session");
}

TEST_F(Bootstrap, AddressesOfOtherPeopleAreRefused) {
  host.run();
  const auto peer = join(1, {.address = "198.51.100.7:9999"});
  expect_refused(send(peer, {.node_id = node_id(1), .address = "203.0.113.5:4433"}), "address: host is neither");
  expect_refused(send(peer, {.node_id = node_id(1), .address = "127.0.0.1:4433"}), "address: host is neither");
  expect_refused(send(peer, {.node_id = node_id(1), .address = "example.org:4433"}), "address: expected ip:port");
  expect_refused(send(peer, {.node_id = node_id(1), .texts = {{"public_address", "203.0.113.5:4433"}}}),
                 "public_address: host is neither");
  EXPECT_EQ(host.metric("refused_address"), 4);
}

TEST_F(Bootstrap, ForeignAddressesAreTakenWhenConfigured) {
  host.config["allow_foreign_address"] = true;
  host.run();
  const auto peer = join(1, {.address = "198.51.100.7:9999"});
  EXPECT_EQ(send(peer, {.node_id = node_id(1), .address = "203.0.113.5:4433"}).type, 0x11);
  expect_refused(send(peer, {.node_id = node_id(1), .address = "224.0.0.1:4433"}), "address: host");
}

TEST_F(Bootstrap, AMappedHostIsShownAsIPv4) {
  host.run();
  const auto peer = join(1, {.address = "[::ffff:198.51.100.7]:9999"});
  EXPECT_EQ(send(peer, {.node_id = node_id(1), .address = "[::]:4433"}).type, 0x11);
  EXPECT_EQ(text_at(discover().record(node_id(1)), "address"), "198.51.100.7:4433");
}

TEST_F(Bootstrap, ASecondRegisterReplacesTheFirst) {
  host.run();
  const auto peer = add(1, {.skills = {"old"}});
  send(peer, {.node_id = node_id(1), .address = "0.0.0.0:5000", .skills = {{"new"}}});
  EXPECT_EQ(host.metric("records"), 1);
  EXPECT_TRUE(discover({.skill = "old"}).ids.empty());
  const Listing now = discover({.skill = "new"});
  ASSERT_THAT(now.ids, ElementsAre(node_id(1)));
  EXPECT_EQ(text_at(now.record(node_id(1)), "address"), "127.0.0.1:5000");
}

// -- staleness --------------------------------------------------------------------------------------------------------

TEST_F(Bootstrap, StaleExactlyAnHourAfterLastSeen) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'599'000);
  EXPECT_THAT(discover().ids, ElementsAre(node_id(1)));
  host.advance(1'000);
  EXPECT_TRUE(discover().ids.empty());
  EXPECT_TRUE(discover({.id = node_id(1)}).ids.empty());
  EXPECT_TRUE(discover({.limit = 10}).ids.empty());
  host.advance(31'000);
  EXPECT_EQ(host.metric("records"), 0);
  EXPECT_EQ(host.metric("evicted"), 1);
}

TEST_F(Bootstrap, ARegisterRefreshes) {
  host.run();
  const auto peer = add(1);
  host.advance(3'000'000);
  send(peer, {.node_id = node_id(1)});
  host.lose_peer(peer, 1);
  host.advance(3'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3000);
}

TEST_F(Bootstrap, AnyExchangeOnALiveSessionRefreshes) {
  host.run();
  const auto peer = add(1);
  host.advance(3'000'000);
  host.peers.at(peer).last_seen = host.unix_seconds();  // a ping, a message, whatever it was
  host.advance(3'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3000);
  host.advance(600'000);
  EXPECT_TRUE(discover().ids.empty());
}

TEST_F(Bootstrap, WhatAnEndedSessionHadSeenIsKept) {
  host.run();
  const auto peer = add(1);
  host.advance(3'500'000);
  host.peers.at(peer).last_seen = host.unix_seconds();
  host.advance(60'000);
  host.lose_peer(peer, 1);  // idle: nothing was heard at the end
  host.advance(200'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 260);
}

TEST_F(Bootstrap, TheEndOfASessionRefreshesNothingWhateverItsReason) {
  host.run();
  for (const std::uint32_t reason : {0u, 1u, 2u, 3u, 4u, 5u}) {
    const auto peer = add(reason);
    host.advance(3'000'000);
    host.lose_peer(peer, reason);
    EXPECT_EQ(discover({.id = node_id(reason)}).record(node_id(reason)).find("last_seen").i64(),
              host.unix_seconds() - 3000)
        << reason;
    host.advance(600'000);
    EXPECT_TRUE(discover({.id = node_id(reason)}).ids.empty()) << reason;
  }
}

TEST_F(Bootstrap, ANewSessionRefreshesItsRecordWithItsFirstExchangeOnly) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'000'000);
  const auto peer = join(1);
  host.advance(60'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3060);
  host.peers.at(peer).last_seen = host.unix_seconds();
  host.advance(1'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 1000);
}

TEST_F(Bootstrap, ANewSessionWithoutAnExchangeSavesNoRecord) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'000'000);
  join(1);
  host.advance(600'000);
  EXPECT_TRUE(discover().ids.empty());
}

TEST_F(Bootstrap, AJumpOfTheWallClockMakesNobodyStale) {
  host.run();
  host.lose_peer(add(1), 1);
  const std::int64_t ten_years = 10LL * 365 * 86'400'000;
  for (const std::int64_t jump : {ten_years, -ten_years}) {
    host.wall_jump_ms = jump;
    host.advance(60'000);
    EXPECT_EQ(discover().ids.size(), 1u);
  }
}

// -- capacity ---------------------------------------------------------------------------------------------------------

TEST_F(Bootstrap, AFullRegistryRefusesNewcomersOnly) {
  host.config["max_records"] = std::int64_t{3};
  host.run();
  const auto first = add(1);
  add(2);
  add(3);
  const FakeReply reply = send(join(4), {.node_id = node_id(4)});
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_EQ(reply.error_text, "registry full");
  EXPECT_EQ(host.metric("refused_full"), 1);
  EXPECT_EQ(send(first, {.node_id = node_id(1), .address = "0.0.0.0:9"}).type, 0x11);
  EXPECT_EQ(host.metric("records"), 3);
}

TEST_F(Bootstrap, AtCapacityTheStaleGoFirst) {
  host.config["max_records"] = std::int64_t{3};
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(1'800'000);
  host.lose_peer(add(2), 1);
  add(3);
  const auto late = join(4);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).error_text, "registry full");
  host.advance(1'799'000);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).error_text, "registry full");
  host.advance(1'000);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).type, 0x11);
  const Listing all = discover();
  EXPECT_EQ(std::set(all.ids.begin(), all.ids.end()), (std::set{node_id(2), node_id(3), node_id(4)}));
}

TEST_F(Bootstrap, ALiveSessionIsNotEvictedForItsOldRegister) {
  host.config["max_records"] = std::int64_t{1};
  host.run();
  const auto peer = add(1);
  for (int i = 0; i < 5; ++i) {
    host.advance(1'800'000);
    host.peers.at(peer).last_seen = host.unix_seconds();
    const auto other = join(2);
    EXPECT_EQ(send(other, {.node_id = node_id(2)}).error_text, "registry full");
    host.lose_peer(other);
  }
}

// -- discover ---------------------------------------------------------------------------------------------------------

TEST_F(Bootstrap, FindsByIdSkillAndOperator) {
  host.run();
  add(1, {.skills = {"math", "go"}, .operator_username = "alice"});
  add(2, {.skills = {"go"}, .operator_username = "@alice"});
  add(3, {.skills = {"math"}, .operator_username = "bob"});
  EXPECT_THAT(discover({.id = node_id(2)}).ids, ElementsAre(node_id(2)));
  EXPECT_EQ(discover({.skill = "go"}).ids.size(), 2u);
  EXPECT_EQ(discover({.operator_username = "@alice"}).ids.size(), 2u);
  EXPECT_EQ(discover({.operator_username = "alice"}).ids.size(), 2u);
  EXPECT_THAT(discover({.skill = "math", .operator_username = "alice"}).ids, ElementsAre(node_id(1)));
  EXPECT_TRUE(discover({.skill = "math", .id = node_id(2)}).ids.empty());
  EXPECT_TRUE(discover({.skill = "Math"}).ids.empty());
  EXPECT_TRUE(discover({.id = node_id(9)}).ids.empty());
  EXPECT_EQ(host.metric("discovers"), 8);
}

TEST_F(Bootstrap, FiltersOfAnotherTypeCountAsMissing) {
  host.run();
  add(1, {.skills = {"go"}});
  add(2);
  const auto peer = join(3);
  const std::vector<std::function<void(Writer&)>> cases = {
      [](Writer& w) { w.text("skill").integer(1); },
      [](Writer& w) { w.text("operator").array(0); },
      [](Writer& w) { w.text("node_id").bin(Bytes(3, 1)); },
      [](Writer& w) { w.text("limit").integer(-1); },
      [](Writer& w) { w.text("limit").integer(std::int64_t{1} << 32); },
      [](Writer& w) { w.text("limit").text("ten"); },
      [](Writer& w) { w.text("cursor").text("next"); },
      [](Writer& w) { w.text("cursor").array(1).integer(256); },
      [](Writer& w) {
        w.text("cursor").array(300);
        for (int i = 0; i < 300; ++i) w.text("x");
      },
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Writer body;
    body.map(1);
    cases[i](body);
    const FakeReply reply = host.deliver(peer, 0x21, body.take());
    ASSERT_EQ(reply.type, 0x22) << i << ": " << reply.error_text;
    EXPECT_EQ(MapView::of(reply.body).find("peers").array().size(), 2u) << i;
  }
}

TEST_F(Bootstrap, ALimitOfZeroIsNone) {
  host.run();
  for (int i = 0; i < 1100; ++i) add(i);
  const Listing all = discover({.limit = 0});
  EXPECT_EQ(all.ids.size(), 1000u);
  EXPECT_FALSE(all.next);
  // With a cursor it is a page of the longest kind, and so leads on.
  const Listing first = discover({.limit = 50});
  EXPECT_EQ(discover({.limit = 0, .cursor = first.next}).ids.size(), 1000u);
}

TEST_F(Bootstrap, FiltersThatBreakARuleAreRefused) {
  host.run();
  const auto peer = join(1);
  const std::vector<std::pair<std::string, std::function<void(Writer&)>>> cases = {
      {"skill", [](Writer& w) { w.text("skill").text(std::string(65, 's')); }},
      {"operator", [](Writer& w) { w.text("operator").text(std::string(66, 'o')); }},
      {"node_id", [](Writer& w) { w.text("node_id").text("atlas_0"); }},
  };
  for (const auto& [field, write] : cases) {
    Writer body;
    body.map(1);
    write(body);
    expect_refused(host.deliver(peer, 0x21, body.take()), field + ": expected");
  }
}

TEST_F(Bootstrap, WithoutALimitAtMostAThousandChosenAfresh) {
  host.run();
  for (int i = 0; i < 1500; ++i) add(i);
  const Listing first = discover(), second = discover();
  EXPECT_EQ(first.ids.size(), 1000u);
  EXPECT_EQ(std::set(first.ids.begin(), first.ids.end()).size(), 1000u);
  EXPECT_FALSE(first.next);
  std::set<std::string> both(first.ids.begin(), first.ids.end());
  both.insert(second.ids.begin(), second.ids.end());
  // Two independent choices of 1000 of 1500 together have 1333 on average, with a deviation of 9.
  EXPECT_GT(both.size(), 1250u);
  EXPECT_LT(both.size(), 1420u);
}

TEST_F(Bootstrap, ASampleOfOneSkill) {
  host.run();
  for (int i = 0; i < 1300; ++i) add(i, {.skills = {i % 13 ? "common" : "rare"}});
  EXPECT_EQ(discover({.skill = "rare"}).ids.size(), 100u);
  const Listing common = discover({.skill = "common"});
  EXPECT_EQ(std::set(common.ids.begin(), common.ids.end()).size(), 1000u);
}

TEST_F(Bootstrap, ALimitAboveAThousandIsAThousand) {
  host.run();
  for (int i = 0; i < 1100; ++i) add(i);
  EXPECT_EQ(discover({.limit = 4'000'000'000u}).ids.size(), 1000u);
}

TEST_F(Bootstrap, AnAnswerStaysBelowOneMebibyte) {
  host.run();
  std::vector<std::string> skills;
  for (int s = 0; s < 32; ++s) skills.push_back(std::string(60, 'x') + std::to_string(s));
  for (int i = 0; i < 900; ++i) {
    send(join(i), {.node_id = node_id(i), .texts = {{"name", std::string(64, 'n')}}, .skills = skills});
  }
  EXPECT_LE(discover().bytes, 1u << 20);
  std::set<std::string> seen;
  std::optional<Bytes> cursor;
  int pages = 0;
  do {
    const Listing page = discover({.limit = 1000, .cursor = cursor});
    EXPECT_LE(page.bytes, 1u << 20);
    EXPECT_GT(page.bytes, page.next ? 1'040'000u : 0u);
    for (const auto& id : page.ids) EXPECT_TRUE(seen.insert(id).second);
    cursor = page.next;
    ++pages;
  } while (cursor);
  EXPECT_EQ(seen.size(), 900u);
  EXPECT_GT(pages, 1);
}

// -- pages ------------------------------------------------------------------------------------------------------------

TEST_F(Bootstrap, PagesTogetherAreCompleteAndWithoutRepeats) {
  host.run();
  for (int i = 0; i < 250; ++i) add(i, {.skills = {i % 2 ? "odd" : "even"}});
  for (const auto& [skill, expected] : {std::pair{std::optional<std::string>{}, 250u}, {"odd", 125u}}) {
    std::set<std::string> seen;
    Discover request{.skill = skill, .limit = 7};
    for (;;) {
      const Listing page = discover(request);
      EXPECT_LE(page.ids.size(), 7u);
      EXPECT_FALSE(page.ids.empty());
      for (const auto& id : page.ids) EXPECT_TRUE(seen.insert(id).second) << "twice";
      if (!page.next) break;
      EXPECT_EQ(page.ids.size(), 7u);
      request.cursor = page.next;
    }
    EXPECT_EQ(seen.size(), expected);
  }
}

TEST_F(Bootstrap, PagesMissNobodyWhoStaysWhileOthersComeAndGo) {
  host.config["max_records"] = std::int64_t{100'000};
  host.run();
  for (int i = 0; i < 200; ++i) {  // those who go: stale half way through
    host.lose_peer(add(10'000 + i), 1);
    if (i % 2) continue;
    add(i);
  }
  host.advance(3'500'000);
  for (auto& [handle, peer] : host.peers) peer.last_seen = host.unix_seconds() + 200;
  std::multiset<std::string> seen;
  Discover request{.limit = 5};
  for (int page = 0;; ++page) {
    const Listing it = discover(request);
    seen.insert(it.ids.begin(), it.ids.end());
    if (!it.next) break;
    request.cursor = it.next;
    host.advance(10'000);
    add(50'000 + page);
  }
  for (int i = 0; i < 200; i += 2) EXPECT_EQ(seen.count(node_id(i)), 1u);
  EXPECT_EQ(host.metric("evicted"), 200);
}

TEST_F(Bootstrap, PagesBeginAnywhere) {
  host.run();
  for (int i = 0; i < 200; ++i) add(i);
  std::set<std::string> firsts;
  for (int i = 0; i < 50; ++i) firsts.insert(discover({.limit = 1}).ids.at(0));
  EXPECT_GT(firsts.size(), 30u);
}

TEST_F(Bootstrap, ForgedAndForeignCursorsAreRefused) {
  host.run();
  for (int i = 0; i < 20; ++i) add(i, {.skills = {"go"}});
  const Bytes good = discover({.skill = "go", .limit = 5}).next.value();
  EXPECT_EQ(discover({.skill = "go", .cursor = good}).ids.size(), 15u);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes forged = good;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    expect_refused(ask({.skill = "go", .cursor = forged}), "cursor");
  }
  for (const Bytes& other : {Bytes{}, Bytes(good.begin(), good.end() - 1), Bytes(200, 0), Bytes(300, 0)}) {
    expect_refused(ask({.skill = "go", .cursor = other}), "cursor");
  }
  expect_refused(ask({.cursor = good}), "cursor");  // of another filter
  expect_refused(ask({.skill = "rust", .cursor = good}), "cursor");
  expect_refused(ask({.operator_username = "go", .cursor = good}), "cursor");
  FakeHost another(atlas_plugin_v1);
  another.random_state = 99;
  another.run();
  const auto peer = another.connect_peer({.node_id = node_id(1)});
  EXPECT_EQ(another.deliver(peer, 0x21, Discover{.skill = "go", .cursor = good}.body()).error_code, 2003u);
}

TEST_F(Bootstrap, ACursorComesBackAsAnArrayOfIntegersToo) {
  host.run();
  for (int i = 0; i < 10; ++i) add(i);
  const Bytes cursor = discover({.limit = 5}).next.value();
  Writer body;
  body.map(1).text("cursor").byte_array(cursor);
  EXPECT_EQ(host.deliver(join(77), 0x21, body.take()).type, 0x22);
}

// -- the command and the rest -----------------------------------------------------------------------------------------

TEST_F(Bootstrap, NetRegistryListsRecords) {
  host.run();
  add(1, {.name = "one", .skills = {"go"}});
  host.lose_peer(add(2, {.name = "two", .operator_username = "bob"}), 0);
  EXPECT_EQ(host.commands.at("registry").where, ATLAS_CLI_DAEMON);
  const auto& all = host.calls.at(host.run_command("registry", {}));
  EXPECT_EQ(all.status, ATLAS_OK);
  EXPECT_THAT(all.progress.at(0), HasSubstr("2 of at most 100000 records, 1 skills, 1 operators"));
  EXPECT_THAT(*all.result, HasSubstr("\"name\":\"one\",\"skills\":[\"go\"],\"trust_level\":\"unknown\""));
  EXPECT_THAT(*all.result, HasSubstr("\"operator_username\":\"bob\""));
  EXPECT_THAT(*all.result, HasSubstr("\"connected\":false"));
  EXPECT_EQ(*host.calls.at(host.run_command("registry", {{"--skill", "none"}})).result, "[]");
  EXPECT_THAT(*host.calls.at(host.run_command("registry", {{"--operator", "@bob"}})).result, HasSubstr("two"));
  EXPECT_EQ(host.calls.at(host.run_command("registry", {{"--limit", "0"}})).status, ATLAS_E_ARG);
}

TEST_F(Bootstrap, NetRegistrySaysWhenItLeavesSomethingOut) {
  host.run();
  std::vector<std::string> skills;
  for (int s = 0; s < 32; ++s)
    skills.push_back(std::string(60, '\x01') + std::to_string(s));  // six times as long in JSON
  for (int i = 0; i < 400; ++i) send(join(i), {.node_id = node_id(i), .skills = skills});
  const auto& few = host.calls.at(host.run_command("registry", {{"--limit", "3"}}));
  EXPECT_THAT(few.progress.at(0), HasSubstr("more match"));
  const auto& all = host.calls.at(host.run_command("registry", {}));
  EXPECT_THAT(all.progress.at(0), HasSubstr("more match"));
  EXPECT_LE(all.result->size(), 4u << 20);
  EXPECT_GT(all.result->size(), 4'000'000u);
}

TEST_F(Bootstrap, DeclaresItsKeys) {
  FakeHost describing(atlas_plugin_v1, ATLAS_MODE_DESCRIBE);
  ASSERT_EQ(describing.init(), ATLAS_OK);
  EXPECT_EQ(describing.asked.at("max_records"), "integer 100000 1 10000000");
  EXPECT_EQ(describing.asked.at("allow_foreign_address"), "boolean false");
}

TEST_F(Bootstrap, WithoutPeersThereIsNobodyToRegister) {
  host.run();
  const auto peer = join(1);
  host.tables.peers.struct_size = offsetof(atlas_ext_peers, info);  // an older host
  EXPECT_EQ(send(peer, {.node_id = node_id(1)}).error_code, 2003u);
}

}  // namespace
