// Keeps a session with one friend: dials it at the start, and again when the session has ended.
#include <atlas/plugin.hpp>

class Friend {
 public:
  explicit Friend(atlas::Setup& setup) : host_(setup.host()) {
    friend_ = setup.config().text("friend", "", "ip:port or node id of the peer that is dialled.");
  }

  void start() { dial(); }

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what != ATLAS_PEER_DOWN || event.peer != session_) return;
    session_ = 0;
    dial();
  }

 private:
  void dial() {
    if (friend_.empty()) return;
    host_.connect(friend_, std::chrono::seconds(10), [this](const atlas::Connected& result) {
      if (!result.status) return host_.info("nobody there: ", result.why(friend_));
      session_ = result.peer;  // a number; stale once the session has ended
      if (const auto info = host_.peers().info(session_)) host_.info("my friend is at ", info->address);
    });
  }

  atlas::Host& host_;
  std::string friend_;
  atlas::Peer session_ = 0;
};

ATLAS_PLUGIN(Friend, "org.example.peers", "1.0.0", "Keeps a session with one friend.", ATLAS_EXT_PEERS);
