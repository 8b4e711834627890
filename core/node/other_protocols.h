// Connections of other protocols than the core's own (atlas/ext/protocols.h), one object for each ALPN that a plugin
// claimed: who a peer is, its plugin says while the connection waits here; its streams go through ConnectionStreams.
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/connection_pipe.h"
#include "host/host.h"
#include "net/timer_heap.h"
#include "node/connection_streams.h"
#include "node/deadlines.h"
#include "quic/endpoint.h"

namespace atlas::node {

class OtherProtocol;
class OtherProtocols;

// One such connection. Found again through quic::Connection::user.
struct OtherLink final : net::TimerHeap::Entry {
  enum class Phase : std::uint8_t { kTls, kJudged, kUp };  // kJudged: the plugin has not said yet
  // What came on a stream before the verdict.
  struct Early {
    base::Bytes data;
    bool fin = false, closed = false;
    std::optional<std::uint64_t> reset, stopped;
  };
  OtherLink(OtherProtocol& protocol, std::shared_ptr<host::ConnectionPipe> held)
      : owner(protocol), pipe(std::move(held)) {}
  void on_expire(base::MonoNs now) override;
  OtherProtocol& owner;
  const std::shared_ptr<host::ConnectionPipe> pipe;
  quic::Connection* connection = nullptr;
  Phase phase = Phase::kTls;
  bool refused = false, late = false;
  std::map<quic::StreamId, Early> early;
  std::unique_ptr<ConnectionStreams> streams;
};

class OtherProtocol final : public quic::ConnectionEvents {
 public:
  OtherProtocol(OtherProtocols& owner, host::ProtocolSpec& spec, host::ProtocolClaim claim)
      : owner_(owner), spec_(spec), claim_(std::move(claim)) {}
  ~OtherProtocol() override;

  const host::ProtocolClaim& claim() const { return claim_; }
  void dial(host::ProtocolDial dial);
  void judge(OtherLink& link, bool accepted);
  void expired(OtherLink& link);

  // --- quic::ConnectionEvents ---
  void on_connected(quic::Connection& connection) override;
  void on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) override;
  void on_acknowledged(quic::Connection& connection, quic::StreamId stream, std::size_t bytes) override;
  void on_written(quic::Connection&, quic::StreamId) override {}
  void on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  bool on_stopped(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  void on_stream_closed(quic::Connection& connection, quic::StreamId stream) override;
  void on_streams_allowed(quic::Connection& connection, bool unidirectional, std::uint64_t total) override;
  void on_path(quic::Connection& connection) override;
  void on_closed(quic::Connection& connection, const quic::CloseInfo& info) override;

 private:
  static OtherLink* link_of(quic::Connection& connection) { return static_cast<OtherLink*>(connection.user); }
  OtherLink& keep(std::unique_ptr<OtherLink> link);
  void drop(OtherLink& link);
  // Null: it is none that the plugin hears of.
  ConnectionStreams* streams_with(OtherLink& link, quic::StreamId stream);
  void replay(OtherLink& link);

  OtherProtocols& owner_;
  host::ProtocolSpec& spec_;
  const host::ProtocolClaim claim_;
  std::unordered_map<OtherLink*, std::unique_ptr<OtherLink>> links_;
};

class OtherProtocols {
 public:
  struct Setup {
    Deadlines* deadlines = nullptr;
    host::Host* host = nullptr;
    StreamIndex* index = nullptr;
    std::function<void()> served;  // which protocols are accepted may have changed
  };
  explicit OtherProtocols(Setup setup) : setup_(std::move(setup)) {}

  // Adds every claim to the endpoint, which must outlive no object here. Before the first socket opens.
  base::Result<void> begin(quic::Endpoint& endpoint);

  // --- what plugins ask for, already on this thread ---
  void set_credentials(const std::string& alpn, quic::CredentialsPtr credentials);
  void dial(host::ProtocolDial dial);
  void open_stream(host::ConnectionStreamOrder order);
  void judge(std::uint64_t tag, bool accepted);
  void close(std::uint64_t tag, std::uint64_t code, const std::string& reason);

 private:
  friend class OtherProtocol;
  OtherLink* find(std::uint64_t tag);

  const Setup setup_;
  quic::Endpoint* endpoint_ = nullptr;
  std::unordered_map<std::uint64_t, OtherLink*> by_tag_;
  std::vector<std::unique_ptr<OtherProtocol>> protocols_;
};

}  // namespace atlas::node
