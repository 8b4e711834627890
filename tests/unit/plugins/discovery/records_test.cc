// Bytes to and from a bootstrap node: the vectors of tests/vectors, and answers of nodes that mean harm.
#include "records.h"

#include <gtest/gtest.h>

#include <functional>

#include "address.h"
#include "kit/fake_host.h"
#include "kit/vectors.h"

namespace {

using atlas::PeerInfo;
using atlas::kit::node_id;
using atlas::msgpack::MapView;
using atlas::msgpack::Writer;
using atlas::test::load_vectors;
using atlas::test::Vector;
using discovery::Filter;
using discovery::Reading;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t kNow = 1'760'000'100;
const auto kBootstrap = *atlas::HostAddress::parse("192.0.2.1");

std::string text_or_empty(const nlohmann::json& fields, const char* key) {
  return fields.value(key, std::string());
}

PeerInfo peer_of(const nlohmann::json& fields) {
  PeerInfo out;
  out.node_id = text_or_empty(fields, "node_id");
  out.address = text_or_empty(fields, "address");
  out.public_address = text_or_empty(fields, "public_address");
  out.name = text_or_empty(fields, "name");
  out.operator_username = text_or_empty(fields, "operator_username");
  out.skills = fields.value("skills", std::vector<std::string>());
  out.relays = fields.value("relays", std::vector<std::string>());
  out.last_seen = fields.value("last_seen", std::int64_t{0});
  return out;
}

// The payload without one entry of its map.
Bytes without(std::span<const std::uint8_t> payload, std::string_view key) {
  const auto map = MapView::of(payload);
  Writer out;
  out.map(map.size() - 1);
  for (const auto entry : map) {
    if (entry.key.text() != key) out.raw(entry.key.raw()).raw(entry.value.raw());
  }
  return out.take();
}

Bytes bytes_of(std::span<const std::uint8_t> span) {
  return {span.begin(), span.end()};
}

atlas::Answer answer_of(const Vector& vector) {
  atlas::Answer out;
  out.type = vector.bytes[3];
  out.body = vector.payload();
  return out;
}

TEST(DiscoveryVectors, RegisterIsWrittenByteForByte) {
  const auto file = load_vectors("20_bootstrap_register.json");
  EXPECT_EQ(file.type, discovery::kRegister);
  const auto& published = file.get("published");
  EXPECT_EQ(discovery::encode_register(peer_of(published.fields), published.fields.at("timestamp")),
            bytes_of(published.payload()));
  // This role has no signed record to tell; the rest is the same.
  const auto& all = file.get("all_fields");
  EXPECT_EQ(discovery::encode_register(peer_of(all.fields), all.fields.at("timestamp")),
            without(all.payload(), "record"));
}

TEST(DiscoveryVectors, DiscoverIsWrittenByteForByte) {
  const auto file = load_vectors("21_bootstrap_discover.json");
  EXPECT_EQ(file.type, discovery::kDiscover);
  int seen = 0;
  for (const auto& vector : file.vectors) {
    if (vector.kind != Vector::Kind::kExact) continue;
    const auto& fields = vector.fields;
    const Filter filter{text_or_empty(fields, "skill"), text_or_empty(fields, "operator"),
                        text_or_empty(fields, "node_id")};
    const auto cursor = fields.contains("cursor") ? atlas::test::bytes_of(fields.at("cursor")) : Bytes();
    EXPECT_EQ(discovery::encode_discover(filter, fields.value("limit", 0u), cursor), bytes_of(vector.payload()))
        << vector.name;
    ++seen;
  }
  EXPECT_GE(seen, 3);
}

void expect_same(const PeerInfo& peer, const nlohmann::json& fields) {
  const PeerInfo expected = peer_of(fields);
  EXPECT_EQ(peer.node_id, expected.node_id);
  EXPECT_EQ(peer.address, expected.address);
  EXPECT_EQ(peer.public_address, expected.public_address);
  EXPECT_EQ(peer.name, expected.name);
  EXPECT_EQ(peer.skills, expected.skills);
  EXPECT_EQ(peer.operator_username, expected.operator_username);
  EXPECT_EQ(peer.relays, expected.relays);
  EXPECT_EQ(peer.last_seen, expected.last_seen);
  EXPECT_EQ(peer.trust, atlas::Trust::kUnknown);
}

TEST(DiscoveryVectors, PeersAreReadAsTheVectorsSay) {
  const auto file = load_vectors("22_bootstrap_peers.json");
  EXPECT_EQ(file.type, discovery::kPeers);
  for (const auto& vector : file.vectors) {
    SCOPED_TRACE(vector.name);
    const auto page = discovery::decode_peers(MapView::of(vector.payload()), {.now = kNow, .told_by = kBootstrap});
    if (vector.kind == Vector::Kind::kRefuses) {
      EXPECT_TRUE(vector.at != "fields" || !page.has_value());
      continue;
    }
    ASSERT_TRUE(page.has_value());
    const auto& peers = vector.fields.at("peers");
    ASSERT_EQ(page->peers.size(), peers.size());
    EXPECT_EQ(page->malformed, 0u);
    for (std::size_t i = 0; i < peers.size(); ++i) expect_same(page->peers[i], peers[i]);
    const auto next = vector.fields.contains("next") ? atlas::test::bytes_of(vector.fields.at("next")) : Bytes();
    EXPECT_EQ(page->next, next);
  }
}

TEST(DiscoveryVectors, OnlyARegisteredAckRegisters) {
  for (const auto& vector : load_vectors("11_message_ack.json").vectors) {
    EXPECT_EQ(discovery::is_registered(answer_of(vector)), vector.name == "registered") << vector.name;
  }
  auto error = answer_of(load_vectors("11_message_ack.json").get("registered"));
  error.error_code = 2003;
  EXPECT_FALSE(discovery::is_registered(error));
  auto other_type = answer_of(load_vectors("11_message_ack.json").get("registered"));
  other_type.type = 0x22;
  EXPECT_FALSE(discovery::is_registered(other_type));
}

// --- answers of nodes that mean harm ---

struct Told {
  std::string id = node_id(1), address = "198.51.100.7:4433", name = "n";
  std::vector<std::string> skills = {}, relays = {};
  std::string public_address = {}, operator_username = {};
  std::int64_t last_seen = kNow - 5;
};

void write(Writer& out, const Told& told) {
  out.map(8).text("node_id").text(told.id).text("address").text(told.address).text("name").text(told.name);
  out.text("skills").array(told.skills.size());
  for (const auto& skill : told.skills) out.text(skill);
  out.text("relays").array(told.relays.size());
  for (const auto& relay : told.relays) out.text(relay);
  out.text("public_address").text(told.public_address).text("operator_username").text(told.operator_username);
  out.text("last_seen").integer(told.last_seen);
}

discovery::Page read(const std::vector<Told>& records, Reading reading = {.now = kNow, .told_by = kBootstrap}) {
  Writer out;
  out.map(1).text("peers").array(records.size());
  for (const auto& record : records) write(out, record);
  const auto page = discovery::decode_peers(MapView::of(out.bytes()), reading);
  return page.value_or(discovery::Page{{}, 999, {}});
}

TEST(Records, WhatIsMalformedIsLeftOutAndTheRestStays) {
  const auto page = read({{.id = "atlas_1234"},
                          {.id = "atlas_" + std::string(64, 'G')},
                          {.name = std::string(65, 'x')},
                          {.skills = std::vector<std::string>(33, "s")},
                          {.skills = {std::string(65, 's')}},
                          {.relays = std::vector<std::string>(9, "198.51.100.9:1")},
                          {.relays = {std::string(65, '1')}},
                          {.address = std::string(65, '1')},
                          {.public_address = std::string(65, '1')},
                          {.operator_username = std::string(65, 'o')},
                          {.id = node_id(2)}});
  EXPECT_EQ(page.malformed, 10u);
  ASSERT_EQ(page.peers.size(), 1u);
  EXPECT_EQ(page.peers[0].node_id, node_id(2));
}

TEST(Records, AnOptionalFieldOfAnotherTypeCountsAsMissing) {
  Writer out;
  out.map(2).text("peers").array(2);
  for (int i = 0; i < 2; ++i) {
    out.map(8).text("node_id").text(node_id(1)).text("address").text("198.51.100.7:4433").text("name").integer(5);
    if (i == 0) {
      out.text("skills").text("search").text("relays").map(0);
    } else {  // one element that is no text, and the array is of another type, however long
      out.text("skills").array(40);
      for (int s = 0; s < 39; ++s) out.text("s");
      out.nil().text("relays").array(2).text("198.51.100.9:1").integer(1);
    }
    out.text("public_address").boolean(true).text("operator_username").array(0).text("last_seen").text("now");
  }
  out.text("next").text("more");
  const auto page = discovery::decode_peers(MapView::of(out.bytes()), {.now = kNow, .told_by = kBootstrap});
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->malformed, 0u);
  EXPECT_TRUE(page->next.empty());
  ASSERT_EQ(page->peers.size(), 2u);
  for (const PeerInfo& peer : page->peers) {
    expect_same(peer, {{"node_id", node_id(1)}, {"address", "198.51.100.7:4433"}});
  }
}

