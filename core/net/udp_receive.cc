#include "net/udp_receive.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace atlas::net {
namespace {

template <class T>
std::optional<T> control_value(const cmsghdr& message) {
  if (message.cmsg_len < CMSG_LEN(sizeof(T))) return std::nullopt;
  T value;
  std::memcpy(&value, CMSG_DATA(&message), sizeof value);
  return value;
}

IpAddress ip_of(const in_addr& address) {
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &address, bytes.size());
  return IpAddress::v4(bytes);
}

IpAddress ip_of(const in6_addr& address) {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &address, bytes.size());
  return IpAddress::v6(bytes);
}

void read_control(const cmsghdr& message, ReceivedBatch& out) {
  if (message.cmsg_level == IPPROTO_UDP && message.cmsg_type == UDP_GRO) {
    const int segment = control_value<int>(message).value_or(0);
    if (segment > 0) out.segment = std::min<std::size_t>(static_cast<std::size_t>(segment), out.data.size());
  } else if (message.cmsg_level == IPPROTO_IP && message.cmsg_type == IP_PKTINFO) {
    if (const auto info = control_value<in_pktinfo>(message)) out.local.ip = ip_of(info->ipi_addr);
  } else if (message.cmsg_level == IPPROTO_IP && message.cmsg_type == IP_TOS) {
    out.ecn = control_value<std::uint8_t>(message).value_or(0) & 3;
  } else if (message.cmsg_level == IPPROTO_IPV6 && message.cmsg_type == IPV6_PKTINFO) {
    if (const auto info = control_value<in6_pktinfo>(message)) out.local.ip = ip_of(info->ipi6_addr);
  } else if (message.cmsg_level == IPPROTO_IPV6 && message.cmsg_type == IPV6_TCLASS) {
    out.ecn = static_cast<std::uint8_t>(control_value<int>(message).value_or(0) & 3);
  }
}

}  // namespace

UdpReceiver::UdpReceiver() : arena_(std::make_unique_for_overwrite<std::uint8_t[]>(kBuffers * kBufferBytes)) {
  for (std::size_t i = 0; i < kBuffers; ++i) {
    payloads_[i] = {arena_.get() + i * kBufferBytes, kBufferBytes};
    msghdr& header = headers_[i].msg_hdr;
    header.msg_name = &senders_[i];
    header.msg_iov = &payloads_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].bytes.data();
  }
}

int UdpReceiver::read(int fd) {
  restore_sizes();
  int count;
  do {
    count = ::recvmmsg(fd, headers_.data(), kBuffers, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  // A call that fails may still have written to the first header.
  written_ = count > 0 ? static_cast<std::size_t>(count) : 1;
  return count < 0 ? -errno : count;
}

// Only for the headers that were used: with one datagram a wake-up, touching all of them would cost more than the rest.
void UdpReceiver::restore_sizes() {
  for (std::size_t i = 0; i < written_; ++i) {
    headers_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    headers_[i].msg_hdr.msg_controllen = sizeof(Control);
    headers_[i].msg_hdr.msg_flags = 0;
  }
}

std::optional<ReceivedBatch> UdpReceiver::message(std::size_t i, const SocketAddress& local) const {
  msghdr header = headers_[i].msg_hdr;
  const std::size_t size = std::min<std::size_t>(headers_[i].msg_len, kBufferBytes);
  const auto remote = SocketAddress::from(reinterpret_cast<const sockaddr*>(&senders_[i]), header.msg_namelen);
  if (size == 0 || !remote) return std::nullopt;
  ReceivedBatch out{.remote = *remote,
                    .local = local,
                    .data = {static_cast<const std::uint8_t*>(payloads_[i].iov_base), size},
                    .segment = size};
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
    read_control(*message, out);
  }
  return out;
}

}  // namespace atlas::net
