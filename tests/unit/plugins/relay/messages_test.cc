// The bytes of the four messages against tests/vectors, and what others may write instead.
#include "messages.h"

#include <gtest/gtest.h>

#include "kit/fake_values.h"
#include "kit/vectors.h"

namespace {

using atlas::kit::node_id;
using atlas::msgpack::MapView;
using atlas::msgpack::Writer;
using atlas::test::load_vectors;
using atlas::test::Vector;
using relay::Forwarding;
using Bytes = std::vector<std::uint8_t>;

Bytes payload_of(const Vector& vector) {
  const auto payload = vector.payload();
  return {payload.begin(), payload.end()};
}

std::string text(const nlohmann::json& fields, const char* key) {
  return fields.at(key).get<std::string>();
}

atlas::RoutePrefix prefix(const nlohmann::json& field) {
  const auto bytes = atlas::test::bytes_of(field);
  atlas::RoutePrefix out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

TEST(RelayVectors, Announce) {
  const auto file = load_vectors("30_relay_announce.json");
  EXPECT_EQ(file.type, relay::kAnnounce);
  for (const Vector& vector : file.vectors) {
    SCOPED_TRACE(vector.name);
    const auto message = relay::decode_announce(MapView::of(vector.payload()));
    ASSERT_EQ(message.has_value(), vector.kind != Vector::Kind::kRefuses);
    if (!message) continue;
    EXPECT_EQ(message->node_id, text(vector.fields, "node_id"));
    EXPECT_EQ(message->timestamp, vector.fields.at("timestamp").get<std::int64_t>());
    if (vector.kind == Vector::Kind::kExact) {
      EXPECT_EQ(relay::encode(*message), payload_of(vector));
    }
  }
}

TEST(RelayVectors, Connect) {
  const auto file = load_vectors("31_relay_connect.json");
  EXPECT_EQ(file.type, relay::kConnect);
  for (const Vector& vector : file.vectors) {
    SCOPED_TRACE(vector.name);
    const auto message = relay::decode_connect(MapView::of(vector.payload()));
    ASSERT_EQ(message.has_value(), vector.kind != Vector::Kind::kRefuses);
    if (!message) continue;
    EXPECT_EQ(message->source_id, text(vector.fields, "source_id"));
    EXPECT_EQ(message->target_id, text(vector.fields, "target_id"));
    if (vector.kind == Vector::Kind::kExact) {
      EXPECT_EQ(relay::encode(*message), payload_of(vector));
    }
  }
}

TEST(RelayVectors, Ready) {
  const auto file = load_vectors("32_relay_ready.json");
  EXPECT_EQ(file.type, relay::kReady);
  for (const Vector& vector : file.vectors) {
    SCOPED_TRACE(vector.name);
    const auto message = relay::decode_ready(MapView::of(vector.payload()));
    ASSERT_EQ(message.has_value(), vector.kind != Vector::Kind::kRefuses);
    if (!message) continue;
    EXPECT_EQ(message->waiting, text(vector.fields, "status") == "waiting");
    ASSERT_EQ(message->forwarding.has_value(), vector.fields.contains("route"));
    if (message->waiting && vector.kind == Vector::Kind::kExact) {
      EXPECT_EQ(relay::encode_waiting(), payload_of(vector));
    }
    ASSERT_EQ(message->over.has_value(), text(vector.fields, "status") == "ended");
    if (message->over) {
      EXPECT_EQ(message->over->peer_id, text(vector.fields.at("peer"), "node_id"));
      EXPECT_EQ(relay::encode(*message->over), payload_of(vector));
    }
    if (!message->forwarding) continue;
    const Forwarding& it = *message->forwarding;
    EXPECT_EQ(it.route, prefix(vector.fields.at("route")));
    EXPECT_EQ(it.peer_route, prefix(vector.fields.at("peer_route")));
    EXPECT_EQ(it.peer_id, text(vector.fields.at("peer"), "node_id"));
    EXPECT_EQ(relay::encode(it), payload_of(vector));
  }
}

TEST(RelayVectors, Error) {
  const auto file = load_vectors("33_relay_error.json");
  EXPECT_EQ(file.type, relay::kError);
  for (const Vector& vector : file.vectors) {
    SCOPED_TRACE(vector.name);
    const auto message = relay::decode_error(MapView::of(vector.payload()));
    ASSERT_EQ(message.has_value(), vector.kind != Vector::Kind::kRefuses);
    if (!message) continue;
    EXPECT_EQ(message->code, vector.fields.at("code").get<std::uint32_t>());
    EXPECT_EQ(message->message, text(vector.fields, "message"));
    if (vector.kind == Vector::Kind::kExact) {
      EXPECT_EQ(relay::encode(*message), payload_of(vector));
    }
  }
}

TEST(RelayMessages, EveryCodeHasTheWordsOfItsMeaning) {
  EXPECT_EQ(to_text(relay::Code::kNotAnnounced), "target not announced");
  EXPECT_EQ(to_text(relay::Code::kBusy), "target busy");
  EXPECT_EQ(to_text(relay::Code::kFull), "relay full");
  EXPECT_EQ(to_text(relay::Code::kDenied), "denied");
  EXPECT_EQ(to_text(relay::Code::kNotOffered), "not offered here");
}

// A RelayReady `ready` of which a test changes one part.
struct Parts {
  Bytes route = {1, 2, 3, 4, 5, 6, 7, 8}, peer_route = {8, 7, 6, 5, 4, 3, 2, 1};
  std::string peer_id = node_id(1), status = "ready";
  std::vector<std::string> observed = {"203.0.113.9:40000"};
  std::int64_t expires = 1'760'000'000;
  bool as_array = false, with_peer = true;

  Bytes encode() const {
    Writer out;
    out.map(with_peer ? 5 : 4).text("status").text(status).text("route");
    as_array ? out.byte_array(route) : out.bin(route);
    out.text("peer_route").bin(peer_route).text("expires").integer(expires);
    if (with_peer) {
      out.text("peer").map(2).text("node_id").text(peer_id).text("observed").array(observed.size());
      for (const auto& address : observed) out.text(address);
    }
    return out.take();
  }
};
std::optional<relay::Ready> decoded(const Parts& parts) {
  const Bytes bytes = parts.encode();
  return relay::decode_ready(MapView::of(bytes));
}

TEST(RelayMessages, AForwardingIsWholeOrRefused) {
  EXPECT_TRUE(decoded({})->forwarding.has_value());
  EXPECT_TRUE(decoded({.as_array = true})->forwarding.has_value());
  EXPECT_FALSE(decoded({.route = {1, 2, 3, 4, 5, 6, 7}}));
  EXPECT_FALSE(decoded({.route = {1, 2, 3, 4, 5, 6, 7, 8, 9}}));
  EXPECT_FALSE(decoded({.peer_route = {}}));
  EXPECT_FALSE(decoded({.peer_route = {1, 2, 3, 4, 5, 6, 7, 8}})) << "both ways are one";
  EXPECT_FALSE(decoded({.peer_id = "bob"}));
  EXPECT_FALSE(decoded({.status = "maybe"}));
  EXPECT_FALSE(decoded({.with_peer = false}));
}

TEST(RelayMessages, AnEndNamesItsSessionAndTheOtherAgent) {
  const Bytes whole = relay::encode(relay::Over{77, node_id(1)});
  const auto ready = relay::decode_ready(MapView::of(whole));
  ASSERT_TRUE(ready && ready->over);
  EXPECT_EQ(ready->over->session, 77u);
  EXPECT_EQ(ready->over->peer_id, node_id(1));
  EXPECT_FALSE(ready->forwarding || ready->waiting);
  EXPECT_FALSE(relay::decode_ready(MapView::of(relay::encode(relay::Over{77, "bob"}))));
  Writer without;
  without.map(2).text("status").text("ended").text("session").integer(77);
  const Bytes bytes = without.take();
  EXPECT_FALSE(relay::decode_ready(MapView::of(bytes)));
  EXPECT_FALSE(decoded({.status = "ended"})) << "no session number";
}

TEST(RelayMessages, ObservedAddressesAreReadStrictlyAndBounded) {
  Parts parts;
  parts.observed = {"example.org:1", "203.0.113.9:1", "[::ffff:203.0.113.9]:1", "203.0.113.9"};
  EXPECT_EQ(decoded(parts)->forwarding->observed.size(), 1u);
  parts.observed.clear();
  for (int i = 0; i < 1'000; ++i) parts.observed.push_back("203.0.113.9:" + std::to_string(1 + i));
  EXPECT_EQ(decoded(parts)->forwarding->observed.size(), 8u);
}

TEST(RelayMessages, APathThatEndedBeforeTheEpochHasNoEnd) {
  EXPECT_EQ(decoded({.expires = -5})->forwarding->expires, 0);
  EXPECT_EQ(decoded({.expires = INT64_MIN})->forwarding->expires, 0);
}

}  // namespace
