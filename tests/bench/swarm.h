// Many authenticated Atlas peers in one process: each with a key of its own, all over one endpoint and one socket, or
// over a few of them.
// One thread. What it measures is the server; its own cost is reported beside it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "bench/shared_port_loop.h"
#include "net/uv_loop.h"
#include "quic/endpoint.h"
#include "session/handshake.h"
#include "wire/envelope.h"

namespace atlas::bench {

class Swarm;

// One peer of the swarm.
class Peer {
 public:
  // The answer's type and payload; type 0 when the stream ended without one.
  using Answered = std::function<void(std::uint8_t type, base::ByteView payload, base::MonoNs round_trip)>;

  Peer(Swarm& swarm, std::size_t index, std::size_t socket);
  const std::string& node_id() const { return node_id_; }
  bool ready() const { return ready_; }
  std::size_t index() const { return index_; }
  std::size_t socket() const { return socket_; }  // which of the swarm's it uses
  void request(std::uint8_t type, base::ByteView payload, Answered done);
  void close();

 private:
  friend class Swarm;
  struct Pending {
    quic::StreamId stream;
    base::MonoNs started;
    wire::EnvelopeReader reader;
    Answered done;
  };
  struct Pushed {
    quic::StreamId stream;
    wire::EnvelopeReader reader;
  };
  void take(quic::StreamId stream, base::ByteView data, bool fin);
  void take_pushed(quic::StreamId stream, base::ByteView data, bool fin);

  Swarm& swarm_;
  const std::size_t index_, socket_;
  base::ByteArray<32> seed_;
  std::string node_id_;
  std::unique_ptr<identity::NodeKey> key_;  // while a handshake needs it: locked memory is scarce
  quic::Connection* connection_ = nullptr;
  quic::StreamId handshake_stream_ = -1;
  std::unique_ptr<session::DiallerHandshake> handshake_;
  std::unique_ptr<wire::EnvelopeReader> reader_;
  std::vector<Pending> pending_;
  std::vector<Pushed> pushed_;
  bool ready_ = false;
};

class Swarm final : public quic::ConnectionEvents {
 public:
  struct Hooks {
    std::function<void(Peer&)> on_ready;
    std::function<void(Peer&, const quic::CloseInfo&)> on_closed;
    // What the server sends on streams of its own; without it, these are read and let go.
    std::function<void(Peer&, std::uint8_t type, base::ByteView payload)> on_pushed;
  };
  struct Options {
    std::vector<std::string> features = {};  // of everybody's Hello
    std::size_t sockets = 1;                 // peers use them in turns
    bool share_ports = false;                // sockets of others may be bound to the same ports
  };
  explicit Swarm(net::SocketAddress target) : Swarm(target, Options()) {}
  Swarm(net::SocketAddress target, const Options& options);
  ~Swarm() override;

  Hooks hooks;
  std::size_t add_peer();  // its index
  Peer& peer(std::size_t index) { return *peers_[index]; }
  std::size_t size() const { return peers_.size(); }
  void dial(Peer& peer);
  // Connects the first `count` peers, in_flight at a time, and makes those that are missing; throws when some do not
  // come up.
  void connect_all(std::size_t count, std::size_t in_flight);
  // Runs the loop until stop() or the deadline; false at the deadline.
  bool run_for(base::MonoNs span);
  void stop();
  void after(base::MonoNs span, std::function<void()> callback);
  net::UvLoop& loop() { return loop_; }
  // The port of a socket that was dialled from, on loopback.
  net::SocketAddress local(std::size_t socket) const;
  // What came for that socket by another way.
  void deliver(std::size_t socket, const net::ReceivedBatch& batch);
  const base::Clock& clock() const { return clock_; }
  std::uint64_t failed() const { return failed_; }
  // Times that a request had to wait for the peer's stream limit.
  std::uint64_t stream_waits() const { return stream_waits_; }

  void on_connected(quic::Connection& connection) override;
  void on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) override;
  void on_written(quic::Connection&, quic::StreamId) override {}
  void on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  void on_stream_closed(quic::Connection&, quic::StreamId) override {}
  void on_path(quic::Connection&) override {}
  void on_closed(quic::Connection& connection, const quic::CloseInfo& info) override;

 private:
  friend class Peer;
  void handshake_bytes(Peer& peer, base::ByteView data);
  void apply(Peer& peer, session::Step step);
  void run_due();
  std::unique_ptr<quic::Endpoint> make_endpoint(net::Loop& loop);

  base::SystemClock clock_;
  base::SystemRandom random_;
  net::UvLoop loop_{clock_};
  net::SocketAddress target_;
  identity::NodeKey own_key_;
  // One for each socket; what is behind an endpoint outlives it.
  std::vector<std::unique_ptr<SharedPortLoop>> socket_loops_;
  std::vector<std::unique_ptr<quic::Endpoint>> endpoints_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::multimap<base::MonoNs, std::function<void()>> due_;
  std::unique_ptr<net::Timer> due_timer_;
  session::Self self_;
  std::uint64_t failed_ = 0;
  std::uint64_t stream_waits_ = 0;
  bool timed_out_ = false;
};

}  // namespace atlas::bench
