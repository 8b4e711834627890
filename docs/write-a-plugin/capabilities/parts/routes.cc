// Forwards between peers: the first that comes is joined with the second, the third with the fourth.
#include <atlas/plugin.hpp>

#include <utility>

class Joiner {
 public:
  explicit Joiner(atlas::Setup& setup) : host_(setup.host()) {}

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what == ATLAS_PEER_DOWN && event.peer == waiting_) waiting_ = 0;
    if (event.what != ATLAS_PEER_UP) return;  // a pair ends with its sessions, by itself
    if (waiting_ == 0) {
      waiting_ = event.peer;
    } else {
      join(std::exchange(waiting_, 0), event.peer);
    }
  }

 private:
  void join(atlas::Peer a, atlas::Peer b) {
    const atlas::RouteOptions options{std::chrono::minutes(2), 1 << 20};  // idle time, bytes a second
    const auto pair = host_.routes().add(a, b, options, [this](const atlas::RouteEnded& ended) {
      host_.info("a pair ended (", ended.why, ") after ", ended.last.bytes_to_a + ended.last.bytes_to_b, " bytes");
    });
    if (!pair.status) return host_.info("no pair: status ", pair.status.code);
    // Each of the two is told the prefix that leads to the other: how, is the plugin's own message.
    host_.info("a pair of routes to ", pair.to_a[0], " and ", pair.to_b[0]);
  }

  atlas::Host& host_;
  atlas::Peer waiting_ = 0;
};

ATLAS_PLUGIN(Joiner, "org.example.routes", "1.0.0", "Forwards between peers.", ATLAS_EXT_ROUTES);
