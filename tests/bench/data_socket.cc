#include "bench/data_socket.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

namespace atlas::bench {
namespace {

[[noreturn]] void fail(const char* what, int error) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(error));
}

net::OpenedUdp open(const net::SocketAddress& local) {
  auto opened = net::open_udp_socket(local, {.reuse_port = true});
  if (!opened) throw std::runtime_error(opened.error().text);
  return std::move(*opened);
}

}  // namespace

DataSocket::DataSocket(const net::SocketAddress& local) : opened_(open(local)) {}

DataSocket::DataSocket(const net::SocketAddress& local, const net::SocketAddress& remote) : DataSocket(local) {
  connect(remote);
}

void DataSocket::connect(const net::SocketAddress& remote) {
  sockaddr_storage address{};
  const socklen_t length = remote.to(address);
  if (::connect(fd(), reinterpret_cast<const sockaddr*>(&address), length) != 0) fail("connect", errno);
}

bool DataSocket::send(base::ByteView data, std::size_t size) {
  iovec payload{const_cast<std::uint8_t*>(data.data()), data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_iov = &payload;
  message.msg_iovlen = 1;
  if (data.size() > size) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* segment = CMSG_FIRSTHDR(&message);
    segment->cmsg_level = IPPROTO_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto value = static_cast<std::uint16_t>(size);
    std::memcpy(CMSG_DATA(segment), &value, sizeof value);
  }
  while (::sendmsg(fd(), &message, MSG_DONTWAIT) < 0) {
    if (errno == EAGAIN || errno == ENOBUFS) return false;
    if (errno != EINTR) fail("sendmsg", errno);
  }
  return true;
}

bool DataSocket::receive(net::UdpReceiver& receiver, const std::function<void(const net::ReceivedBatch&)>& take) {
  const int count = receiver.read(fd());
  if (count == -EAGAIN) return false;
  if (count < 0) fail("recvmmsg", -count);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (const auto batch = receiver.message(i, local())) take(*batch);
  }
  return true;
}

base::Bytes DataSocket::receive_one(int wait_ms) {
  pollfd waiting{fd(), POLLIN, 0};
  if (::poll(&waiting, 1, wait_ms) <= 0) return {};
  base::Bytes out(kMostBytes);
  const auto got = ::recv(fd(), out.data(), out.size(), MSG_DONTWAIT);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

std::uint64_t DataSocket::drops() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof values;
  if (::getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, values.data(), &length) != 0) fail("SO_MEMINFO", errno);
  return values[SK_MEMINFO_DROPS];
}

}  // namespace atlas::bench
