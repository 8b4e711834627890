// Pairs of agents that a relay forwards between: their sessions with it, the messages of the relay role (protocol,
// section 8), and the two sockets over which raw datagrams then go its way.
//
// All sources share one UDP port and all targets another. One thread; borrows the server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/data_socket.h"
#include "bench/server_process.h"
#include "bench/swarm.h"
#include "bench/traffic.h"
#include "quic/connection_ids.h"

namespace atlas::bench {

inline constexpr std::size_t kDatagram = 1200;  // bytes, UDP payload

// --- messages 0x30 to 0x33 ---

inline constexpr std::uint8_t kRelayAnnounce = 0x30, kRelayConnect = 0x31, kRelayReady = 0x32, kRelayError = 0x33;

base::Bytes relay_announce(const std::string& node_id, std::int64_t unix_s);
base::Bytes relay_connect(const std::string& source_id, const std::string& target_id);

struct RelayReady {
  bool waiting = false;
  quic::ServerId route{}, peer_route{};  // to us, to the other agent; with `ready`
  std::string peer_id;
  std::uint64_t bandwidth_limit = 0;
};
std::optional<RelayReady> read_relay_ready(base::ByteView payload);
// "1: target not announced"
std::string read_relay_error(base::ByteView payload);

class RelayPairs {
 public:
  // Both agents of every pair have a session and are announced; nothing is forwarded yet.
  RelayPairs(const ServerProcess& relay, std::size_t pairs, std::size_t in_flight);

  // Brings the agents of every pair together, and opens the sockets for what they send each other from then on.
  void connect();

  std::size_t size() const { return pairs_.size(); }
  const base::Clock& clock() const { return swarm_.clock(); }
  Swarm& swarm() { return swarm_; }
  // Keeps the sessions alive: what came for them over the sockets below, and their timers.
  void serve() { swarm_.run_for(0); }
  Generator& generator() { return *generator_; }
  std::uint64_t bandwidth_limit() const { return ready_.front().bandwidth_limit; }  // as the relay tells it

  DataSocket& source() { return *source_; }
  DataSocket& target() { return *target_; }
  // Datagrams of the one agent of a pair to the other.
  Flow flow(std::size_t pair, bool to_target = true);

 private:
  struct Pair {
    quic::ServerId to_source{}, to_target{};
    bool source_knows = false, target_knows = false;
  };
  void announce(std::size_t in_flight);
  void connected(std::size_t pair, const RelayReady& ready, bool source);
  Peer& source_of(std::size_t pair) { return swarm_.peer(2 * pair); }
  Peer& target_of(std::size_t pair) { return swarm_.peer(2 * pair + 1); }

  const net::SocketAddress relay_;
  const std::size_t in_flight_;
  Swarm swarm_;
  std::vector<Pair> pairs_;
  std::vector<RelayReady> ready_;  // of each source
  std::size_t known_ = 0;          // agents that know their prefixes
  std::unique_ptr<DataSocket> source_, target_;
  std::unique_ptr<Generator> generator_;
};

}  // namespace atlas::bench