TEST(Records, ANextOfAnotherTypeIsNone) {
  for (const auto& write : std::vector<std::function<void(Writer&)>>{
           [](Writer& w) { w.integer(1); }, [](Writer& w) { w.array(1).integer(256); },
           [](Writer& w) { w.array(1).text("x"); }, [](Writer& w) { w.map(0); },
           [](Writer& w) {
             w.array(300);
             for (int i = 0; i < 300; ++i) w.nil();
           }}) {
    Writer out;
    out.map(2).text("peers").array(0).text("next");
    write(out);
    const auto page = discovery::decode_peers(MapView::of(out.bytes()), {.now = kNow});
    ASSERT_TRUE(page.has_value());
    EXPECT_TRUE(page->next.empty());
  }
}

TEST(Records, ElementsThatAreNoMapsAreMalformed) {
  Writer out;
  out.map(1).text("peers").array(3).nil().integer(7).text("peer");
  const auto page = discovery::decode_peers(MapView::of(out.bytes()), {.now = kNow});
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->malformed, 3u);
}

TEST(Records, NobodyWasSeenInTheFutureOrBeforeTime) {
  const auto page = read({{.last_seen = kNow + 1'000'000}, {.last_seen = -5}, {.last_seen = kNow - 1}});
  ASSERT_EQ(page.peers.size(), 3u);
  EXPECT_EQ(page.peers[0].last_seen, kNow);
  EXPECT_EQ(page.peers[1].last_seen, 0);
  EXPECT_EQ(page.peers[2].last_seen, kNow - 1);
}

