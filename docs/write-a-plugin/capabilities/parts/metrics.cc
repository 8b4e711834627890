// Answers 0xc0 and counts: requests ever, sessions now.
#include <atlas/plugin.hpp>

class Counted {
 public:
  explicit Counted(atlas::Setup& setup) {
    requests_ = setup.counter("requests", "Requests answered.");
    sessions_ = setup.gauge("sessions", "Peers that are here.");
    setup.on(0xc0, &Counted::on_request);
  }

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what == ATLAS_PEER_UP) sessions_.add(1);
    if (event.what == ATLAS_PEER_DOWN) sessions_.add(-1);
  }

 private:
  void on_request(const atlas::Incoming& request) {
    requests_.add();
    static_cast<void>(request.reply(0xc1, request.body));
  }

  atlas::Counter requests_;
  atlas::Gauge sessions_;
};

ATLAS_PLUGIN(Counted, "org.example.metrics", "1.0.0", "Answers and counts.", ATLAS_EXT_MESSAGES, ATLAS_EXT_METRICS);
