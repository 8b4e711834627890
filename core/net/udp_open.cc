#include "net/udp_open.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace atlas::net {
namespace {

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

base::Fault fault_of(int error) {
  switch (error) {
    case EADDRINUSE:
      return base::Fault::kConflict;
    case EACCES:
    case EPERM:
      return base::Fault::kDenied;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
      return base::Fault::kArgument;
    default:
      return base::Fault::kInternal;
  }
}

std::string_view advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another process has it: stop that one or choose another port";
    case EACCES:
    case EPERM:
      return "; ports below 1024 need CAP_NET_BIND_SERVICE: choose another port";
    case EADDRNOTAVAIL:
      return "; this machine has no such address: use one of its own, or 0.0.0.0 or [::]";
    case EAFNOSUPPORT:
      return "; this machine has no support for that address family";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files";
    default:
      return "";
  }
}

std::unexpected<base::Error> failed(const SocketAddress& bind, std::string_view step, int error) {
  return base::fail(fault_of(error), fmt::format("udp {}: {}: {}{}", bind.text(), step,
                                                 std::generic_category().message(error), advice(error)));
}

void set_v4_options(int fd) {
  set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

void set_v6_options(int fd) {
  set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() {
  return std::exchange(fd_, -1);
}

void Descriptor::reset() {
  if (fd_ >= 0) ::close(release());
}

base::Result<OpenedUdp> open_udp_socket(const SocketAddress& bind, const UdpOptions& options) {
  if (bind.ip.family() == Family::kNone) {
    return base::fail(base::Fault::kArgument, "udp: no address to bind to; give one such as 0.0.0.0:4433");
  }
  const bool v6 = !bind.ip.is_v4();
  OpenedUdp out;
  out.fd = Descriptor(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = out.fd.get();
  if (fd < 0) return failed(bind, "socket", errno);

  if (v6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0)) {
    return failed(bind, "IPV6_V6ONLY", errno);
  }
  if (options.reuse_port && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return failed(bind, "SO_REUSEPORT", errno);
  // What follows makes things better or faster; an older kernel that lacks one of them still works.
  if (v6) set_v6_options(fd);
  if (!v6 || !options.v6_only) set_v4_options(fd);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
  out.gso = set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0);  // 0 changes nothing but tells whether the kernel knows it

  sockaddr_storage address{};
  socklen_t length = bind.to(address, v6);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) return failed(bind, "bind", errno);
  length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return failed(bind, "name", errno);
  const auto local = SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), length);
  if (!local) return failed(bind, "name", EAFNOSUPPORT);
  out.local = *local;
  return out;
}

}  // namespace atlas::net
