// The C++ wrapper of raw streams: events reach the handler of their stream, and each handler is freed with its end.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "atlas/plugin.hpp"
#include "kit/fake_host.h"

namespace {

using atlas::kit::Bytes;
using atlas::kit::FakeHost;

Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}
std::string text(atlas::Bytes of) {
  return {of.begin(), of.end()};
}

// Sends back what comes, in upper case; refuses streams that begin with "no".
class Shouter {
 public:
  explicit Shouter(atlas::Setup& setup) : host_(setup.host()) {
    last = this;
    setup.accept(0x91, &Shouter::opened);
  }
  ~Shouter() { last = nullptr; }

  atlas::StreamHandler opened(const atlas::OpenedStream& stream) {
    openings.push_back(text(stream.opening));
    if (openings.back() == "throw") throw std::runtime_error("no");
    if (openings.back() == "no") return {};
    return [this, held = alive](const atlas::StreamEvent& event) { on_event(event); };
  }
  void on_event(const atlas::StreamEvent& event) {
    if (throws) throw std::runtime_error("thrown");
    whats.push_back(event.what);
    if (event.is_closed()) return ends.push_back(event.status.code);
    if (event.what != ATLAS_STREAM_DATA) return others.push_back(event.code);
    std::string out = text(event.data);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const atlas::Streams streams = host_.streams();
    EXPECT_TRUE(streams.write(event.stream, out).ok());
    EXPECT_TRUE(streams.credit(event.stream, event.data.size()).ok());
    if (!event.fin) return;
    EXPECT_TRUE(streams.finish(event.stream).ok());
  }
  atlas::Streams::Opened open(atlas_peer to) {
    return host_.streams().open(to, 0x91, std::string_view("map"),
                                [this, held = alive](const atlas::StreamEvent& event) { on_event(event); });
  }

  static inline Shouter* last = nullptr;
  atlas::Host& host_;
  std::shared_ptr<int> alive = std::make_shared<int>(0);  // as many more as there are handlers
  std::vector<std::string> openings;
  std::vector<atlas_status> ends;
  std::vector<std::uint64_t> others;
  std::vector<std::uint32_t> whats;
  bool throws = false;
};
using Entry = atlas::detail::Entry<Shouter>;
const atlas_plugin kShouter = {sizeof(atlas_plugin),
                               ATLAS_ABI_MAJOR,
                               0,
                               "shouter",
                               "1.0.0",
                               "Shouts.",
                               nullptr,
                               &Entry::init,
                               &Entry::start,
                               &Entry::drain,
                               &Entry::stop,
                               &Entry::peer_event};

TEST(StreamWrappers, AnAcceptedStreamHasItsHandlerUntilItsEnd) {
  FakeHost host(kShouter);
  host.run();
  Shouter& role = *Shouter::last;
  const atlas_stream stream = host.open_stream(5, 0x91, bytes("yes"));
  ASSERT_NE(stream, 0u);
  EXPECT_EQ(role.alive.use_count(), 2);
  host.stream_data(stream, bytes("hello"));
  host.stream_data(stream, bytes("!"), true);
  EXPECT_EQ(host.streams[stream].written, bytes("HELLO!"));
  EXPECT_TRUE(host.streams[stream].finished);
  EXPECT_EQ(host.streams[stream].delivered, 0u);
  host.stream_event(stream, ATLAS_STREAM_STOPPED, 4);
  host.stream_closed(stream, ATLAS_E_DENIED, 4);
  EXPECT_EQ(role.others, std::vector<std::uint64_t>{4});
  EXPECT_EQ(role.ends, std::vector<atlas_status>{ATLAS_E_DENIED});
  EXPECT_EQ(role.alive.use_count(), 1);
}

TEST(StreamWrappers, NoHandlerRefuses) {
  FakeHost host(kShouter);
  host.run();
  EXPECT_EQ(host.open_stream(5, 0x91, bytes("no")), 0u);
  EXPECT_EQ(host.open_stream(5, 0x91, bytes("throw")), 0u);
  EXPECT_EQ(Shouter::last->openings.size(), 2u);
}

