// The receiving half of UDP sockets: one arena of buffers for all sockets of a loop, filled by recvmmsg with UDP GRO.
// 2 MiB a loop rather than a socket, because only one socket is read at a time and nothing outlives the callback.
//
// Loop thread only.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

#include "net/loop.h"

namespace atlas::net {

// At most this many recvmmsg a wake-up; what is left waits for the next turn, so that one busy socket does not keep
// timers and the other sockets waiting.
inline constexpr int kReadsPerTurn = 4;

class UdpReceiver {
 public:
  static constexpr std::size_t kBuffers = 32;
  static constexpr std::size_t kBufferBytes = 64 << 10;

  UdpReceiver();

  // One recvmmsg. How many messages came; negative: -errno.
  int read(int fd);
  // Message i of the last read. Nothing for an empty datagram, and for one whose sender cannot be told. `local` is what
  // the socket is bound to, for what the kernel does not say.
  std::optional<ReceivedBatch> message(std::size_t i, const SocketAddress& local) const;

 private:
  struct alignas(cmsghdr) Control {
    std::array<std::byte, 192> bytes;
  };

  void restore_sizes();

  std::unique_ptr<std::uint8_t[]> arena_;
  std::array<mmsghdr, kBuffers> headers_{};
  std::array<iovec, kBuffers> payloads_{};
  std::array<sockaddr_storage, kBuffers> senders_;
  std::array<Control, kBuffers> controls_;
  std::size_t written_ = kBuffers;  // headers whose sizes the kernel has written over
};

}  // namespace atlas::net
