// The C++ wrappers of bus, identity and listener: values cross both ways, callbacks run once and are freed.
#include <gtest/gtest.h>

#include <memory>

#include "atlas/plugin.hpp"
#include "kit/fake_host.h"

namespace {

using namespace std::chrono_literals;
using atlas::kit::Bytes;
using atlas::kit::FakeHost;

Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}
std::string text(atlas::Bytes of) {
  return {of.begin(), of.end()};
}

// Hears, serves and watches.
class Neighbour {
 public:
  explicit Neighbour(atlas::Setup& setup) : host_(setup.host()) {
    last = this;
    setup.hear("other/news", &Neighbour::on_news)
        .offer("neighbour/upper", &Neighbour::upper)
        .offer("neighbour/later", &Neighbour::later)
        .watch_listener(&Neighbour::moved);
  }
  ~Neighbour() { last = nullptr; }

  void on_news(const atlas::BusEvent& event) {
    heard += std::string(event.from) + ":" + std::string(event.topic) + ":" + text(event.body) + ";";
  }
  atlas::Status upper(const atlas::BusRequest& request) {
    if (request.body.empty()) return {ATLAS_E_ARG};
    if (request.body[0] == '!') throw std::runtime_error("no");
    std::string out = text(request.body) + " for " + std::string(request.from);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return request.call.answer(out);
  }
  void later(const atlas::BusRequest& request) { open.push_back(request.call); }
  void moved() { addresses.push_back(host_.listener()->public_address); }

  static inline Neighbour* last = nullptr;
  atlas::Host& host_;
  std::string heard;
  std::vector<std::string> addresses;
  std::vector<atlas::BusCall> open;
};
using Entry = atlas::detail::Entry<Neighbour>;
const atlas_plugin kNeighbour = {sizeof(atlas_plugin),
                                 ATLAS_ABI_MAJOR,
                                 0,
                                 "neighbour",
                                 "1.0.0",
                                 "Talks with other plugins.",
                                 nullptr,
                                 &Entry::init,
                                 &Entry::start,
                                 &Entry::drain,
                                 &Entry::stop,
                                 &Entry::peer_event};

class BusWrapper : public testing::Test {
 protected:
  BusWrapper() { fake.run(); }
  Neighbour& role() { return *Neighbour::last; }
  atlas::Host& host() { return role().host_; }

  FakeHost fake{kNeighbour};
};

TEST_F(BusWrapper, EventsReachTheMember) {
  fake.bus_event("other/news", bytes("rain"));
  fake.bus_event("other/news", bytes("sun"));
  EXPECT_EQ(role().heard, "other:other/news:rain;other:other/news:sun;");
}

TEST_F(BusWrapper, ServicesAnswerNowOrLater) {
  EXPECT_EQ(fake.bus_request("neighbour/upper", "other", bytes("tea")).body, bytes("TEA FOR OTHER"));
  EXPECT_EQ(fake.bus_request("neighbour/upper", "other", {}).status, ATLAS_E_ARG);
  EXPECT_EQ(fake.bus_request("neighbour/upper", "other", bytes("!")).status, ATLAS_E_INTERNAL);
  const auto call = fake.bus_request_open("neighbour/later", "other", bytes("x"));
  EXPECT_FALSE(fake.bus_answers[call].answered);
  EXPECT_TRUE(role().open.at(0).fail({ATLAS_E_DENIED}, "not today").ok());
  EXPECT_EQ(fake.bus_answers[call].error, "not today");
  EXPECT_EQ(role().open.at(0).answer("again").code, ATLAS_E_GONE);
}