TEST(StreamWrappers, AnOpenedStreamHearsOfItsEndOnce) {
  FakeHost host(kShouter);
  host.run();
  Shouter& role = *Shouter::last;
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  const auto opened = role.open(peer);
  ASSERT_TRUE(opened.status.ok());
  EXPECT_EQ(host.streams[opened.stream].opening, bytes("map"));
  host.stream_closed(opened.stream, ATLAS_E_GONE);
  EXPECT_EQ(role.ends, std::vector<atlas_status>{ATLAS_E_GONE});
  EXPECT_EQ(role.alive.use_count(), 1);
  host.stream_status = ATLAS_E_FULL;
  EXPECT_EQ(role.open(peer).status.code, ATLAS_E_FULL);
  host.stream_status = ATLAS_OK;
  EXPECT_EQ(role.open(peer + 100).status.code, ATLAS_E_GONE);
  EXPECT_EQ(role.alive.use_count(), 1) << "nothing waits";
}

TEST(StreamWrappers, AFullWriteIsToldAndRoomComesBack) {
  FakeHost host(kShouter);
  host.stream_room = 4;
  host.run();
  const atlas_stream stream = host.open_stream(5, 0x91, bytes("yes"));
  const atlas::Streams streams = Shouter::last->host_.streams();
  EXPECT_TRUE(streams.write(stream, std::string_view("abcd")).ok());
  EXPECT_EQ(streams.write(stream, std::string_view("e")).code, ATLAS_E_FULL);
  host.stream_acknowledged(stream);
  EXPECT_EQ(Shouter::last->whats, std::vector<std::uint32_t>{ATLAS_STREAM_WRITABLE});
  EXPECT_TRUE(streams.write(stream, std::string_view("e")).ok());
  EXPECT_EQ(text(host.streams.at(stream).written), "abcde");
}

TEST(StreamWrappers, EachSideIsGivenUpOnItsOwn) {
  FakeHost host(kShouter);
  host.run();
  const atlas_stream stream = host.open_stream(5, 0x91, bytes("yes"));
  const atlas::Streams streams = Shouter::last->host_.streams();
  EXPECT_TRUE(streams.stop(stream, 9).ok());
  EXPECT_TRUE(streams.write(stream, std::string_view("still")).ok());
  host.stream_data(stream, bytes("nobody hears this"));
  EXPECT_EQ(text(host.streams.at(stream).written), "still");
  EXPECT_TRUE(streams.reset(stream, 8).ok());
  EXPECT_EQ(streams.write(stream, std::string_view("x")).code, ATLAS_E_STATE);
  EXPECT_EQ(host.streams.at(stream).stopped, 9u);
  EXPECT_EQ(host.streams.at(stream).reset, 8u);
}

TEST(StreamWrappers, WhatAHandlerThrowsEndsThereAndItHearsOfTheEnd) {
  FakeHost host(kShouter);
  host.run();
  Shouter& role = *Shouter::last;
  const atlas_stream stream = host.open_stream(5, 0x91, bytes("yes"));
  role.throws = true;
  host.stream_data(stream, bytes("hello"));
  EXPECT_TRUE(host.logged("a stream event failed: thrown"));
  host.stream_closed(stream, ATLAS_OK);
  EXPECT_EQ(role.alive.use_count(), 1) << "freed, although it threw again";
}

TEST(StreamWrappers, StreamsEndWithTheirSessionAndWithTheRole) {
  FakeHost host(kShouter);
  host.run();
  Shouter& role = *Shouter::last;
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  role.open(peer);
  host.open_stream(peer, 0x91, bytes("yes"));
  host.open_stream(peer + 100, 0x91, bytes("yes"));
  host.lose_peer(peer);
  EXPECT_EQ(role.ends, (std::vector<atlas_status>{ATLAS_E_GONE, ATLAS_E_GONE}));
  const std::shared_ptr<int> alive = role.alive;
  EXPECT_EQ(alive.use_count(), 3);
  host.stop();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(StreamWrappers, WithoutTheTableEveryCallFails) {
  FakeHost fake(kShouter);
  fake.missing.insert(ATLAS_EXT_STREAMS);
  EXPECT_LT(fake.init(), 0);
  atlas::Host host(fake.c_host());
  const atlas::Streams streams = host.streams();
  EXPECT_EQ(streams.open(1, 0x91, "", [](const atlas::StreamEvent&) {}).status.code, ATLAS_E_STATE);
  for (const atlas::Status& status :
       {streams.write(1, "x"), streams.finish(1), streams.reset(1, 0), streams.stop(1, 0), streams.credit(1, 1)}) {
    EXPECT_EQ(status.code, ATLAS_E_STATE);
  }
}

}  // namespace
