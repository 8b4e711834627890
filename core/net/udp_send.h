// The sending half of a UDP socket: cuts batches into messages the kernel accepts, segments in the kernel (UDP GSO)
// where it can, marks ECN and source address, and hands everything over in as few system calls as possible.
//
// Loop thread only. The file descriptor belongs to the socket that owns this.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <functional>
#include <span>

#include "base/bytes.h"
#include "net/loop.h"

namespace atlas::net {

// sendmmsg(2); tests put a kernel of their own here.
using SendMessages = std::function<int(int fd, mmsghdr* messages, unsigned count, int flags)>;
int system_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags);

class UdpSender {
 public:
  // What the kernel takes as one segmented message.
  static constexpr std::size_t kMaxSegments = 64;
  static constexpr std::size_t kMaxMessageBytes = 65507;
  static constexpr std::size_t kMessagesPerCall = 64;

  struct Socket {
    int fd = -1;
    Family family = Family::kV4;
    bool dual_stack = false;    // an IPv6 socket that also speaks IPv4
    bool source_fixed = false;  // bound to one address: no need to name the source
    bool gso = true;
  };

  UdpSender(const Socket& socket, UdpCounters& counters, SendMessages call = system_sendmmsg);

  // As UdpSocket::send. When the kernel fills up inside a batch that does not fit one message, the rest of that batch
  // is kept here and counts as taken.
  std::size_t send(std::span<const SendBatch> batches);
  // Sends what was kept; true when nothing is.
  bool flush();
  // The last call ended because the kernel's buffer is full.
  bool blocked() const { return blocked_; }
  bool gso() const { return socket_.gso; }

 private:
  struct Cursor {
    std::size_t batch = 0, offset = 0;
  };
  // One message and the memory its header points at.
  struct Slot {
    Cursor start;
    std::size_t bytes = 0, segment = 0;
    sockaddr_storage address;
    iovec payload;
    alignas(cmsghdr) std::array<std::byte, 96> control;
  };
  // Why a segmented message was refused.
  enum class Refusal { kSegmenting, kDestination, kBlocked };
  struct Rest {
    SendBatch batch;  // `data` points into bytes
    base::Bytes bytes;
    std::size_t sent = 0;
  };

  Cursor push(std::span<const SendBatch> batches);
  void fill(std::span<const SendBatch> batches, Cursor at);
  bool reachable(const SendBatch& batch) const;
  void add(const SendBatch& batch, Cursor at, std::size_t bytes);
  void write_control(Slot& slot, msghdr& header, const SendBatch& batch);
  Cursor after(std::span<const SendBatch> batches, const Slot& slot) const;
  void count_sent(const Slot& slot);
  void drop(const Slot& slot, int error);
  Refusal retry_unsegmented(std::span<const SendBatch> batches, std::size_t index);
  void keep_rest(const SendBatch& batch, std::size_t offset);

  Socket socket_;
  UdpCounters& counters_;
  SendMessages call_;
  bool blocked_ = false;
  Rest rest_;
  std::size_t used_ = 0;
  std::array<mmsghdr, kMessagesPerCall> headers_{};
  std::array<Slot, kMessagesPerCall> slots_;
};

}  // namespace atlas::net
