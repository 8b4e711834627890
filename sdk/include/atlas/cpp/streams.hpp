// atlas/cpp/streams.hpp - raw byte streams: open them here, take those of peers through Setup::accept().
//
// Threads: open() and what handlers do, on the role's strand; write(), finish(), reset(), stop() and credit() on any. A
// handler is freed after its CLOSED, which comes exactly once. What it gets is borrowed.
#pragma once

#include <memory>

#include "connections.hpp"
#include "host.hpp"

namespace atlas {

// A peer opened it.
struct OpenedStream {
  std::uint8_t type;
  Peer from;
  Stream stream;
  Bytes opening;

  msgpack::MapView map() const { return msgpack::MapView::of(opening); }
};

class Streams {
 public:
  struct Opened {
    Status status;
    Stream stream = 0;
  };
  explicit Streams(Host& host) : host_(host), table_(host.table<atlas_ext_streams>(ATLAS_EXT_STREAMS)) {}

  // Can be written at once. The handler hears of it when the status is OK, and only then.
  Opened open(Peer to, std::uint8_t type, ByteArg opening, StreamHandler handler) const {
    return begin(std::move(handler), [&](void* arg, atlas_stream* out) {
      return ATLAS_CALL(table_, atlas_ext_streams, open, host_.c(), to, type, c_bytes(opening.bytes),
                        &Streams::on_event, arg, out);
    });
  }
  // All or nothing. FULL: WRITABLE follows.
  Status write(Stream stream, ByteArg data) const {
    return {ATLAS_CALL(table_, atlas_ext_streams, write, host_.c(), stream, c_bytes(data.bytes))};
  }
  Status finish(Stream stream) const { return {ATLAS_CALL(table_, atlas_ext_streams, finish, host_.c(), stream)}; }
  Status reset(Stream stream, std::uint64_t code) const {
    return {ATLAS_CALL(table_, atlas_ext_streams, reset, host_.c(), stream, code)};
  }
  Status stop(Stream stream, std::uint64_t code) const {
    return {ATLAS_CALL(table_, atlas_ext_streams, stop, host_.c(), stream, code)};
  }
  // So many bytes of DATA are dealt with; without it the peer stands still.
  Status credit(Stream stream, std::uint64_t bytes) const {
    return {ATLAS_CALL(table_, atlas_ext_streams, credit, host_.c(), stream, bytes)};
  }

  // For Protocols: opens with `how`, an atlas_status(void* arg, atlas_stream* out).
  template <class How>
  Opened begin(StreamHandler handler, How&& how) const {
    auto waiting = std::make_unique<Waiting>(Waiting{&host_, std::move(handler)});
    Opened out;
    out.status = {how(static_cast<void*>(waiting.get()), &out.stream)};
    if (out.status.ok()) static_cast<void>(waiting.release());
    return out;
  }
  // For Setup and Protocols: the handler of a stream that a peer opened. An empty one refuses.
  Status take(Stream stream, StreamHandler handler) const {
    if (!handler) return {ATLAS_E_DENIED};
    auto waiting = std::make_unique<Waiting>(Waiting{&host_, std::move(handler)});
    const Status status{
        ATLAS_CALL(table_, atlas_ext_streams, set_arg, host_.c(), stream, static_cast<void*>(waiting.get()))};
    if (status.ok()) static_cast<void>(waiting.release());
    return status;
  }
  static void on_event(void*, const atlas_stream_event* c) noexcept {
    auto* waiting = static_cast<Waiting*>(c->arg);
    if (waiting == nullptr) return;
    const StreamEvent event{c->what, c->stream, view(c->data), c->fin != 0, {c->status}, c->code};
    static_cast<void>(waiting->host->guarded("a stream event", [&] {
      if (waiting->handler) waiting->handler(event);
    }));
    if (event.is_closed()) delete waiting;
  }

 private:
  struct Waiting {
    Host* host;
    StreamHandler handler;
  };

  Host& host_;
  const atlas_ext_streams* table_;
};

inline Streams Host::streams() {
  return Streams(*this);
}

}  // namespace atlas
