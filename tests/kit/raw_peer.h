// A peer that obeys no rule but QUIC's: it drives an endpoint of its own on a machine of the simulated network and
// sends whatever bytes a test likes on whatever streams. It notes all that comes back and answers nothing by itself.
// One thread, that of the simulation. Destroy it before the world.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "identity/node_key.h"
#include "quic/endpoint.h"
#include "sim/sim_world.h"
#include "wire/messages.h"

namespace atlas::kit {

struct Envelope {
  std::uint8_t type;
  base::Bytes payload;
};

// What came on one stream, and when.
struct RawStream {
  base::Bytes data;
  bool fin = false, written = false, closed = false;  // closed: both sides are over
  std::optional<std::uint64_t> reset;
  base::MonoNs first_at = 0, ended_at = 0;  // first byte; FIN or reset

  std::vector<Envelope> envelopes() const;  // the whole ones
  // The code of the first envelope if it is an Error, else 0.
  std::uint32_t error_code() const;
  std::string error_text() const;
};

// One connection. Stays when the connection has closed.
struct RawLine {
  quic::Connection* connection = nullptr;  // null when closed
  bool connected = false;
  std::map<quic::StreamId, RawStream> streams;
  quic::StreamId greeting = -1;  // the stream of the handshake
  std::optional<quic::CloseInfo> closed;
  base::MonoNs started_at = 0, closed_at = 0;

  // The first stream that the other side opened after `behind`; -1 if there is none. Streams of the peer's are odd when
  // we dialled and even when we were dialled.
  quic::StreamId opened_by_peer(bool we_dialled, quic::StreamId behind = -1) const;
  bool closed_by_peer_with(std::uint64_t code) const {
    return closed && closed->by == quic::CloseInfo::By::kPeer && closed->code == code;
  }
};

class RawPeer final : public quic::ConnectionEvents {
 public:
  RawPeer(sim::SimWorld& world, sim::SimNode& machine);
  ~RawPeer() override;

  const identity::NodeKey& key() const { return key_; }
  const std::string& node_id() const { return key_.node_id(); }
  sim::SimNode& machine() { return machine_; }
  std::int64_t unix_s() const { return machine_.clock().unix_s(); }

  // As another identity when a key is given; it must live as long as the line.
  RawLine& dial(const net::SocketAddress& remote, const identity::NodeKey* key = nullptr);
  net::SocketAddress listen(std::uint16_t port);
  RawLine& accepted(std::size_t index) { return *accepted_.at(index); }
  std::size_t accepted_count() const { return accepted_.size(); }
  // False: it reads nothing, so that the other side can send it no more than a window of each stream.
  bool consume = true;
  // Called for each piece that arrives, after it was noted.
  std::function<void(RawLine&, quic::StreamId)> on_piece;

  // Runs the world until `done` holds or `most` has passed; whether it came to hold.
  bool wait(const std::function<bool()>& done, base::MonoNs most = 30 * base::kSecond) {
    return world_.run_until(done, most);
  }
  bool wait_connected(RawLine& line) {
    return wait([&] { return line.connected || line.closed; }) && line.connected;
  }
  bool wait_closed(RawLine& line, base::MonoNs most = 30 * base::kSecond) {
    return wait([&] { return line.closed.has_value(); }, most);
  }
  bool wait_ended(RawLine& line, quic::StreamId stream, base::MonoNs most = 30 * base::kSecond) {
    return wait([&] { return line.streams[stream].ended_at != 0 || line.closed; }, most) &&
           line.streams[stream].ended_at != 0;
  }

  // Opens a stream and writes; throws when the peer allows no stream.
  quic::StreamId say(RawLine& line, base::ByteView bytes, bool fin);
  quic::StreamId say(RawLine& line, std::uint8_t type, base::ByteView payload) {
    return say(line, wire::seal(type, payload), true);
  }
  void say_more(RawLine& line, quic::StreamId stream, base::ByteView bytes, bool fin);
  // say() and wait for what comes back until the stream has ended.
  const RawStream& ask(RawLine& line, std::uint8_t type, base::ByteView payload);

  // A Hello that is right in every respect, for tests to spoil.
  wire::Hello hello(const identity::NodeKey& key) const;
  wire::Hello hello() const { return hello(key_); }
  // Sends Hello on a stream of its own and waits for the first envelope of the answer.
  std::optional<Envelope> send_hello(RawLine& line, const wire::Hello& hello);
  // The right Verify for a HelloAck.
  static wire::Verify verify(const wire::HelloAck& ack, const identity::NodeKey& key);
  // The whole handshake; true when VerifyAck says ok.
  bool greet(RawLine& line, const identity::NodeKey* key = nullptr);
  // dial() and greet(); throws when the other side refuses.
  RawLine& session(const net::SocketAddress& remote, const identity::NodeKey* key = nullptr);

  void on_connected(quic::Connection& connection) override;
  void on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) override;
  void on_written(quic::Connection& connection, quic::StreamId stream) override;
  void on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  void on_stream_closed(quic::Connection& connection, quic::StreamId stream) override;
  void on_path(quic::Connection&) override {}
  void on_closed(quic::Connection& connection, const quic::CloseInfo& info) override;

 private:
  static RawLine& line_of(quic::Connection& connection) { return *static_cast<RawLine*>(connection.user); }

  sim::SimWorld& world_;
  sim::SimNode& machine_;
  const identity::NodeKey key_;
  std::vector<std::unique_ptr<RawLine>> lines_;
  std::vector<RawLine*> accepted_;
  std::unique_ptr<quic::Endpoint> endpoint_;
};

}  // namespace atlas::kit
