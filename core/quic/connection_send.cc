// The flush at the end of a turn: requests to the library, packets to the queue, the timer.
#include <algorithm>

#include "quic/connection.h"
#include "quic/path.h"

namespace atlas::quic {

void QuicConnection::flush(base::MonoNs now) {
  if (ended_) return;
  if (worker_.outlet(remote_.ip.family()).queue->blocked()) return park();
  if (ending_ == nullptr) {
    carry_out();
    if (routed_) change_path(now);
    tell_events();
  }
  if (ending_ == nullptr) {
    if (ack_may_wait_ && work_.empty()) return hold_ack(now);
    send(now);
  }
  if (ending_ != nullptr) return end(now);
  arm(now);
}

// Nothing leaves but an acknowledgement, and an answer that takes it along is probably on its way. The library would
// send it after an eighth of the round trip and alone; it is told to acknowledge every packet (ack_thresh in
// connection.cc), and when that happens is decided here.
void QuicConnection::hold_ack(base::MonoNs now) {
  const base::MonoNs tick = was_in_flight_ ? kTick : kQuietTick;
  worker_.timers.set(*this, base::saturating_mul<base::MonoNs>(now / tick + 1, tick));
}

// Nothing can leave now: wait for the socket, and keep the clock going.
void QuicConnection::park() {
  dirty_ = true;
  worker_.parked.push_back(this);
}

void QuicConnection::carry_out() {
  if (std::exchange(keep_alive_asked_, false)) {
    // Spread by a tenth, or many connections made at once would send at once for ever.
    const base::MonoNs jitter = worker_.random.below(keep_alive_ / 10 + 1);
    ngtcp2_conn_set_keep_alive_timeout(conn_.get(), keep_alive_ - jitter);
  }
  for (Stream *stream = work_.front(), *next = nullptr; stream != nullptr; stream = next) {
    next = stream->later;
    if (stream->credit > 0) {
      const std::uint64_t credit = std::exchange(stream->credit, 0);
      const Protocol& protocol = offer_->protocol;
      const std::uint64_t growth =
          ng::kTunesStreamWindows && !widens_windows_
              ? 0
              : stream->window.grow(credit, protocol.stream_window, protocol.max_stream_window);
      ngtcp2_conn_extend_max_stream_offset(conn_.get(), stream->id, credit + growth);
    }
    give_credit(std::exchange(stream->connection_credit, 0));
    if (stream->reset_asked && !stream->reset_done) {
      stream->reset_done = true;
      stream->send_over = true;
      ng::shutdown_stream(conn_.get(), stream->id, stream->reset_code);
    }
    if (stream->sending.is_due()) {
      stream->sending.done = true;
      ng::shutdown_stream_write(conn_.get(), stream->id, stream->sending.code);
    }
    if (stream->receiving.is_due()) {
      stream->receiving.done = true;
      ng::shutdown_stream_read(conn_.get(), stream->id, stream->receiving.code);
    }
    if (stream->fin_asked && stream->fin_received) give_back(*stream);
    if (!stream->has_work()) work_.remove(*stream);
  }
  return_streams();
}

// To the connection's window.
void QuicConnection::give_credit(std::uint64_t bytes) {
  if (bytes == 0) return;
  const Protocol& protocol = offer_->protocol;
  const std::uint64_t growth =
      widens_windows_ ? window_.grow(bytes, protocol.connection_window, protocol.max_connection_window) : 0;
  ngtcp2_conn_extend_max_offset(conn_.get(), bytes + growth);
}

// Of a stream that is over. Before the peer was judged what it sent is kept above this floor, so nothing comes back: or
// a stranger could have one window's worth after the other kept.
void QuicConnection::give_left(std::uint64_t bytes) {
  if (!is_judged()) {
    withheld_ += bytes;
  } else {
    give_credit(bytes);
  }
}

// An exchange is over with its answer, and the packet that carries the answer can say so. Only so many ahead of the
// acknowledgement, or a peer that acknowledges nothing could have any number of streams.
void QuicConnection::give_back(Stream& stream) {
  if (stream.given_back || streams_ahead_ >= offer_->protocol.max_streams || is_unidirectional(stream.id)) return;
  if (ngtcp2_conn_is_local_stream(conn_.get(), stream.id) != 0) return;
  stream.given_back = true;
  ++streams_ahead_;
  ++streams_over_;
}

// The peer may open a stream for each that is over. Telling it costs a packet and its acknowledgement, so that waits
// for a packet that goes anyway, or until half of what the peer may have open is used up.
void QuicConnection::return_streams() {
  if (!is_judged()) return;
  // None between nodes.
  if (unidirectional_over_ > 0) ngtcp2_conn_extend_max_streams_uni(conn_.get(), std::exchange(unidirectional_over_, 0));
  if (streams_over_ == 0 || (work_.empty() && streams_over_ < (offer_->protocol.max_streams + 1) / 2)) return;
  ngtcp2_conn_extend_max_streams_bidi(conn_.get(), std::exchange(streams_over_, 0));
  ack_may_wait_ = false;
}

void QuicConnection::send(base::MonoNs now) {
  unanswered_datagrams_ = 0;
  ack_may_wait_ = false;
  const std::size_t quantum = ngtcp2_conn_get_send_quantum(conn_.get());
  std::size_t sent = 0;
  ngtcp2_ssize written = 0;
  while (sent < quantum) {
    written = write_packet(now);
    if (written <= 0) break;
    sent += static_cast<std::size_t>(written);
  }
  bytes_sent_ += sent;
  if (sent > 0 && written >= 0 && ng::may_pace(completed_)) ngtcp2_conn_update_pkt_tx_time(conn_.get(), now);
  // The Finished is in what was written: from here on the listener may send anything.
  if (completed_ && sent > 0) early_ = false;
  after_library(written < 0 ? static_cast<int>(written) : 0);
  if (sent >= quantum && ending_ == nullptr) mark_dirty();
}

// One packet with frames of as many streams as fit. Returns its length, 0 when there is nothing to send or no leave to
// (congestion, pacing, amplification, a full socket), or an error that ends the connection.
ngtcp2_ssize QuicConnection::write_packet(base::MonoNs now) {
  SendQueue& queue = *worker_.outlet(remote_.ip.family()).queue;
  const base::MutableBytes room = queue.reserve(ngtcp2_conn_get_max_tx_udp_payload_size(conn_.get()));
  if (room.empty()) {
    if (!dirty_) park();
    return 0;
  }
  ngtcp2_path_storage path;
  ngtcp2_path_storage_zero(&path);
  ngtcp2_pkt_info info{};
  bool begun = false, more_streams = true;
  for (;;) {
    Stream* stream = more_streams ? next_to_send(begun) : nullptr;
    ngtcp2_vec piece{};
    std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
    bool fin = false;
    if (stream != nullptr) {
      const base::ByteView bytes = stream->out.next();
      piece = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
      fin = stream->fin_asked && bytes.size() == stream->out.unsent();
      flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0u);
    }
    ngtcp2_ssize accepted = -1;
    const ngtcp2_ssize written = ngtcp2_conn_writev_stream(
        conn_.get(), &path.path, &info, room.data(), room.size(), &accepted, flags, stream == nullptr ? -1 : stream->id,
        piece.len == 0 ? nullptr : &piece, piece.len == 0 ? 0 : 1, now);
    if (stream != nullptr && accepted >= 0) note_sent(*stream, static_cast<std::size_t>(accepted), fin, piece.len);
    switch (written) {
      case NGTCP2_ERR_WRITE_MORE:
        begun = true;
        more_streams = accepted > 0 || fin;
        continue;
      case NGTCP2_ERR_STREAM_DATA_BLOCKED:
        // In a packet already begun it may be the connection's window that is used up: finish the packet, look again.
        if (begun) {
          more_streams = false;
        } else {
          stream->window_closed = true;
          work_.remove(*stream);
        }
        continue;
      case NGTCP2_ERR_STREAM_SHUT_WR:
      case NGTCP2_ERR_STREAM_NOT_FOUND:
      case NGTCP2_ERR_STREAM_ID_BLOCKED:
        stream->send_over = true;
        if (!stream->has_work()) work_.remove(*stream);
        continue;
      default:
        break;
    }
    if (written <= 0) return written;
    if (stream != nullptr && stream->listed) work_.rotate(*stream);
    commit(path.path, info, room, static_cast<std::size_t>(written));
    return written;
  }
}

