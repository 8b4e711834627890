// A relay that does not leave what it forwards alone: it stands where the datagrams leave the relay, knows which of
// them it forwards (they leave as they came), and has bad habits. Its own sessions with the agents it leaves in peace.
// One thread, that of the simulation.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_set>
#include <vector>

#include "sim/sim_world.h"

namespace atlas::attack {

class Meddler {
 public:
  // What is done to a forwarded datagram on its way out; false keeps it back.
  using Habit = std::function<bool(Meddler&, sim::InTransit&)>;

  Meddler(sim::SimWorld& world, const sim::SimNode& relay);
  ~Meddler() { world_.on_departure({}); }

  void take_up(Habit habit) { habit_ = std::move(habit); }
  void leave_off() { habit_ = {}; }
  // Sends one besides, so long after now.
  void send(const sim::InTransit& datagram, base::MonoNs delay = kLatency);
  // Forwarded so many datagrams before this one, in the same direction; null when there was none. 0 is this one.
  const sim::InTransit* before(const sim::InTransit& datagram, std::size_t distance) const;

  sim::SimRandom& random() { return random_; }
  // All that was forwarded, in order, as it came from the agents.
  const std::vector<sim::InTransit>& forwarded() const { return forwarded_; }
  std::uint64_t altered = 0, kept_back = 0, sent_besides = 0;

  static constexpr base::MonoNs kLatency = 10 * base::kMillisecond;

 private:
  bool pass(sim::InTransit& datagram);

  sim::SimWorld& world_;
  const sim::SimNode& relay_;
  sim::SimRandom random_;
  Habit habit_;
  std::unordered_set<std::uint64_t> came_;  // digests of what agents sent to the relay
  std::vector<sim::InTransit> forwarded_;
};

// Every so many datagrams (1: each) one bit is turned over among the first `within` bytes; 0: anywhere.
Meddler::Habit flips(std::uint64_t one_in, std::size_t within = 0);
// One in so many loses its end, and one in so many gains bytes at its end.
Meddler::Habit cuts_and_pads(std::uint64_t one_in);
Meddler::Habit drops(std::uint64_t one_in);
// Each comes again, so much later.
Meddler::Habit repeats(std::vector<base::MonoNs> delays);
// With each comes again the one of so many datagrams before it.
Meddler::Habit replays(std::vector<std::size_t> distances);
// One in so many is overtaken by that many others; which of the distances is chance.
Meddler::Habit holds(std::uint64_t one_in, std::vector<std::size_t> distances);
// Of each so many the order is turned round.
Meddler::Habit reverses(std::size_t count);
// Each also goes back to where it came from.
Meddler::Habit reflects();
// One after the other, until one keeps the datagram back.
Meddler::Habit all_of(std::vector<Meddler::Habit> habits);

}  // namespace atlas::attack
