// atlas/cpp/connections.hpp - what handlers of raw streams and of other protocols' connections are told. Plain values;
// what is borrowed ends with the callback.
#pragma once

#include <functional>

#include "../ext/protocols.h"
#include "../ext/streams.h"
#include "base.hpp"

namespace atlas {

using Stream = atlas_stream;  // 0 is none

struct StreamEvent {
  std::uint32_t what;  // ATLAS_STREAM_*; others may come
  Stream stream;
  Bytes data;          // DATA
  bool fin;            // DATA
  Status status;       // CLOSED
  std::uint64_t code;  // RESET, STOPPED, and CLOSED after one of them

  bool is_closed() const { return what == ATLAS_STREAM_CLOSED; }
};
using StreamHandler = std::function<void(const StreamEvent&)>;

using Connection = atlas_connection;  // 0 is none

struct ConnectionEvent {
  std::uint32_t what;  // ATLAS_CONNECTION_UP or _DOWN; others may come
  Connection connection;
  Bytes identity;
  std::string_view remote;
  bool dialled;
  std::uint32_t why;        // DOWN: ATLAS_CLOSED_*
  std::uint64_t code;       // DOWN
  std::string_view reason;  // DOWN: for people

  bool is_up() const { return what == ATLAS_CONNECTION_UP; }
  bool is_down() const { return what == ATLAS_CONNECTION_DOWN; }
  std::string identity_text() const { return {identity.begin(), identity.end()}; }
};

// The peer opened a stream.
struct PeerStream {
  Connection connection;
  Stream stream;
  bool unidirectional;  // only the peer writes
  Bytes identity;
};

// What hears of one connection. Either may be empty; without `stream`, or where it gives nothing, the stream is given
// up in both directions with code 0.
struct ConnectionHandler {
  std::function<void(const ConnectionEvent&)> event;
  std::function<StreamHandler(const PeerStream&)> stream;
};

}  // namespace atlas
