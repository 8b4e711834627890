// Says who comes and goes.
#include <atlas/plugin.hpp>

class Porter {
 public:
  explicit Porter(atlas::Setup& setup) : host_(setup.host()) {}

  void on_peer(const atlas::PeerEvent& event) {
    const char* what = event.what == ATLAS_PEER_UP ? "came" : event.what == ATLAS_PEER_DOWN ? "went" : "moved";
    host_.info(event.node_id, " ", what);
  }

 private:
  atlas::Host& host_;
};

ATLAS_PLUGIN(Porter, "org.example.log", "1.0.0", "Says who comes and goes.", ATLAS_EXT_LOG);