TEST(Records, BadSideAddressesGoAndTheRecordStays) {
  const auto page = read({{.relays = {"0.0.0.0:1", "198.51.100.9:4433", "relay"}, .public_address = "224.0.0.1:9"}});
  ASSERT_EQ(page.peers.size(), 1u);
  EXPECT_EQ(page.peers[0].public_address, "");
  EXPECT_EQ(page.peers[0].relays, std::vector<std::string>{"198.51.100.9:4433"});
}

TEST(Records, LoopbackIsForThisMachineOnly) {
  const std::vector<Told> records = {{.address = "127.0.0.1:4433"}, {.address = "[::1]:4433"}};
  EXPECT_EQ(read(records).peers.size(), 0u);
  EXPECT_EQ(read(records, {.now = kNow, .told_by = *atlas::HostAddress::parse("127.0.0.1")}).peers.size(), 2u);
}

TEST(Records, NoMoreRecordsAreLookedAtThanWereAskedFor) {
  const auto page = read(std::vector<Told>(50), {.now = kNow, .most = 20});
  EXPECT_EQ(page.peers.size() + page.malformed, 20u);
}

TEST(Records, TheOperatorHasNoLeadingAt) {
  EXPECT_EQ(read({{.operator_username = "@alice"}}).peers.at(0).operator_username, "alice");
}

TEST(Records, ACursorThatIsTooLongIsNoAnswer) {
  for (const std::size_t size : {256, 257}) {
    Writer out;
    out.map(2).text("peers").array(0).text("next").bin(Bytes(size, 7));
    EXPECT_EQ(discovery::decode_peers(MapView::of(out.bytes()), {.now = kNow}).has_value(), size == 256) << size;
  }
}

TEST(Records, FiltersMatchWholeWords) {
  PeerInfo peer;
  peer.node_id = node_id(3);
  peer.skills = {"search", "translate"};
  peer.operator_username = "alice";
  EXPECT_TRUE((Filter{}.matches(peer)));
  EXPECT_TRUE((Filter{"translate", "alice", node_id(3)}.matches(peer)));
  EXPECT_FALSE((Filter{"trans", "", ""}.matches(peer)));
  EXPECT_FALSE((Filter{"", "bob", ""}.matches(peer)));
  EXPECT_FALSE((Filter{"", "", node_id(4)}.matches(peer)));
}

