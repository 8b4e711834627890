// A peer on the real network that obeys no rule but QUIC's: kit::RawPeer's sister for nodes that are processes. It
// sends whatever a test likes, notes all that comes back, answers nothing by itself, and runs only inside its waits.
// One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "kit/raw_peer.h"
#include "net/uv_loop.h"

namespace atlas::kit {

class LivePeer final : public quic::ConnectionEvents {
 public:
  // `node` is the "ip:port" of the node under test.
  explicit LivePeer(const std::string& node);
  ~LivePeer() override;

  const std::string& node_id() const { return key_.node_id(); }
  std::int64_t unix_s() const { return clock_.unix_s(); }
  identity::NodeKey new_key() { return identity::NodeKey::generate(random_); }

  // As another identity when a key is given; it must live until the line is connected.
  RawLine& dial(const identity::NodeKey* key = nullptr);
  // Runs until `done` holds, `most` has passed at the latest; whether it came to hold.
  bool wait(const std::function<bool()>& done, base::MonoNs most = 30 * base::kSecond);
  bool wait_connected(RawLine& line) {
    return wait([&] { return line.connected || line.closed; }) && line.connected;
  }
  bool wait_closed(RawLine& line) {
    return wait([&] { return line.closed.has_value(); });
  }

  // Opens a stream and writes; nothing when the node allows no more streams.
  std::optional<quic::StreamId> say(RawLine& line, base::ByteView bytes, bool fin);
  // A Hello that is right in every respect, for tests to spoil, on a stream of its own; the first answer to it.
  wire::Hello hello(const identity::NodeKey& key) const;
  wire::Hello hello() const { return hello(key_); }
  std::optional<Envelope> send_hello(RawLine& line, const wire::Hello& hello);
  // The whole handshake; the verdict, or nothing when there was none.
  std::optional<wire::VerifyAck> greet(RawLine& line, const identity::NodeKey* key = nullptr);
  // dial() and greet(); throws when the node refuses.
  RawLine& session(const identity::NodeKey* key = nullptr);

  void on_connected(quic::Connection& connection) override;
  void on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) override;
  void on_written(quic::Connection& connection, quic::StreamId stream) override;
  void on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  void on_stream_closed(quic::Connection& connection, quic::StreamId stream) override;
  void on_path(quic::Connection&) override {}
  void on_closed(quic::Connection& connection, const quic::CloseInfo& info) override;

 private:
  static RawLine& line_of(quic::Connection& connection) { return *static_cast<RawLine*>(connection.user); }
  // Something happened: is it what is waited for?
  void look();

  base::SystemClock clock_;
  base::SystemRandom random_;
  net::UvLoop loop_{clock_};
  const identity::NodeKey key_;
  const net::SocketAddress node_;
  std::function<bool()> done_;
  std::vector<std::unique_ptr<RawLine>> lines_;
  std::unique_ptr<quic::Endpoint> endpoint_;
};

}  // namespace atlas::kit
