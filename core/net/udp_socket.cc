#include "net/udp_socket.h"

#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/udp_open.h"
#include "net/udp_shed.h"

#ifndef SO_MEMINFO  // newer than the C library's headers
#define SO_MEMINFO 55
#endif

namespace atlas::net {
namespace {

// What a socket is made of. Shared by the handle that the owner holds and by libuv, which lets go of its poll handle
// only some time after uv_close; callbacks hold it too, so that they may destroy the socket.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(UdpReceiver& receiver, OpenedUdp opened, const UdpOptions& options, UdpEvents events, SendMessages call)
      : receiver_(receiver),
        fd_(std::move(opened.fd)),
        local_(opened.local),
        events_(std::move(events)),
        sender_({.fd = fd_.get(),
                 .family = local_.ip.family(),
                 .dual_stack = !local_.ip.is_v4() && !options.v6_only,
                 .source_fixed = local_.ip.scope() != Scope::kUnspecified,
                 .gso = opened.gso},
                counters_, std::move(call)) {}

  int start(uv_loop_t& loop) {
    if (const int error = uv_poll_init(&loop, &poll_, fd_.get()); error != 0) return error;
    held_by_loop_ = shared_from_this();
    poll_.data = this;
    return poll(UV_READABLE);
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    if (held_by_loop_ != nullptr) {
      uv_close(reinterpret_cast<uv_handle_t*>(&poll_),
               [](uv_handle_t* handle) { static_cast<Core*>(handle->data)->held_by_loop_.reset(); });
    }
    fd_.reset();
  }

  std::size_t send(std::span<const SendBatch> batches) {
    const std::size_t taken = sender_.send(batches);
    if (sender_.blocked() && !waiting_to_write_) {
      waiting_to_write_ = true;
      poll(UV_READABLE | UV_WRITABLE);
    }
    return taken;
  }

  const SocketAddress& local() const { return local_; }
  const UdpCounters& counters() const { return counters_; }

  std::optional<ReceiveQueue> receive_queue() const {
    std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
    socklen_t length = sizeof values;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, values.data(), &length) != 0) return std::nullopt;
    return ReceiveQueue{values[SK_MEMINFO_RMEM_ALLOC], values[SK_MEMINFO_RCVBUF], values[SK_MEMINFO_DROPS]};
  }
  bool shed(std::span<const ShedRule> rules) { return attach_shed(fd_.get(), rules); }

 private:
  int poll(int events) {
    return uv_poll_start(&poll_, events, [](uv_poll_t* handle, int status, int ready) {
      static_cast<Core*>(handle->data)->on_ready(status, ready);
    });
  }

  void on_ready(int status, int ready) {
    const std::shared_ptr<Core> hold = shared_from_this();
    if (status < 0) {
      clear_error();
      return;
    }
    // Writing first keeps what was held back ahead of the answers to what is read now.
    if ((ready & UV_WRITABLE) != 0) on_writable();
    if (!closed_ && (ready & UV_READABLE) != 0) on_readable();
  }

  // libuv stops polling a descriptor that reports an error; taking the error off makes it usable again.
  void clear_error() {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    ++counters_.receive_errors;
    poll(waiting_to_write_ ? UV_READABLE | UV_WRITABLE : UV_READABLE);
  }

  void on_writable() {
    if (!sender_.flush()) return;
    waiting_to_write_ = false;
    poll(UV_READABLE);
    if (events_.on_writable) events_.on_writable();
  }

  void on_readable() {
    if (events_.on_turn_begin) events_.on_turn_begin();
    for (int i = 0; i < kReadsPerTurn && !closed_; ++i) {
      ++counters_.receive_calls;
      const int count = receiver_.read(fd_.get());
      if (count == -EAGAIN || count == -EWOULDBLOCK) break;
      if (count < 0) {  // an ICMP error; it is taken off by having been reported
        ++counters_.receive_errors;
        continue;
      }
      deliver(static_cast<std::size_t>(count));
      if (static_cast<std::size_t>(count) < UdpReceiver::kBuffers) break;
    }
    if (!closed_ && events_.on_turn_end) events_.on_turn_end();
  }

  void deliver(std::size_t count) {
    for (std::size_t i = 0; i < count && !closed_; ++i) {
      const auto batch = receiver_.message(i, local_);
      if (!batch) {
        ++counters_.received_datagrams;
        ++counters_.received_empty;
        continue;
      }
      counters_.received_datagrams += (batch->data.size() + batch->segment - 1) / batch->segment;
      counters_.received_bytes += batch->data.size();
      if (events_.on_datagrams) events_.on_datagrams(*batch);
    }
  }

  UdpReceiver& receiver_;
  Descriptor fd_;
  const SocketAddress local_;
  const UdpEvents events_;
  UdpCounters counters_;
  UdpSender sender_;
  uv_poll_t poll_{};
  bool waiting_to_write_ = false;
  bool closed_ = false;
  std::shared_ptr<Core> held_by_loop_;
};

class UvUdpSocket final : public UdpSocket {
 public:
  explicit UvUdpSocket(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~UvUdpSocket() override { core_->close(); }

  SocketAddress local() const override { return core_->local(); }
  std::size_t send(std::span<const SendBatch> batches) override { return core_->send(batches); }
  const UdpCounters& counters() const override { return core_->counters(); }
  std::optional<ReceiveQueue> receive_queue() const override { return core_->receive_queue(); }
  bool shed(std::span<const ShedRule> rules) override { return core_->shed(rules); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

base::Result<std::unique_ptr<UdpSocket>> open_uv_udp(uv_loop_t& loop, UdpReceiver& receiver, const SocketAddress& bind,
                                                     const UdpOptions& options, UdpEvents events, SendMessages call) {
  auto opened = open_udp_socket(bind, options);
  if (!opened) return std::unexpected(opened.error());
  auto core = std::make_shared<Core>(receiver, std::move(*opened), options, std::move(events), std::move(call));
  if (const int error = core->start(loop); error != 0) {
    core->close();
    return base::fail(base::Fault::kInternal, fmt::format("udp {}: poll: {}", bind.text(), uv_strerror(error)));
  }
  return std::make_unique<UvUdpSocket>(std::move(core));
}

}  // namespace atlas::net