TEST(Records, JsonHasTheFieldNamesOfPeerRecord) {
  PeerInfo peer;
  peer.node_id = node_id(3);
  peer.address = "198.51.100.7:4433";
  peer.skills = {"search"};
  peer.last_seen = 7;
  EXPECT_EQ(discovery::to_json(peer).str(),
            "{\"node_id\":\"" + node_id(3) +
                "\",\"address\":\"198.51.100.7:4433\",\"public_address\":null,\"name\":\"\",\"skills\":[\"search\"],"
                "\"operator_username\":null,\"trust_level\":\"unknown\",\"last_seen\":7,\"relays\":[]}");
}

TEST(Address, WhatABootstrapNodeMayTell) {
  const std::vector<std::string> good = {"198.51.100.7:4433",       "10.0.0.1:1",
                                         "192.168.1.1:65535",       "[2001:db8::7]:4433",
                                         "[::ffff:198.51.100.7]:1", "[2001:db8:3:4:5:6:7:8]:1",
                                         "[2001:db8:3:4:5:6:7::]:1"};
  const std::vector<std::string> of_this_machine = {"127.0.0.1:4433", "127.255.0.1:1", "[::1]:4433",
                                                    "[::ffff:127.0.0.1]:1"};
  const std::vector<std::string> bad = {"[fe80::1]:4433",
                                        "0.0.0.0:4433",
                                        "[::]:4433",
                                        "[::ffff:0.0.0.0]:1",
                                        "224.0.0.1:1",
                                        "255.255.255.255:1",
                                        "240.0.0.1:1",
                                        "0.0.0.1:1",
                                        "[::ffff:240.0.0.1]:1",
                                        "[ff02::1]:4433",
                                        "[::2]:4433",
                                        "198.51.100.7:0",
                                        "198.51.100.7:65536",
                                        "198.51.100.7",
                                        "198.51.100.7:",
                                        "198.51.100.7:44x",
                                        "198.51.100.7:04433",
                                        "example.org:4433",
                                        "2001:db8::7:4433",
                                        "[198.51.100.7]:4433",
                                        "198.51.100:4433",
                                        "",
                                        "[1:2:3:4:5:6:7:8:9]:1",
                                        "[1:2:3:4:5:6:7]:1",
                                        "[1:2:3:4::5:6:7:8]:1",
                                        "[1::2::3]:1",
                                        "[1:::2]:1",
                                        "[1:2:]:1",
                                        "[:1:2]:1",
                                        "[12345::1]:1",
                                        "[g::1]:1",
                                        "[::198.51.100.7:1]:1",
                                        "[64:ff9b::198.51.100.7]:1",
                                        "198.051.100.7:1",
                                        "198.51.100.256:1",
                                        "198.51.100.7.1:1",
                                        "198.51..7:1",
                                        "+198.51.100.7:1",
                                        ":4433",
                                        "[]:1",
                                        "[2001:db8::7%eth0]:1",
                                        "198.51.100.7:-1",
                                        std::string(300, '1') + ":1",
                                        std::string("127.0.0.1\0x:1", 14)};
  const auto here = *atlas::HostAddress::parse("127.0.0.1");
  for (const auto& text : good) EXPECT_TRUE(discovery::is_kept(text, kBootstrap)) << text;
  for (const auto& text : of_this_machine) {
    EXPECT_FALSE(discovery::is_kept(text, kBootstrap)) << text;
    EXPECT_TRUE(discovery::is_kept(text, here)) << text;
  }
  for (const auto& text : bad) EXPECT_FALSE(discovery::is_kept(text, kBootstrap)) << text;
}

TEST(Address, LinkLocalOnesAreForTheLinkAndPrivateOnesForWhoeverSharesTheNetwork) {
  EXPECT_FALSE(discovery::is_kept("169.254.169.254:80", kBootstrap));
  EXPECT_FALSE(discovery::is_kept("169.254.169.254:80", *atlas::HostAddress::parse("10.0.0.1")));
  EXPECT_TRUE(discovery::is_kept("169.254.1.2:4433", *atlas::HostAddress::parse("169.254.1.1")));
  EXPECT_TRUE(discovery::is_kept("10.0.0.2:4433", *atlas::HostAddress::parse("8.8.8.8")));
}

}  // namespace
