// The examples of docs/write-a-plugin/capabilities, in C and in C++, do what their pages say: on the host for unit
// tests of the SDK, through the object that they export.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "atlas/msgpack.hpp"
#include "atlas/testing/fake_host.h"

namespace atlas::pages {
namespace {

using kit::Bytes;
using kit::FakeHost;

const Bytes kEmptyMap = {0x80};

// The role's file stays mapped, as it does in a node.
const atlas_plugin& example(const std::string& language, const std::string& name) {
  const std::string file = std::string(PAGE_EXAMPLES) + "/" + language + "/org.example." + name + ".so";
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const void* symbol = dlsym(library, "atlas_plugin_v1");
  if (symbol == nullptr) throw std::runtime_error(file + " exports no atlas_plugin_v1");
  return *static_cast<const atlas_plugin*>(symbol);
}

struct PageExample : ::testing::TestWithParam<std::string> {
  const atlas_plugin& role(const std::string& name) { return example(GetParam(), name); }
};
INSTANTIATE_TEST_SUITE_P(In, PageExample, ::testing::Values("c", "cc"), [](const auto& info) { return info.param; });

atlas_peer a_peer(FakeHost& host, std::uint64_t number = 1) {
  return host.connect_peer({.node_id = kit::node_id(number)});
}

msgpack::View field(const Bytes& body, std::string_view key) {
  return msgpack::MapView::of(body).find(key);
}

TEST_P(PageExample, PluginThrowsDice) {
  FakeHost host(role("plugin"));
  host.run();
  const atlas_peer peer = a_peer(host);
  std::set<std::int64_t> faces;
  for (int i = 0; i < 200; ++i) {
    const auto reply = host.deliver(peer, 0xc0, kEmptyMap);
    ASSERT_EQ(reply.type, 0xc1);
    faces.insert(field(reply.body, "face").i64().value_or(0));
  }
  EXPECT_EQ(faces, (std::set<std::int64_t>{1, 2, 3, 4, 5, 6}));
}

TEST_P(PageExample, MessagesAsksBack) {
  FakeHost host(role("messages"));
  host.run();
  const atlas_peer peer = a_peer(host);
  const auto first = host.deliver_open(peer, 0xc0, kEmptyMap);
  ASSERT_EQ(host.requests.size(), 1u);
  EXPECT_EQ(host.requests[0].type, 0xc2);
  EXPECT_EQ(host.requests[0].deadline_ms, host.now_ms + 5000);
  host.answer(host.requests[0], 0xc3, {0x81, 0xa1, 'x', 0x01});
  EXPECT_EQ(host.replies[first].type, 0xc1);
  EXPECT_EQ(host.replies[first].body, (Bytes{0x81, 0xa1, 'x', 0x01}));
  const auto second = host.deliver_open(peer, 0xc0, kEmptyMap);
  host.advance(5000);
  EXPECT_EQ(host.replies[second].error_code, std::uint32_t{ATLAS_ERROR_REJECTED});
  host.request_status = ATLAS_E_FULL;
  EXPECT_NE(host.deliver(peer, 0xc0, kEmptyMap).error_code, 0u);
}

TEST_P(PageExample, TimersCountsMinutes) {
  FakeHost host(role("timers"));
  host.run();
  host.advance(180'000);
  EXPECT_TRUE(host.logged("minute 3"));
  EXPECT_FALSE(host.logged("minute 4"));
  host.drain();
  host.advance(180'000);
  EXPECT_FALSE(host.logged("minute 4"));
}

TEST_P(PageExample, ConfigReadsItsKeys) {
  FakeHost host(role("config"));
  host.run();
  EXPECT_TRUE(host.logged("Hello, 100 a minute, 1500 ms apart, to 0 friends"));
  FakeHost other(role("config"));
  other.config = {{"greeting", "Good morning"},
                  {"limit", std::int64_t{7}},
                  {"pause", "2s"},
                  {"loud", true},
                  {"friends", std::vector<std::string>{"a", "b"}}};
  other.run();
  EXPECT_TRUE(other.logged("Good morning, 7 a minute, 2000 ms apart, to 2 friends, loudly"));
  EXPECT_TRUE(other.problems.empty());
  FakeHost wrong(role("config"));
  wrong.config = {{"greeting", std::string(65, 'x')}};
  wrong.init();
  ASSERT_EQ(wrong.problems.size(), 1u);
  EXPECT_EQ(wrong.problems[0], "greeting: 64 bytes at most");
}

TEST_P(PageExample, LogSaysWhoComesAndGoes) {
  FakeHost host(role("log"));
  host.run();
  const atlas_peer peer = a_peer(host, 5);
  EXPECT_TRUE(host.logged(kit::node_id(5) + " came"));
  host.lose_peer(peer);
  EXPECT_TRUE(host.logged(kit::node_id(5) + " went"));
}

TEST_P(PageExample, MetricsCounts) {
  FakeHost host(role("metrics"));
  host.run();
  const atlas_peer peer = a_peer(host);
  a_peer(host, 2);
  host.deliver(peer, 0xc0, kEmptyMap);
  host.lose_peer(peer);
  EXPECT_EQ(host.metric("requests"), 1);
  EXPECT_EQ(host.metric("sessions"), 1);
}

TEST_P(PageExample, PeersDialsAgain) {
  FakeHost host(role("peers"));
  host.config["friend"] = "192.0.2.7:4433";
  host.run();
  ASSERT_EQ(host.dials.size(), 1u);
  EXPECT_EQ(host.dials[0].target, "192.0.2.7:4433");
  host.finish_dial(host.dials[0], {.node_id = kit::node_id(7), .address = "192.0.2.7:4433"});
  EXPECT_TRUE(host.logged("my friend is at 192.0.2.7:4433"));
  host.lose_peer(host.peers.begin()->first);
  ASSERT_EQ(host.dials.size(), 1u);
  host.fail_dial(host.dials[0], ATLAS_E_UNREACHABLE, "no address answered");
  EXPECT_TRUE(host.logged("nobody there: no address answered"));
  FakeHost alone(role("peers"));
  alone.run();
  EXPECT_TRUE(alone.dials.empty());
}

TEST_P(PageExample, StoreCountsItsStarts) {
  std::map<Bytes, Bytes> rows;
  for (const char* line : {"start 1 is on disk", "start 2 is on disk"}) {
    FakeHost host(role("store"));
    host.rows = rows;
    host.run();
    EXPECT_TRUE(host.logged(line));
    rows = host.rows;
  }
  FakeHost host(role("store"));
  host.commit_status = ATLAS_E_FULL;
  host.run();
  EXPECT_TRUE(host.logged("start 1 is not on disk"));
}

TEST_P(PageExample, CliThrowsDice) {
  FakeHost host(role("cli"));
  host.run();
  for (int i = 0; i < 50; ++i) {
    const auto call = host.run_command("roll", {{"--sides", "20"}});
    const auto& it = host.calls.at(call);
    ASSERT_TRUE(it.finished && it.status == ATLAS_OK && it.result);
    int face = 0;
    ASSERT_EQ(std::sscanf(it.result->c_str(), "{\"face\":%d}", &face), 1) << *it.result;
    EXPECT_TRUE(face >= 1 && face <= 20) << face;
  }
  EXPECT_EQ(host.calls.at(host.run_command("roll", {{"--sides", "1"}})).status, ATLAS_E_ARG);
  EXPECT_EQ(host.calls.at(host.run_command("roll", {})).status, ATLAS_OK);
}

TEST_P(PageExample, BusAddsAndAsks) {
  FakeHost host(role("bus"));
  host.run();
  EXPECT_EQ(host.bus_request("org.example.bus/add", "other", {}).body, Bytes{1});
  EXPECT_EQ(host.bus_request("org.example.bus/add", "other", {}).body, Bytes{2});
  ASSERT_EQ(host.published.size(), 2u);
  EXPECT_EQ(host.published[1].topic, "org.example.bus/sum");
  EXPECT_EQ(host.published[1].body, Bytes{2});
  host.bus_event("org.example.weather/changed", {});
  ASSERT_EQ(host.bus_requests.size(), 1u);
  EXPECT_EQ(host.bus_requests[0].service, "org.example.weather/now");
  host.answer_bus(host.bus_requests[0], ATLAS_E_GONE, {});
  EXPECT_TRUE(host.logged("no weather"));
}

TEST_P(PageExample, IdentitySignsAndVerifies) {
  FakeHost host(role("identity"));
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = kit::node_id(1), .key = host.self_key});
  const auto reply = host.deliver(peer, 0xc0, kEmptyMap);
  Bytes signature;
  ASSERT_TRUE(field(reply.body, "signature").bytes(signature, 64));
  ASSERT_EQ(signature.size(), 64u);
  const auto good = [&](const Bytes& body) {
    msgpack::Writer out;
    out.map(2).text("signature").bin(signature).text("body").bin(body);
    return field(host.deliver(peer, 0xc2, {out.bytes().begin(), out.bytes().end()}).body, "good").boolean();
  };
  EXPECT_EQ(good({0x81, 0x01, 0x02}), false);
  signature.front() ^= 1;
  EXPECT_EQ(good(kEmptyMap), false);
  signature.front() ^= 1;
  EXPECT_EQ(good(kEmptyMap), true);
}

TEST_P(PageExample, ListenerSaysHowOthersSeeIt) {
  FakeHost host(role("listener"));
  host.run();
  host.change_listener({});
  EXPECT_TRUE(host.logged("nobody has said how they see us"));
  host.change_listener({.public_address = "192.0.2.1:4433"});
  EXPECT_TRUE(host.logged("others see us as 192.0.2.1:4433"));
}

TEST_P(PageExample, StreamsSendsBackAsFastAsItIsRead) {
  FakeHost host(role("streams"));
  host.run();
  const atlas_stream stream = host.open_stream(a_peer(host), 0xc0, kEmptyMap);
  ASSERT_NE(stream, 0u);
  host.stream_room = 20'000;
  Bytes all;
  for (int i = 0; i < 3; ++i) {
    const Bytes piece(16'384, static_cast<std::uint8_t>('a' + i));
    all.insert(all.end(), piece.begin(), piece.end());
    host.stream_data(stream, piece, i == 2);
  }
  EXPECT_EQ(host.streams[stream].written.size(), 16'384u);
  EXPECT_EQ(host.streams[stream].delivered, 2 * 16'384u) << "what was not written may not be credited";
  EXPECT_FALSE(host.streams[stream].finished);
  host.stream_room = 1 << 20;
  host.stream_event(stream, ATLAS_STREAM_WRITABLE);
  EXPECT_EQ(host.streams[stream].written, all);
  EXPECT_EQ(host.streams[stream].delivered, 0u);
  EXPECT_TRUE(host.streams[stream].finished);
  host.stream_closed(stream);
  const atlas_stream other = host.open_stream(host.peers.begin()->first, 0xc0, kEmptyMap);
  host.stream_event(other, ATLAS_STREAM_RESET, 9);
  EXPECT_EQ(host.streams[other].reset, 9u);
}

TEST_P(PageExample, ProtocolsServesTheOnePeerItKnows) {
  char folder[] = "/tmp/atlas-pages-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string at = folder;
  const auto write = [&](const std::string& name, std::string_view content) {
    std::ofstream(at + "/" + name, std::ios::binary) << content;
    return at + "/" + name;
  };
  {
    FakeHost host(role("protocols"));
    host.config = {{"certificate", write("own", "own")}, {"key", write("key", "key")}, {"peer", write("peer", "peer")}};
    host.run();
    EXPECT_EQ(host.present("example/1", "192.0.2.1:7", {Bytes{'x'}}), 0u);
    const atlas_connection connection = host.present("example/1", "192.0.2.1:7", {Bytes{'p', 'e', 'e', 'r'}});
    ASSERT_NE(connection, 0u);
    EXPECT_EQ(host.connections.at(connection).identity, (Bytes{'f', 'r', 'i', 'e', 'n', 'd'}));
    const atlas_stream stream = host.open_connection_stream(connection);
    EXPECT_EQ(host.streams[stream].written, (Bytes{'h', 'e', 'l', 'l', 'o', '\n'}));
    EXPECT_TRUE(host.streams[stream].finished && host.streams[stream].stopped);
    host.connection_down(connection, ATLAS_CLOSED_PEER, 0, "");
  }
  FakeHost without(role("protocols"));
  without.run();
  EXPECT_TRUE(without.logged("nobody is served"));
  std::filesystem::remove_all(folder);
}

TEST_P(PageExample, RoutesJoinsPeersTwoByTwo) {
  FakeHost host(role("routes"));
  host.run();
  a_peer(host, 1);
  EXPECT_TRUE(host.routes.empty());
  a_peer(host, 2);
  ASSERT_EQ(host.routes.size(), 1u);
  const atlas_route route = host.routes.begin()->first;
  EXPECT_EQ(host.routes[route].options.idle_ms, 120'000u);
  EXPECT_EQ(host.routes[route].options.bytes_per_second, 1u << 20);
  host.routes[route].counters.bytes_to_a = 40;
  host.routes[route].counters.bytes_to_b = 2;
  const atlas_peer third = a_peer(host, 3);
  host.lose_peer(third);
  host.end_route(route, ATLAS_ROUTE_IDLE);
  EXPECT_TRUE(host.logged("a pair ended (2) after 42 bytes"));
  a_peer(host, 4);
  EXPECT_TRUE(host.routes.empty()) << "the third has gone: nobody waits for the fourth";
}

}  // namespace
}  // namespace atlas::pages
