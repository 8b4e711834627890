// Every datagram that comes to a node and leaves it, and a search in them for what should not be readable there.
// One thread, that of the simulation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "sim/sim_world.h"

namespace atlas::attack {

// Finds secrets in bytes by each of their eight-byte pieces, wherever they begin and whatever is around them.
class Search {
 public:
  static constexpr std::size_t kPiece = 8;

  // `secret` has kPiece bytes at least.
  void add(const std::string& name, std::string_view secret);
  // How many different pieces of each secret are in there; secrets of which nothing is are left out.
  std::map<std::string, std::size_t> in(base::ByteView bytes) const;
  std::map<std::string, std::size_t> in(const std::vector<base::Bytes>& all) const;
  std::size_t pieces(const std::string& name) const;

 private:
  void note(base::ByteView bytes, std::map<std::string, std::vector<std::uint64_t>>& found) const;
  static std::map<std::string, std::size_t> counted(std::map<std::string, std::vector<std::uint64_t>>& found);

  std::unordered_map<std::uint64_t, std::string> names_;  // by piece
};

class Wiretap {
 public:
  Wiretap(sim::SimWorld& world, const sim::SimNode& node);
  ~Wiretap() { world_.on_departure({}); }

  const std::vector<base::Bytes>& arrived() const { return arrived_; }
  const std::vector<base::Bytes>& left() const { return left_; }
  std::vector<base::Bytes> all() const;
  // Datagrams that left with the bytes with which they had come.
  std::size_t forwarded() const;

 private:
  sim::SimWorld& world_;
  std::vector<base::Bytes> arrived_, left_;
};

}  // namespace atlas::attack
