// Registers and their refusals (protocol.md, section 7).
#include "role_fixture.h"

namespace bootstrap::test {
namespace {

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

}  // namespace
}  // namespace bootstrap::test