void QuicConnection::note_sent(Stream& stream, std::size_t accepted, bool fin, std::size_t offered) {
  stream.out.mark_sent(accepted);
  if (fin && accepted == offered) {
    stream.fin_sent = true;
    stream.fin_alone = accepted == 0;
  }
  if (!stream.has_work()) work_.remove(stream);
}

// Windows can be asked for only between packets. A stream whose own window is closed leaves the list until the peer
// opens it; while the connection's is closed, streams stay and only bare FINs go.
Stream* QuicConnection::next_to_send(bool packet_begun) {
  if (work_.empty()) return nullptr;
  const bool connection_open = packet_begun || ngtcp2_conn_get_max_data_left(conn_.get()) > 0;
  for (Stream *stream = work_.front(), *next = nullptr; stream != nullptr; stream = next) {
    next = stream->later;
    if (!stream->wants_to_send()) continue;
    if (packet_begun || stream->out.unsent() == 0) return stream;
    if (!connection_open) continue;
    if (ngtcp2_conn_get_max_stream_data_left(conn_.get(), stream->id) > 0) return stream;
    stream->window_closed = true;
    if (!stream->has_work()) work_.remove(*stream);
  }
  return nullptr;
}

void QuicConnection::commit(const ngtcp2_path& path, const ngtcp2_pkt_info& info, base::MutableBytes room,
                            std::size_t length) {
  const net::SocketAddress remote = address_of(path.remote), local = address_of(path.local);
  Outlet& here = worker_.outlet(remote_.ip.family());
  Outlet& there = worker_.outlet(remote.ip.family());
  const auto ecn = static_cast<std::uint8_t>(info.ecn);
  if (&here == &there) return here.queue->commit(length, remote, local, ecn);
  // A probe of a path of the other family.
  if (there.queue != nullptr) there.queue->put(room.first(length), remote, local);
}

