// A network in one thread and virtual time: nodes with loops of their own, links between them that lose, delay,
// duplicate, reorder and corrupt, partitions, NATs and clocks that jump. The same seed gives the same history.
//
//   SimWorld world(seed);
//   SimNode& a = world.add_node("a");
//   SimNode& b = world.add_node("b");
//   ... build what is under test on a.loop(), a.clock(), a.random(), a.executor() ...
//   world.run_for(60 * base::kSecond);
//
// What is built on nodes must be destroyed before the world. One thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/sim_link.h"
#include "sim/sim_loop.h"
#include "sim/sim_nat.h"
#include "sim/sim_time.h"

namespace atlas::sim {

class SimWorld;

class SimNode final : public Carrier {
 public:
  SimNode(SimWorld& world, std::size_t index, std::string name, std::vector<net::IpAddress> addresses,
          std::uint64_t seed, std::int64_t unix_start_ms);

  const std::string& name() const { return name_; }
  std::size_t index() const { return index_; }
  SimLoop& loop() { return loop_; }
  SimClock& clock() { return clock_; }
  base::Random& random() { return random_; }
  base::Executor& executor() { return executor_; }
  const net::IpAddress& address() const { return loop_.addresses().front(); }
  // How others reach this node's port, if it is not behind a NAT.
  net::SocketAddress at(std::uint16_t port) const { return {address(), port}; }

  // Down: nothing goes in or out.
  void set_up(bool up) { up_ = up; }
  bool up() const { return up_; }
  // Down, and no posted task ever runs. Destroy what was built here, then set_up(true) and build again.
  void crash();

 private:
  friend class SimWorld;
  void carry(const SimSocket& from, const net::SendBatch& batch) override;

  SimWorld& world_;
  const std::size_t index_;
  const std::string name_;
  SimClock clock_;
  SimLoop loop_;
  base::SeededRandom random_;
  SimExecutor executor_;
  Nat* nat_ = nullptr;
  bool up_ = true;
};

// What became of a datagram.
enum class Fate : std::size_t {
  kDelivered,
  kLost,         // by chance
  kTooLarge,     // for the link
  kQueueFull,    // of a limited link
  kPartitioned,  // cut, or a node is down
  kFiltered,     // by a NAT
  kNoRoute,      // nobody has the address
  kNoPort,       // nobody listens
};
inline constexpr std::size_t kFates = 8;
const char* text(Fate fate);

struct Passage {
  base::MonoNs when;
  const SimNode* from;
  const SimNode* to;                       // null when nobody has the address
  net::SocketAddress source, destination;  // as seen between the nodes, outside of NATs
  std::size_t bytes;
  Fate fate;
};

// A datagram between two nodes at the moment when it leaves.
struct InTransit {
  SimNode* from = nullptr;
  SimNode* to = nullptr;
  net::SocketAddress source, destination;  // as seen between the nodes, outside of NATs
  Nat* through = nullptr;                  // the NAT in front of `to`, if there is one
  base::Bytes data;
};

class SimWorld {
 public:
  // 2025-01-01, so that nothing depends on the day a test runs.
  static constexpr std::int64_t kUnixStartMs = 1'735'689'600'000;

  explicit SimWorld(std::uint64_t seed);

  // Without addresses the node gets one of its own out of 20.0.0.0/8. Behind a NAT give it a private one.
  SimNode& add_node(std::string name, std::vector<net::IpAddress> addresses = {}, Nat* nat = nullptr);
  // Behind another NAT, as a home is behind its carrier's, `outside` is an address of that one's inside.
  Nat& add_nat(const net::IpAddress& outside, NatPolicy policy = {}, Nat* behind = nullptr);
  SimNode& node(std::size_t index) { return *nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }

