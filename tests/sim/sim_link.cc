#include "sim/sim_link.h"

#include <algorithm>
#include <bit>

namespace atlas::sim {
namespace {

constexpr std::size_t kHeaderBytes = 28;  // IPv4 and UDP, which a limited link carries as well

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t state = a ^ std::rotl(b, 32) * 0x9fb21c651e98df25;
  return splitmix(state);
}

SimRandom::SimRandom(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = splitmix(seed);
}

std::uint64_t SimRandom::next() {
  const std::uint64_t out = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return out;
}

bool SimRandom::chance(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
}

SimLink::Verdict SimLink::judge(const LinkPolicy& policy, std::size_t bytes, base::MonoNs now) {
  if (bytes > policy.largest) return {.fate = Fate::kTooLarge};
  base::MonoNs leaves = now;
  if (policy.bytes_per_second != 0) {
    const base::MonoNs start = std::max(now, line_free_);
    const auto waiting = static_cast<double>(start - now) * static_cast<double>(policy.bytes_per_second) / 1e9;
    if (waiting > static_cast<double>(policy.queue_bytes)) return {.fate = Fate::kQueueFull};
    leaves = line_free_ = start + (bytes + kHeaderBytes) * base::kSecond / policy.bytes_per_second;
  }
  if (random_.chance(policy.drop)) return {.fate = Fate::kLost};

  Verdict verdict;
  verdict.arrival = leaves + policy.latency + (policy.jitter == 0 ? 0 : random_.below(policy.jitter + 1));
  verdict.arrival = std::max(verdict.arrival, last_arrival_);
  if (random_.chance(policy.reorder)) {
    verdict.arrival += policy.reorder_by;
  } else {
    last_arrival_ = verdict.arrival;
  }
  if (random_.chance(policy.duplicate)) verdict.second_arrival = verdict.arrival + random_.below(base::kMillisecond);
  if (bytes != 0 && random_.chance(policy.corrupt)) verdict.corrupt_bit = random_.below(bytes * 8);
  return verdict;
}

}  // namespace atlas::sim
