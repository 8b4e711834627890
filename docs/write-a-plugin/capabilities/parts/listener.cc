// Says in the log how others see this node, whenever that changes.
#include <atlas/plugin.hpp>

class Mirror {
 public:
  explicit Mirror(atlas::Setup& setup) : host_(setup.host()) { setup.watch_listener(&Mirror::on_change); }

 private:
  void on_change() {
    const auto listener = host_.listener();
    if (!listener) return;
    if (listener->public_address.empty()) return host_.info("nobody has said how they see us");
    host_.info("others see us as ", listener->public_address);
  }

  atlas::Host& host_;
};

ATLAS_PLUGIN(Mirror, "org.example.listener", "1.0.0", "Says how others see this node.", ATLAS_EXT_LISTENER);
