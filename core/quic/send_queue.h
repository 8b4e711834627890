// Datagrams on their way to one socket: written in place, joined into runs that leave as one message each (UDP GSO),
// and handed over for a whole turn of the loop at once.
//
// When the kernel's buffer is full the rest stays here in order and reserve() gives nothing until it has left, so the
// memory is bounded by kBlocks. Loop thread only; the socket outlives the queue's last flush.
#pragma once

#include <memory>
#include <vector>

#include "base/limits.h"
#include "net/loop.h"

namespace atlas::quic {

class SendQueue {
 public:
  static constexpr std::size_t kBlockBytes = 64 << 10;
  static constexpr std::size_t kBlocks = base::limits::quic_send_queue_bytes / kBlockBytes;
  // The kernel's limits for one segmented message, with room for headers.
  static constexpr std::size_t kMostSegments = 64;
  static constexpr std::size_t kMostRunBytes = 65'000;

  explicit SendQueue(net::UdpSocket& socket) : socket_(socket) {}

  // Where the next datagram may be written, `most` bytes; empty while blocked. Stays valid until commit or flush.
  base::MutableBytes reserve(std::size_t most);
  // Queues the first `length` bytes of what reserve() gave.
  void commit(std::size_t length, const net::SocketAddress& remote, const net::SocketAddress& local, std::uint8_t ecn);
  // Copies a datagram in; dropped while blocked.
  void put(base::ByteView datagram, const net::SocketAddress& remote, const net::SocketAddress& local);
  // False when the kernel took only a part; call again when the socket is writable.
  bool flush();
  bool blocked() const { return blocked_; }
  bool empty() const { return batches_.empty(); }

 private:
  net::UdpSocket& socket_;
  std::vector<std::unique_ptr<std::uint8_t[]>> blocks_;
  std::size_t block_ = 0, used_ = 0;  // where the next datagram goes
  std::vector<net::SendBatch> batches_;
  std::size_t segments_ = 0;  // in the last batch
  bool open_ = false;         // the last batch may grow
  std::size_t taken_ = 0;     // batches that the kernel has
  bool blocked_ = false;
};

}  // namespace atlas::quic
