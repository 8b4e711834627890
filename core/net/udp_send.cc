// Errors and what is made of them: a full buffer stops and keeps the place; a message too large for the path is a probe
// that failed; a refusal to segment is tried once without segmenting, because the same error (EINVAL) also comes from a
// destination that can never be sent to, and one such destination must not slow all others down.
#include "net/udp_send.h"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace atlas::net {
namespace {

// Appends control messages to a header whose control area is large enough for all that are ever written.
class ControlWriter {
 public:
  ControlWriter(msghdr& header, std::span<std::byte> area) : header_(header), area_(area) {}

  template <class T>
  void add(int level, int type, const T& value) {
    auto* message = reinterpret_cast<cmsghdr*>(area_.data() + used_);
    message->cmsg_level = level;
    message->cmsg_type = type;
    message->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(message), &value, sizeof value);
    used_ += CMSG_SPACE(sizeof value);
  }

  void finish() {
    header_.msg_control = used_ == 0 ? nullptr : area_.data();
    header_.msg_controllen = used_;
  }

 private:
  msghdr& header_;
  std::span<std::byte> area_;
  std::size_t used_ = 0;
};

std::size_t datagrams(std::size_t bytes, std::size_t segment) {
  return bytes == 0 ? 1 : (bytes + segment - 1) / segment;
}

std::size_t segment_of(const SendBatch& batch) {
  return batch.segment == 0 ? batch.data.size() : batch.segment;
}

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

int system_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return ::sendmmsg(fd, messages, count, flags);
}

UdpSender::UdpSender(const Socket& socket, UdpCounters& counters, SendMessages call)
    : socket_(socket), counters_(counters), call_(std::move(call)) {
  static_assert(sizeof(Slot::control) >=
                CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint16_t)));
}

std::size_t UdpSender::send(std::span<const SendBatch> batches) {
  if (!flush()) return 0;
  const Cursor stop = push(batches);
  if (stop.batch == batches.size() || stop.offset == 0) return stop.batch;
  keep_rest(batches[stop.batch], stop.offset);
  return stop.batch + 1;
}

bool UdpSender::flush() {
  blocked_ = false;
  if (rest_.bytes.empty()) return true;
  rest_.batch.data = base::ByteView(rest_.bytes).subspan(rest_.sent);
  const Cursor stop = push({&rest_.batch, 1});
  if (stop.batch == 0) {
    rest_.sent += stop.offset;
    return false;
  }
  rest_ = {};
  return true;
}

void UdpSender::keep_rest(const SendBatch& batch, std::size_t offset) {
  const base::ByteView data = batch.data.subspan(offset);
  rest_.batch = batch;
  rest_.bytes.assign(data.begin(), data.end());
  rest_.sent = 0;
}

// Sends from the first batch on; returns where it stopped, which is past the last batch unless the kernel is full.
UdpSender::Cursor UdpSender::push(std::span<const SendBatch> batches) {
  Cursor at;
  while (at.batch < batches.size()) {
    if (!reachable(batches[at.batch])) {
      counters_.failed += datagrams(batches[at.batch].data.size(), segment_of(batches[at.batch]));
      at = {at.batch + 1, 0};
      continue;
    }
    fill(batches, at);
    std::size_t first = 0;
    while (first < used_) {
      ++counters_.send_calls;
      const int sent = call_(socket_.fd, &headers_[first], static_cast<unsigned>(used_ - first), MSG_DONTWAIT);
      if (sent > 0) {
        for (int i = 0; i < sent; ++i) count_sent(slots_[first++]);
        at = after(batches, slots_[first - 1]);
        continue;
      }
      const int error = errno;
      if (error == EINTR) continue;
      if (would_block(error)) {
        ++counters_.blocked;
        blocked_ = true;
        return slots_[first].start;
      }
      const bool segmented = slots_[first].bytes > slots_[first].segment;
      if (segmented && (error == EIO || error == EINVAL)) {
        const Refusal refusal = retry_unsegmented(batches, first);
        if (refusal == Refusal::kBlocked) return slots_[first].start;
        at = after(batches, slots_[first]);
        if (refusal == Refusal::kSegmenting) break;  // what is left is cut again, one datagram a message
      } else {
        drop(slots_[first], error);
        at = after(batches, slots_[first]);
      }
      ++first;
    }
  }
  return at;
}

