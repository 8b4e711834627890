// The counter service without a network: sums, what it refuses, and that an answer waits for the disk.
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

static Bytes add(std::string_view name, std::int64_t value) {
  atlas::msgpack::Writer out;
  out.map(2).text("name").text(name).text("add").integer(value);
  return {out.bytes().begin(), out.bytes().end()};
}

static std::int64_t sum_in(const atlas::kit::FakeReply& reply) {
  return atlas::msgpack::MapView::of(reply.body).find("value").i64().value_or(-1);
}

static void adds_up() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(sum_in(host.deliver(peer, 0xc2, add("apples", 3))) == 3);
  CHECK(sum_in(host.deliver(peer, 0xc2, add("apples", -1))) == 2);
  CHECK(host.metric("additions") == 2);
  CHECK(host.metric("counters") == 1);
  const auto call = host.run_command("counters", {});
  CHECK(host.calls.at(call).rows.at(0) == "{\"name\":\"apples\",\"value\":2}");
}

static void refuses_what_it_cannot_add() {
  FakeHost host(atlas_plugin_v1);
  host.config["max_counters"] = std::int64_t{1};
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(host.deliver(peer, 0xc2, {0x80}).error_code == ATLAS_ERROR_REJECTED);
  CHECK(sum_in(host.deliver(peer, 0xc2, add("apples", INT64_MAX))) == INT64_MAX);
  CHECK(host.deliver(peer, 0xc2, add("apples", 1)).error_code == ATLAS_ERROR_REJECTED);
  CHECK(host.deliver(peer, 0xc2, add("pears", 1)).error_code == ATLAS_ERROR_REJECTED);
}

static void goes_on_where_it_ended() {
  std::map<Bytes, Bytes> rows;
  for (std::int64_t round = 1; round <= 2; ++round) {
    FakeHost host(atlas_plugin_v1);
    host.rows = rows;
    host.run();
    const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
    CHECK(sum_in(host.deliver(peer, 0xc2, add("apples", 5))) == 5 * round);
    rows = host.rows;
  }
}

static void tells_when_the_disk_did_not_take_it() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  host.commit_status = ATLAS_E_FULL;
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(host.deliver(peer, 0xc2, add("apples", 1)).error_code == ATLAS_ERROR_INTERNAL);
}

int main() {
  adds_up();
  refuses_what_it_cannot_add();
  goes_on_where_it_ended();
  tells_when_the_disk_did_not_take_it();
  std::puts(failures == 0 ? "all passed" : "FAILED");
  return failures != 0;
}