TEST_F(BusWrapper, RequestsCompleteOnceAndAreFreed) {
  const auto alive = std::make_shared<int>();
  std::vector<std::string> answers;
  const auto note = [&answers, alive](const atlas::BusAnswer& answer) {
    answers.push_back(answer.ok() ? text(answer.body) : std::string(answer.status.text()));
  };
  host().bus().request("other/time", "now", 1s, note);
  host().bus().request("other/time", "later", 2s, note);
  ASSERT_EQ(fake.bus_requests.size(), 2u);
  EXPECT_EQ(fake.bus_requests[0].service, "other/time");
  fake.answer_bus(fake.bus_requests[0], ATLAS_OK, bytes("noon"));
  fake.advance(2'000);
  fake.bus_status = ATLAS_E_GONE;
  host().bus().request("other/time", "now", 1s, note);
  EXPECT_EQ(answers, (std::vector<std::string>{"noon", "no answer in time", "it does not exist any more"}));
  EXPECT_EQ(alive.use_count(), 2);  // ours, and the one in `note`
}

TEST_F(BusWrapper, PublishingIsUnderTheOwnId) {
  fake.bus_receivers = 3;
  std::uint32_t receivers = 0;
  EXPECT_TRUE(host().bus().publish("neighbour/state", "up", &receivers).ok());
  EXPECT_EQ(receivers, 3u);
  EXPECT_EQ(host().bus().publish("other/state", "up").code, ATLAS_E_DENIED);
  ASSERT_EQ(fake.published.size(), 1u);
  EXPECT_EQ(fake.published[0].topic, "neighbour/state");
}

TEST_F(BusWrapper, SignaturesVerifyForWhomTheyWereMade) {
  const auto identity = host().identity();
  const auto key = identity.key();
  ASSERT_TRUE(key);
  const auto signature = identity.sign("record", "hello");
  ASSERT_TRUE(signature);
  EXPECT_TRUE(identity.verify(*key, "record", "hello", *signature));
  EXPECT_TRUE(identity.verify(*key, "record", "hello", *signature, "neighbour"));
  EXPECT_FALSE(identity.verify(*key, "record", "hello", *signature, "other"));
  EXPECT_FALSE(identity.verify(*key, "other", "hello", *signature));
  EXPECT_FALSE(identity.verify(*key, "record", "hullo", *signature));
  EXPECT_FALSE(identity.sign("", "hello"));
  EXPECT_TRUE(identity.node_id(*key));
  EXPECT_FALSE(identity.node_id({}));
  const auto peer = fake.connect_peer({.node_id = atlas::kit::node_id(1), .key = {{1, 2, 3}}});
  EXPECT_EQ(identity.key_of(peer)->at(2), 3);
  EXPECT_FALSE(identity.key_of(peer + 1));
}

TEST_F(BusWrapper, TheListenerIsSeenAndWatched) {
  fake.change_listener({{"0.0.0.0:4433", "[::]:4433"}, {"atlas/1"}, "198.51.100.1:4433", ATLAS_NAT_NONE});
  EXPECT_EQ(role().addresses, std::vector<std::string>{"198.51.100.1:4433"});
  const auto listener = host().listener();
  ASSERT_TRUE(listener);
  EXPECT_TRUE(listener->listening);
  EXPECT_EQ(listener->bound.size(), 2u);
  EXPECT_EQ(listener->nat, std::uint32_t{ATLAS_NAT_NONE});
}

TEST(BusWrapperAlone, AnAbsentCapabilityIsAStatus) {
  FakeHost fake{kNeighbour};
  fake.missing = {ATLAS_EXT_BUS, ATLAS_EXT_IDENTITY, ATLAS_EXT_LISTENER};
  atlas::Host host(fake.c_host());
  EXPECT_EQ(host.bus().publish("neighbour/x", "y").code, ATLAS_E_STATE);
  atlas_status told = ATLAS_OK;
  host.bus().request("other/x", "y", 1s, [&](const atlas::BusAnswer& answer) { told = answer.status.code; });
  EXPECT_EQ(told, ATLAS_E_STATE);
  EXPECT_FALSE(host.identity().key());
  EXPECT_FALSE(host.listener());
}

}  // namespace