// Fills the slots with messages from `at` on, up to a batch that this socket cannot send.
void UdpSender::fill(std::span<const SendBatch> batches, Cursor at) {
  used_ = 0;
  while (at.batch < batches.size() && used_ < kMessagesPerCall && reachable(batches[at.batch])) {
    const SendBatch& batch = batches[at.batch];
    const std::size_t left = batch.data.size() - at.offset;
    const std::size_t segment = segment_of(batch);
    std::size_t bytes = std::min(left, segment);
    if (socket_.gso && segment != 0 && segment <= kMaxMessageBytes) {
      bytes = std::min(left, segment * std::min(kMaxSegments, kMaxMessageBytes / segment));
    }
    add(batch, at, bytes);
    at.offset += bytes;
    if (at.offset >= batch.data.size()) at = {at.batch + 1, 0};
  }
}

bool UdpSender::reachable(const SendBatch& batch) const {
  return batch.remote.ip.family() == socket_.family || (socket_.dual_stack && batch.remote.ip.is_v4());
}

void UdpSender::add(const SendBatch& batch, Cursor at, std::size_t bytes) {
  Slot& slot = slots_[used_];
  slot.start = at;
  slot.bytes = bytes;
  slot.segment = segment_of(batch);
  // sendmmsg does not write to the payload; iovec has no const form.
  slot.payload = {const_cast<std::uint8_t*>(batch.data.data()) + at.offset, bytes};
  msghdr& header = headers_[used_].msg_hdr;
  header.msg_name = &slot.address;
  header.msg_namelen = batch.remote.to(slot.address, socket_.family == Family::kV6);
  header.msg_iov = &slot.payload;
  header.msg_iovlen = 1;
  write_control(slot, header, batch);
  ++used_;
}

void UdpSender::write_control(Slot& slot, msghdr& header, const SendBatch& batch) {
  ControlWriter control(header, slot.control);
  const bool to_v4 = batch.remote.ip.is_v4();
  const std::string_view source = batch.local.ip.bytes();
  const bool same_family = batch.local.ip.family() == batch.remote.ip.family();
  if (!socket_.source_fixed && same_family && batch.local.ip.scope() != Scope::kUnspecified) {
    if (to_v4) {
      in_pktinfo info{};
      std::memcpy(&info.ipi_spec_dst, source.data(), source.size());
      control.add(IPPROTO_IP, IP_PKTINFO, info);
    } else {
      in6_pktinfo info{};
      std::memcpy(&info.ipi6_addr, source.data(), source.size());
      control.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
  }
  if (const int ecn = batch.ecn & 3; ecn != 0) {
    if (to_v4) {
      control.add(IPPROTO_IP, IP_TOS, ecn);
    } else {
      control.add(IPPROTO_IPV6, IPV6_TCLASS, ecn);
    }
  }
  if (slot.bytes > slot.segment) control.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(slot.segment));
  control.finish();
}

UdpSender::Cursor UdpSender::after(std::span<const SendBatch> batches, const Slot& slot) const {
  const Cursor next{slot.start.batch, slot.start.offset + slot.bytes};
  return next.offset >= batches[next.batch].data.size() ? Cursor{next.batch + 1, 0} : next;
}

void UdpSender::count_sent(const Slot& slot) {
  counters_.sent_datagrams += datagrams(slot.bytes, slot.segment);
  counters_.sent_bytes += slot.bytes;
}

void UdpSender::drop(const Slot& slot, int error) {
  (error == EMSGSIZE ? counters_.oversize : counters_.failed) += datagrams(slot.bytes, slot.segment);
}

// Sends the first datagram of a refused message by itself. If that works, segmenting is what the kernel refused: it is
// switched off, and the slot is that one datagram. If it fails too, the destination is at fault and all of the message
// is dropped.
UdpSender::Refusal UdpSender::retry_unsegmented(std::span<const SendBatch> batches, std::size_t index) {
  Slot& slot = slots_[index];
  const std::size_t whole = slot.bytes;
  slot.bytes = slot.payload.iov_len = slot.segment;
  write_control(slot, headers_[index].msg_hdr, batches[slot.start.batch]);
  int sent;
  do {
    ++counters_.send_calls;
    sent = call_(socket_.fd, &headers_[index], 1, MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent > 0) {
    count_sent(slot);
    ++counters_.gso_refused;
    socket_.gso = false;
    return Refusal::kSegmenting;
  }
  if (would_block(errno)) {
    ++counters_.blocked;
    blocked_ = true;
    return Refusal::kBlocked;
  }
  slot.bytes = whole;
  drop(slot, errno);
  return Refusal::kDestination;
}

}  // namespace atlas::net
