// The raw streams of one connection: between the connection's events and the pipes that plugins hold.
// Loop thread only. Owned by the session, or by whatever else has the connection; streams that are open when it goes
// are told GONE.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "host/stream_pipe.h"
#include "node/stream_refusal.h"
#include "quic/endpoint.h"

namespace atlas::node {

class ConnectionStreams;

// Where each pipe's stream is, by its tag.
using StreamIndex = std::unordered_map<std::uint64_t, std::pair<ConnectionStreams*, quic::StreamId>>;

class ConnectionStreams {
 public:
  struct Setup {
    quic::Connection* connection = nullptr;  // outlives this
    StreamIndex* index = nullptr;            // outlives this
    base::MonoNs idle = base::kNever;        // a stream on which nothing moves for so long is reset
    std::uint64_t idle_code = 0;
    // Bytes that wait for plugins before the connection's other streams have to wait for them, too.
    std::uint64_t ahead = 0;
  };
  explicit ConnectionStreams(Setup setup) : setup_(setup) {}
  ~ConnectionStreams() { end(ATLAS_E_GONE); }
  ConnectionStreams(const ConnectionStreams&) = delete;
  ConnectionStreams& operator=(const ConnectionStreams&) = delete;

  bool has(quic::StreamId stream) const { return streams_.contains(stream); }
  std::size_t size() const { return streams_.size(); }
  // `opening`: bytes of an envelope that was written in front, of a stream that we opened in a session; the peer may
  // refuse that with an Error.
  void add(quic::StreamId stream, std::shared_ptr<host::StreamPipe> pipe, std::optional<std::size_t> opening,
           base::MonoNs now);
  // What the plugin asked for. False: its streams are idle for ever now.
  void serve(quic::StreamId stream, base::MonoNs now);

  // The connection's events, of streams that are here.
  void data(quic::StreamId stream, base::ByteView data, bool fin, base::MonoNs now);
  void acknowledged(quic::StreamId stream, std::size_t bytes, base::MonoNs now);
  void reset(quic::StreamId stream, std::uint64_t code);
  void stopped(quic::StreamId stream, std::uint64_t code);
  void closed(quic::StreamId stream);

  // Resets what is idle, and returns how many.
  std::size_t sweep(base::MonoNs now);
  base::MonoNs next_deadline() const;
  // The connection is over.
  void end(atlas_status status);

 private:
  struct Open {
    std::shared_ptr<host::StreamPipe> pipe;
    base::MonoNs moved = 0;
    std::size_t opening = 0;                 // bytes of the envelope that are not acknowledged
    std::uint64_t unread = 0;                // delivered, and no credit given
    std::unique_ptr<StreamRefusal> refusal;  // while the peer may still refuse with an Error
    // The first of the two sides to give up, and its code.
    std::optional<std::uint64_t> given_up;
  };
  using Streams = std::map<quic::StreamId, Open>;

  void pass_on(quic::StreamId stream, Open& open, base::ByteView data, bool fin);
  void forget(Streams::iterator at, atlas_status status, std::uint64_t code);

  const Setup setup_;
  Streams streams_;
  std::uint64_t unread_ = 0;  // of all of them
};

}  // namespace atlas::node
