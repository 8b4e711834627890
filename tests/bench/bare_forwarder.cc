#include "bench/bare_forwarder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace atlas::bench {
namespace {

struct Address {
  explicit Address(const net::SocketAddress& from) : size(from.to(raw)) {}
  sockaddr_storage raw{};
  socklen_t size;
};

// What comes from the one goes to the other. Never returns; a child of a program with threads does nothing else.
[[noreturn]] void forward(int fd, const Address& a, const Address& b) {
  std::array<std::uint8_t, kMostBytes> datagram;
  for (;;) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) continue;
    const bool from_a = std::memcmp(&from, &a.raw, a.size) == 0;
    const Address& to = from_a ? b : a;
    static_cast<void>(::sendto(fd, datagram.data(), static_cast<std::size_t>(got), 0,
                               reinterpret_cast<const sockaddr*>(&to.raw), to.size));
  }
}

}  // namespace

BareForwarder::BareForwarder(const net::IpAddress& loopback, std::size_t size)
    : a_({loopback, 0}), b_({loopback, 0}), between_({loopback, 0}) {
  a_.connect(between_.local());
  b_.connect(between_.local());
  near_ = {a_.fd(), base::Bytes(size), size};
  far_ = {b_.fd(), base::Bytes(size), size};
  const Address a(a_.local()), b(b_.local());
  const int fd = between_.fd();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  forward(fd, a, b);
}

BareForwarder::~BareForwarder() {
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace atlas::bench
