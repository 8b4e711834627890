#include "bench/load.h"

#include <stdexcept>

namespace atlas::bench {

Load run_load(Swarm& swarm, std::size_t peers, std::size_t in_flight, base::MonoNs span, std::uint8_t type,
              std::uint8_t expected, const std::function<base::Bytes(Peer&)>& payload) {
  Load load;
  bool over = false;
  std::size_t open = 0;
  std::function<void(Peer&)> next = [&](Peer& peer) {
    ++open;
    peer.request(type, payload(peer), [&, raw = &peer](std::uint8_t got, base::ByteView, base::MonoNs round_trip) {
      --open;
      ++load.done;
      if (got != expected) ++load.wrong;
      if (load.round_trips.size() < 2'000'000) load.round_trips.push_back(round_trip);
      if (!over) {
        next(*raw);
      } else if (open == 0) {
        swarm.stop();
      }
    });
  };
  for (std::size_t i = 0; i < in_flight; ++i) next(swarm.peer(i % peers));
  swarm.after(span, [&] { over = true; });
  if (!swarm.run_for(span + 30 * base::kSecond)) throw std::runtime_error("requests were left without an answer");
  return load;
}

}  // namespace atlas::bench
