#include "quic/tombstone.h"

#include <algorithm>

namespace atlas::quic {

bool Tombstone::answers(const net::SocketAddress& from, std::size_t bytes) {
  if (epitaph_.packet.empty() || from != epitaph_.remote) return false;
  if (++heard_ < next_answer_) return false;
  if (epitaph_.packet.size() > bytes * 3) return false;
  next_answer_ = heard_ * 2;
  return true;
}

void Tombstone::on_expire(base::MonoNs) {
  on_end_(*this);
}

Graveyard::~Graveyard() {
  for (const auto& tombstone : tombstones_) timers_.remove(*tombstone);
}

void Graveyard::bury(Tombstone::Epitaph epitaph, base::MonoNs until) {
  if (tombstones_.size() >= kMostTombstones) return;
  auto tombstone = std::make_unique<Tombstone>(std::move(epitaph), [this](Tombstone& gone) { end(gone); });
  for (const ServerId& id : tombstone->epitaph().ids) ids_.insert(id, tombstone.get());
  if (tombstone->epitaph().first_id[0] > 0) first_ids_.insert(tombstone->epitaph().first_id, tombstone.get());
  timers_.set(*tombstone, until);
  tombstones_.push_back(std::move(tombstone));
}

void Graveyard::end(Tombstone& tombstone) {
  for (const ServerId& id : tombstone.epitaph().ids) ids_.erase(id, &tombstone);
  if (tombstone.epitaph().first_id[0] > 0) first_ids_.erase(tombstone.epitaph().first_id, &tombstone);
  const auto found = std::ranges::find(tombstones_, &tombstone, &std::unique_ptr<Tombstone>::get);
  ended_.push_back(std::move(*found));
  *found = std::move(tombstones_.back());
  tombstones_.pop_back();
}

}  // namespace atlas::quic
