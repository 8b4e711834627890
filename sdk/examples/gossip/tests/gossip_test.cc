// The gossip role without a network: what is newer wins, what is told is told on, and what makes no sense is refused.
#include <atlas/testing/fake_host.h>
#include <atlas/msgpack.hpp>

#include <cstdio>

using atlas::kit::Bytes;
using atlas::kit::FakeHost;

static int failures = 0;
#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                          \
    }                                                                      \
  } while (false)

static Bytes entry(std::string_view key, std::string_view value, std::uint64_t version) {
  atlas::msgpack::Writer out;
  out.map(1).text("entries").array(1).map(4).text("key").text(key).text("value").text(value);
  out.text("version").integer(version).text("origin").text("atlas_a");
  return {out.bytes().begin(), out.bytes().end()};
}

static std::string shown(FakeHost& host, const std::string& path, const std::map<std::string, std::string>& args) {
  const auto& call = host.calls.at(host.run_command(path, args));
  return call.result.value_or(call.finished ? "nothing" : "waits");
}

static void the_newer_value_wins() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(host.deliver(peer, 0xc4, entry("colour", "red", 2)).type == 0xc5);
  host.deliver(peer, 0xc4, entry("colour", "green", 1));
  CHECK(shown(host, "kv get", {{"key", "colour"}}) == R"({"key":"colour","value":"red"})");
  host.deliver(peer, 0xc4, entry("colour", "blue", 3));
  CHECK(shown(host, "kv get", {{"key", "colour"}}) == R"({"key":"colour","value":"blue"})");
  CHECK(host.metric("merged") == 2);
}

static void refuses_what_makes_no_sense() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(host.deliver(peer, 0xc4, {0x80}).error_code == ATLAS_ERROR_REJECTED);
  CHECK(host.deliver(peer, 0xc4, entry(std::string(65, 'k'), "long", 1)).type == 0xc5);
  CHECK(shown(host, "kv get", {{"key", std::string(65, 'k')}}) == "nothing");
}

static void tells_its_peers() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  host.connect_peer({.node_id = atlas::kit::node_id(1), .dialled = true});
  CHECK(host.requests.size() == 1);
  host.answer(host.requests.at(0), 0xc5, entry("colour", "red", 7));
  host.responder = [](const auto&) { return atlas::kit::FakeReply{true, 0xc5, {0x80}, 0, ""}; };
  CHECK(shown(host, "kv set", {{"key", "colour"}, {"value", "a \"b\""}}) == R"({"key":"colour","told":0})");
  CHECK(shown(host, "kv get", {{"key", "colour"}}) == R"({"key":"colour","value":"a \"b\""})");
  host.advance(60'000);
  CHECK(host.requests.empty());
}

static void a_round_ends_with_the_role() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  host.connect_peer({.node_id = atlas::kit::node_id(1)});
  host.advance(30'000);
  CHECK(host.requests.size() == 1);
  host.stop();
  CHECK(host.requests.empty());
}

int main() {
  the_newer_value_wins();
  refuses_what_makes_no_sense();
  tells_its_peers();
  a_round_ends_with_the_role();
  std::puts(failures == 0 ? "all passed" : "FAILED");
  return failures != 0;
}
