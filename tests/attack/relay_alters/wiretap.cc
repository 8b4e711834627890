#include "attack/relay_alters/wiretap.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace atlas::attack {
namespace {

std::uint64_t piece_at(const void* bytes) {
  std::uint64_t piece = 0;
  std::memcpy(&piece, bytes, sizeof piece);
  return piece;
}

}  // namespace

void Search::add(const std::string& name, std::string_view secret) {
  for (std::size_t at = 0; at + kPiece <= secret.size(); ++at) names_.emplace(piece_at(secret.data() + at), name);
}

void Search::note(base::ByteView bytes, std::map<std::string, std::vector<std::uint64_t>>& found) const {
  for (std::size_t at = 0; at + kPiece <= bytes.size(); ++at) {
    const auto known = names_.find(piece_at(bytes.data() + at));
    if (known != names_.end()) found[known->second].push_back(known->first);
  }
}

std::map<std::string, std::size_t> Search::counted(std::map<std::string, std::vector<std::uint64_t>>& found) {
  std::map<std::string, std::size_t> out;
  for (auto& [name, pieces] : found) out[name] = std::set(pieces.begin(), pieces.end()).size();
  return out;
}

std::map<std::string, std::size_t> Search::in(base::ByteView bytes) const {
  std::map<std::string, std::vector<std::uint64_t>> found;
  note(bytes, found);
  return counted(found);
}

std::map<std::string, std::size_t> Search::in(const std::vector<base::Bytes>& all) const {
  std::map<std::string, std::vector<std::uint64_t>> found;
  for (const auto& bytes : all) note(bytes, found);
  return counted(found);
}

std::size_t Search::pieces(const std::string& name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(names_, [&](const auto& entry) { return entry.second == name; }));
}

Wiretap::Wiretap(sim::SimWorld& world, const sim::SimNode& node) : world_(world) {
  world_.on_departure([this, tapped = &node](sim::InTransit& datagram) {
    if (datagram.to == tapped) arrived_.push_back(datagram.data);
    if (datagram.from == tapped) left_.push_back(datagram.data);
    return true;
  });
}

std::vector<base::Bytes> Wiretap::all() const {
  std::vector<base::Bytes> out = arrived_;
  out.insert(out.end(), left_.begin(), left_.end());
  return out;
}

std::size_t Wiretap::forwarded() const {
  const std::set<base::Bytes> came(arrived_.begin(), arrived_.end());
  return static_cast<std::size_t>(std::ranges::count_if(left_, [&](const auto& one) { return came.contains(one); }));
}

}  // namespace atlas::attack
