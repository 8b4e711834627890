// @id@ without a network: the host of the SDK drives it in this thread, on virtual time.
#include <atlas/testing/fake_host.h>

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

static const Bytes kHello = {0x81, 0xa2, 'h', 'i', 0x01};  // {"hi": 1}

static void answers_what_it_is_sent() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  const auto reply = host.deliver(peer, 0xc0, kHello);
  CHECK(reply.type == 0xc1);
  CHECK(reply.body == kHello);
  CHECK(host.metric("answered") == 1);
}

static void refuses_what_is_too_large() {
  FakeHost host(atlas_plugin_v1);
  host.config["max_bytes"] = std::int64_t{4};
  host.run();
  const atlas_peer peer = host.connect_peer({.node_id = atlas::kit::node_id(1)});
  CHECK(host.deliver(peer, 0xc0, kHello).error_code == ATLAS_ERROR_REJECTED);
  CHECK(host.metric("answered") == 0);
}

static void tells_how_many_it_answered() {
  FakeHost host(atlas_plugin_v1);
  host.run();
  const auto call = host.run_command("@command@", {});
  CHECK(host.calls.at(call).finished);
  CHECK(host.calls.at(call).result == "{\"answered\":0}");
}

int main() {
  answers_what_it_is_sent();
  refuses_what_is_too_large();
  tells_how_many_it_answered();
  std::puts(failures == 0 ? "all passed" : "FAILED");
  return failures != 0;
}
