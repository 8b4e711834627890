// A host for plugins that use everything: two peers, a key, and a neighbour plugin that serves and publishes on the
// bus.
#pragma once

#include <dlfcn.h>

#include "host/ext.h"
#include "identity/node_key.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {

inline const std::string kPeer = "atlas_" + std::string(64, 'd');

// The object that a plugin's file exports; null when there is none.
inline const ::atlas_plugin* exported_by(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  return library == nullptr ? nullptr : static_cast<const ::atlas_plugin*>(dlsym(library, "atlas_plugin_v1"));
}

class EveryTest : public HostTest {
 protected:
  EveryTest() : key(identity::NodeKey::generate(random)) {
    network.add_peer(7, kPeer);
    network.add_peer(8, "atlas_" + std::string(64, 'e'));
    script.id = "neighbour";
    script.init = [this] {
      const auto& bus = *script.table<atlas_ext_bus>(ATLAS_EXT_BUS);
      const atlas_status offered =
          bus.offer(script.host, {"neighbour/echo", 14}, [](void* self, const atlas_bus_request* request) {
            const Script& me = *static_cast<Script*>(self);
            return me.table<atlas_ext_bus>(ATLAS_EXT_BUS)->answer(me.host, request->call, request->body);
          });
      return offered < 0 ? offered : script.messages().handle(script.host, 0x90, 0, handle_message);
    };
    script.handler = [](const atlas_message&) { return ATLAS_OK; };
  }
  ~EveryTest() override { host.reset(); }

  // The neighbour, what is linked beside it, and what is in files.
  std::vector<config::Problem> load_with(const std::vector<const ::atlas_plugin*>& linked,
                                         const std::vector<std::string>& ids = {}) {
    HostSetup with = setup();
    with.key = &key;
    with.search = {ABI_PLUGIN_DIR};
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(script);
    host->add_linked(&descriptors[0]);
    for (const ::atlas_plugin* plugin : linked) host->add_linked(plugin);
    return host->load(ids);
  }
  void publish_news() {
    const auto& bus = *script.table<atlas_ext_bus>(ATLAS_EXT_BUS);
    EXPECT_EQ(bus.publish(script.host, {"neighbour/news", 14}, {}, nullptr), ATLAS_OK);
    settle();
  }

  identity::NodeKey key;
};

}  // namespace atlas::host::test
