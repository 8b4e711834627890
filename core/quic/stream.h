// One stream's own state: what was written and is not acknowledged yet, what was delivered and not consumed yet, and
// what the floor above has asked for since the last flush.
// Owned by its connection, loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "quic/endpoint.h"

namespace atlas::quic {

// Bytes of one stream from write() until the peer has acknowledged them. They never move: the library keeps pointers
// into them for retransmission.
class SendBuffer {
 public:
  SendBuffer() = default;
  ~SendBuffer();
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;

  void append(base::ByteView data);
  // The next piece to send; empty when all is sent.
  base::ByteView next() const;
  void mark_sent(std::size_t bytes);
  // In order from the start of the stream; frees what is wholly acknowledged.
  void mark_acknowledged(std::size_t bytes);
  std::size_t unsent() const { return unsent_; }
  // Unsent or in flight.
  std::size_t unacknowledged() const { return unacknowledged_; }

 private:
  struct Chunk {
    Chunk* next;
    std::uint32_t size, capacity;
    std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  };
  static constexpr std::size_t kLeastChunk = 232;      // with its header a round number
  static constexpr std::size_t kMostChunk = 32 << 10;  // acknowledged memory comes back in pieces of this

  void add_chunk(std::size_t capacity);

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  Chunk* sending_ = nullptr;           // null: all of every chunk is sent
  std::uint32_t sending_at_ = 0;       // bytes of sending_ that are sent
  std::uint32_t acknowledged_at_ = 0;  // bytes of first_ that are acknowledged
  std::size_t unsent_ = 0, unacknowledged_ = 0;
};

// RFC 9000, section 2.1.
inline bool is_unidirectional(StreamId stream) {
  return (stream & 2) != 0;
}

// How a receive window grows as what came is consumed: it doubles after each window's worth.
struct ReceiveWindow {
  std::uint64_t growth = 0;  // beyond the first one
  std::uint64_t consumed = 0;

  // How much wider it becomes now that so many bytes more are consumed, up to `most`.
  std::uint64_t grow(std::uint64_t bytes, std::uint64_t first, std::uint64_t most);
};

struct Stream {
  explicit Stream(StreamId stream) : id(stream) {}

  const StreamId id;
  SendBuffer out;
  std::uint64_t unconsumed = 0;         // delivered, and no credit given back yet
  std::uint64_t released = 0;           // of these: the connection's share of it was given back ahead
  std::uint64_t credit = 0;             // to give back in the next flush
  std::uint64_t connection_credit = 0;  // likewise, to the connection's window
  std::uint64_t acknowledged = 0;       // of a watched one: not told yet
  std::uint64_t reset_code = 0;
  ReceiveWindow window;
  // Neighbours in the connection's list of streams with work for the flush.
  Stream* earlier = nullptr;
  Stream* later = nullptr;
  bool listed = false;

  // One direction alone, given up by the floor above.
  struct GivenUp {
    bool asked = false, done = false;
    std::uint64_t code = 0;
    bool is_due() const { return asked && !done; }
  };
  GivenUp sending, receiving;
  bool watched = false;  // on_acknowledged is told

  bool fin_asked = false, fin_sent = false;
  bool fin_alone = false;         // the FIN went in a frame of its own, and so is acknowledged by itself
  bool fin_acknowledged = false;  // known only for one that went alone
  bool window_closed = false;     // the peer's stream window is used up
  bool reset_asked = false;       // reset() was called: nothing is delivered any more
  bool reset_done = false;        // and the library knows
  bool send_over = false;         // reset by us or refused by the peer: what is left is not sent
  bool written_told = false, reset_told = false, stop_told = false;
  bool fin_received = false;
  bool given_back = false;  // the peer may open another for it, although the end of this one is not acknowledged yet

  bool wants_to_send() const { return !send_over && !window_closed && (out.unsent() > 0 || (fin_asked && !fin_sent)); }
  bool has_work() const {
    return credit > 0 || connection_credit > 0 || (reset_asked && !reset_done) || sending.is_due() ||
           receiving.is_due() || wants_to_send();
  }
  // So much of what was delivered is dealt with.
  void consume(std::uint64_t bytes);
  // The connection need not wait for it.
  void release(std::uint64_t bytes);
  // What the connection's window gets back when the stream is over; once.
  std::uint64_t take_left();
  bool all_acknowledged() const { return fin_sent && out.unacknowledged() == 0 && (!fin_alone || fin_acknowledged); }
};

// Streams with work, served in turn.
class WorkList {
 public:
  Stream* front() const { return first_; }
  bool empty() const { return first_ == nullptr; }
  void add(Stream& stream);
  void remove(Stream& stream);
  // To the end, so that its neighbours have their turn.
  void rotate(Stream& stream) {
    remove(stream);
    add(stream);
  }

 private:
  Stream* first_ = nullptr;
  Stream* last_ = nullptr;
};

}  // namespace atlas::quic
