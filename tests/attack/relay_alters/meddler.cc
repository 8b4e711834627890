#include "attack/relay_alters/meddler.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string_view>

namespace atlas::attack {
namespace {

std::uint64_t digest(base::ByteView bytes) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

Meddler::Meddler(sim::SimWorld& world, const sim::SimNode& relay)
    : world_(world), relay_(relay), random_(sim::mix(world.seed(), 34)) {
  world_.on_departure([this](sim::InTransit& datagram) { return pass(datagram); });
}

bool Meddler::pass(sim::InTransit& datagram) {
  if (datagram.to == &relay_) came_.insert(digest(datagram.data));
  if (datagram.from != &relay_ || !came_.contains(digest(datagram.data))) return true;
  forwarded_.push_back(datagram);
  if (!habit_) return true;
  const bool goes = habit_(*this, datagram);
  if (!goes) ++kept_back;
  if (goes && datagram.data != forwarded_.back().data) ++altered;
  return goes;
}

void Meddler::send(const sim::InTransit& datagram, base::MonoNs delay) {
  ++sent_besides;
  world_.inject(datagram, delay);
}

const sim::InTransit* Meddler::before(const sim::InTransit& datagram, std::size_t distance) const {
  for (std::size_t at = forwarded_.size(); at > 0; --at) {
    if (forwarded_[at - 1].to == datagram.to && distance-- == 0) return &forwarded_[at - 1];
  }
  return nullptr;
}

Meddler::Habit flips(std::uint64_t one_in, std::size_t within) {
  return [=](Meddler& meddler, sim::InTransit& datagram) {
    if (meddler.random().below(one_in) != 0) return true;
    const std::size_t most = within == 0 ? datagram.data.size() : std::min(within, datagram.data.size());
    const std::uint64_t bit = meddler.random().below(most * 8);
    datagram.data[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    return true;
  };
}

Meddler::Habit cuts_and_pads(std::uint64_t one_in) {
  return [=](Meddler& meddler, sim::InTransit& datagram) {
    if (meddler.random().below(one_in) == 0) datagram.data.resize(1 + meddler.random().below(datagram.data.size()));
    if (meddler.random().below(one_in) == 0)
      datagram.data.resize(datagram.data.size() + 1 + meddler.random().below(40));
    return true;
  };
}

Meddler::Habit drops(std::uint64_t one_in) {
  return [=](Meddler& meddler, sim::InTransit&) { return meddler.random().below(one_in) != 0; };
}

Meddler::Habit repeats(std::vector<base::MonoNs> delays) {
  return [delays = std::move(delays)](Meddler& meddler, sim::InTransit& datagram) {
    for (const base::MonoNs delay : delays) meddler.send(datagram, Meddler::kLatency + delay);
    return true;
  };
}

Meddler::Habit replays(std::vector<std::size_t> distances) {
  return [distances = std::move(distances)](Meddler& meddler, sim::InTransit& datagram) {
    for (const std::size_t distance : distances) {
      const sim::InTransit* earlier = meddler.before(datagram, distance);
      if (earlier != nullptr) meddler.send(*earlier);
    }
    return true;
  };
}

Meddler::Habit holds(std::uint64_t one_in, std::vector<std::size_t> distances) {
  struct Held {
    sim::InTransit datagram;
    std::size_t others;  // that still have to overtake it
  };
  return [=, held = std::make_shared<std::vector<Held>>()](Meddler& meddler, sim::InTransit& datagram) {
    for (auto& one : *held) {
      if (one.datagram.to == datagram.to && --one.others == 0) meddler.send(one.datagram, Meddler::kLatency + 1);
    }
    std::erase_if(*held, [](const Held& one) { return one.others == 0; });
    if (meddler.random().below(one_in) != 0) return true;
    held->push_back({datagram, distances[meddler.random().below(distances.size())]});
    return false;
  };
}

Meddler::Habit reverses(std::size_t count) {
  using Waiting = std::map<const sim::SimNode*, std::vector<sim::InTransit>>;
  return [count, all = std::make_shared<Waiting>()](Meddler& meddler, sim::InTransit& datagram) {
    auto& waiting = (*all)[datagram.to];
    waiting.push_back(datagram);
    if (waiting.size() < count) return false;
    base::MonoNs delay = Meddler::kLatency;
    for (auto one = waiting.rbegin(); one != waiting.rend(); ++one) meddler.send(*one, delay++);
    waiting.clear();
    return false;
  };
}

Meddler::Habit reflects() {
  return [](Meddler& meddler, sim::InTransit& datagram) {
    // Whoever sent it is whom the last one in the other direction went to.
    const auto& all = meddler.forwarded();
    const auto other = std::ranges::find_if(all.rbegin(), all.rend(),
                                            [&](const sim::InTransit& one) { return one.to != datagram.to; });
    if (other == all.rend()) return true;
    sim::InTransit back = *other;
    back.data = datagram.data;
    meddler.send(back);
    return true;
  };
}

Meddler::Habit all_of(std::vector<Meddler::Habit> habits) {
  return [habits = std::move(habits)](Meddler& meddler, sim::InTransit& datagram) {
    return std::ranges::all_of(habits, [&](const Meddler::Habit& habit) { return habit(meddler, datagram); });
  };
}

}  // namespace atlas::attack