void QuicConnection::arm(base::MonoNs now) {
  if (shows_life_ && ng::info_of(conn_.get()).bytes_in_flight > 0) {
    shows_life_ = false;
    ngtcp2_conn_set_keep_alive_timeout(conn_.get(), keep_alive_);
  }
  const base::MonoNs watch = routed_ ? std::min(watch_path(now), watch_forwarder(now)) : base::kNever;
  const base::MonoNs handshake = completed_ ? base::kNever : handshake_deadline();
  const base::MonoNs expiry = std::min({ngtcp2_conn_get_expiry(conn_.get()), watch, handshake});
  if (expiry == base::kNever) return worker_.timers.remove(*this);
  // Data waits for its moment (pacing).
  if (!work_.empty() && expiry > now) return worker_.timers.set(*this, expiry);
  // Otherwise (acknowledgements, loss, idle) the end of the tick will do; so it does when the library names a time that
  // has passed although we did all we could, or we would spin.
  const base::MonoNs at = std::max(expiry, base::after(now, 1));
  const base::MonoNs rounded = base::saturating_mul<base::MonoNs>(at / kTick + (at % kTick != 0 ? 1 : 0), kTick);
  worker_.timers.set(*this, rounded == base::kNever ? at : rounded);
}

}  // namespace atlas::quic