  SimTime& time() { return time_; }
  base::MonoNs now() const { return time_.now(); }
  std::uint64_t seed() const { return seed_; }
  void at(base::MonoNs when, SimTime::Task task) { time_.at(when, std::move(task)); }
  void after(base::MonoNs span, SimTime::Task task) { time_.at(base::after(now(), span), std::move(task)); }
  void run_until(base::MonoNs end) { time_.run_until(end); }
  void run_for(base::MonoNs span) { time_.run_until(base::after(now(), span)); }
  // Until done() or for `most`; whether done() came to hold.
  bool run_until(const std::function<bool()>& done, base::MonoNs most) {
    return time_.run_until(base::after(now(), most), done);
  }

  // For every pair without a policy of its own.
  void set_default_link(const LinkPolicy& policy) { default_policy_ = policy; }
  void set_link(const SimNode& from, const SimNode& to, const LinkPolicy& policy);  // one direction
  void set_links(const SimNode& a, const SimNode& b, const LinkPolicy& policy);     // both
  // Nodes reach only their own group; a node in no group reaches nobody. Datagrams on their way across are lost.
  void partition(const std::vector<std::vector<const SimNode*>>& groups);
  void cut(const SimNode& a, const SimNode& b, bool on = true);
  void heal();  // undoes partition and cut
  // Others see the node's sockets at other ports, and at another address if one is given, without its noticing.
  void rebind(SimNode& node, std::optional<net::IpAddress> outside = std::nullopt);
  // Somebody on the way: asked about each datagram before the link takes it. He may alter it; false makes it vanish.
  void on_departure(std::function<bool(InTransit&)> callback) { on_departure_ = std::move(callback); }
  // Puts a datagram on its way past the link and on_departure: it arrives after `delay`, at whoever then owns the
  // address.
  void inject(const InTransit& datagram, base::MonoNs delay);
  // Moves every node's wall clock.
  void jump_clocks(std::int64_t ms);

  // A number for all that happened to datagrams so far: equal for equal histories.
  std::uint64_t history() const { return history_; }
  std::uint64_t count(Fate fate) const { return counts_[static_cast<std::size_t>(fate)]; }
  // Called for each datagram when its fate is known; for drawing the flow of a run that failed.
  void on_passage(std::function<void(const Passage&)> callback) { on_passage_ = std::move(callback); }

 private:
  friend class SimNode;
  // Where a datagram goes, decided when it leaves.
  struct Route {
    SimNode* to = nullptr;
    Nat* through = nullptr;  // the NAT in front of `to`, asked when the datagram arrives
    net::SocketAddress source, destination;
  };
  // Datagrams of one size that arrive together.
  struct Flight {
    SimNode* from;
    Route route;
    std::uint8_t ecn;
    std::size_t segment;
    base::Bytes data;
  };
  struct Pair {
    SimLink link;
    std::optional<LinkPolicy> policy;
    bool cut = false;
  };

  void carry(SimNode& from, const net::SocketAddress& source, const net::SendBatch& batch);
  void carry_inside(SimNode& node, const net::SocketAddress& source, const net::SendBatch& batch);
  Route route(SimNode& from, const net::SocketAddress& source, const net::SocketAddress& destination);
  void arrive(Flight flight);
  void note(const SimNode& from, const Route& route, base::ByteView data, std::size_t segment, Fate fate);
  Pair& pair(const SimNode& from, const SimNode& to);
  bool connected(const SimNode& from, const SimNode& to);
  void place(SimNode& node, Nat* nat);
  SimNode* find(const Nat* realm, const net::IpAddress& ip) const;
  Nat* nat_at(const Nat* realm, const net::IpAddress& ip) const;

  const std::uint64_t seed_;
  SimTime time_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<std::unique_ptr<Nat>> nats_;
  std::map<std::pair<const Nat*, net::IpAddress>, SimNode*> places_;
  std::map<std::pair<std::size_t, std::size_t>, Pair> pairs_;
  LinkPolicy default_policy_;
  std::optional<std::vector<std::size_t>> groups_;  // by node index; 0 is no group
  std::uint64_t history_ = 0;
  std::array<std::uint64_t, kFates> counts_{};
  std::function<void(const Passage&)> on_passage_;
  std::function<bool(InTransit&)> on_departure_;
};

}  // namespace atlas::sim
