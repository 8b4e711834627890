// What the floor above asks of a connection. Nothing here writes a packet: requests are noted for the flush.
#include <algorithm>

#include "quic/connection.h"

namespace atlas::quic {

using base::Fault;

Stream* QuicConnection::find(StreamId id) const {
  const auto at = std::ranges::lower_bound(streams_, id, {}, [](const auto& stream) { return stream->id; });
  return at != streams_.end() && (*at)->id == id ? at->get() : nullptr;
}

Stream& QuicConnection::add_stream(StreamId id) {
  const auto at = std::ranges::lower_bound(streams_, id, {}, [](const auto& stream) { return stream->id; });
  Stream& stream = **streams_.insert(at, std::make_unique<Stream>(id));
  ngtcp2_conn_set_stream_user_data(conn_.get(), id, &stream);
  return stream;
}

void QuicConnection::drop_stream(Stream& stream) {
  work_.remove(stream);
  unacknowledged_ -= stream.out.unacknowledged();
  const auto at = std::ranges::lower_bound(streams_, stream.id, {}, [](const auto& held) { return held->id; });
  streams_.erase(at);
}

void QuicConnection::list(Stream& stream) {
  if (stream.has_work()) work_.add(stream);
}

base::Result<StreamId> QuicConnection::open_stream() {
  if (!told_connected_ || ending_ != nullptr) return base::fail(Fault::kState, "the connection is not open");
  StreamId id = -1;
  const int result = ngtcp2_conn_open_bidi_stream(conn_.get(), &id, nullptr);
  if (result == NGTCP2_ERR_STREAM_ID_BLOCKED) return base::fail(Fault::kFull, "the peer allows no more streams now");
  if (result != 0) return base::fail(Fault::kInternal, ngtcp2_strerror(result));
  add_stream(id);
  return id;
}

base::Result<StreamId> QuicConnection::open_unidirectional_stream() {
  if (!told_connected_ || ending_ != nullptr) return base::fail(Fault::kState, "the connection is not open");
  StreamId id = -1;
  const int result = ngtcp2_conn_open_uni_stream(conn_.get(), &id, nullptr);
  if (result == NGTCP2_ERR_STREAM_ID_BLOCKED) return base::fail(Fault::kFull, "the peer allows no more streams now");
  if (result != 0) return base::fail(Fault::kInternal, ngtcp2_strerror(result));
  add_stream(id);
  return id;
}

std::uint64_t QuicConnection::streams_left(bool unidirectional) const {
  if (!told_connected_ || ending_ != nullptr) return 0;
  return unidirectional ? ngtcp2_conn_get_streams_uni_left(conn_.get())
                        : ngtcp2_conn_get_streams_bidi_left(conn_.get());
}

bool QuicConnection::write(StreamId id, base::ByteView data, bool fin) {
  if (ending_ != nullptr) return false;
  Stream* stream = find(id);
  if (stream == nullptr || stream->fin_asked || stream->send_over || stream->reset_asked) return false;
  if (is_unidirectional(id) && ngtcp2_conn_is_local_stream(conn_.get(), id) == 0) return false;
  stream->out.append(data);
  stream->fin_asked = fin;
  unacknowledged_ += data.size();
  list(*stream);
  mark_dirty();
  return true;
}

std::size_t QuicConnection::unacknowledged(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->out.unacknowledged();
}

void QuicConnection::consume(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || ending_ != nullptr) return;
  stream->consume(bytes);
  if (stream->credit == 0) return;
  list(*stream);
  mark_dirty();
}

void QuicConnection::release(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || ending_ != nullptr) return;
  stream->release(bytes);
  if (stream->connection_credit == 0) return;
  list(*stream);
  mark_dirty();
}

void QuicConnection::watch(StreamId id) {
  if (Stream* stream = find(id)) stream->watched = true;
}

void QuicConnection::reset(StreamId id, std::uint64_t code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset_asked || ending_ != nullptr) return;
  stream->reset_asked = true;
  stream->reset_code = code & NGTCP2_MAX_VARINT;
  list(*stream);
  mark_dirty();
}

void QuicConnection::reset_sending(StreamId id, std::uint64_t code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset_asked || stream->send_over || ending_ != nullptr) return;
  stream->sending = {true, false, code & NGTCP2_MAX_VARINT};
  stream->send_over = true;
  list(*stream);
  mark_dirty();
}

void QuicConnection::stop_receiving(StreamId id, std::uint64_t code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset_asked || stream->receiving.asked || ending_ != nullptr) return;
  stream->receiving = {true, false, code & NGTCP2_MAX_VARINT};
  list(*stream);
  mark_dirty();
}

void QuicConnection::close(std::uint64_t code, std::string_view reason) {
  if (ending_ != nullptr || ended_) return;
  end_with(
      {CloseInfo::By::kLocal, code & NGTCP2_MAX_VARINT, std::string(reason.substr(0, base::limits::quic_reason_bytes))},
      Ending::Farewell::kClose);
  const std::string& kept = ending_->info.reason;
  ngtcp2_ccerr_set_application_error(&ending_->error, ending_->info.code,
                                     reinterpret_cast<const std::uint8_t*>(kept.data()), kept.size());
}

void QuicConnection::refuse(std::uint64_t code, std::string_view reason) {
  if (ending_ != nullptr || ended_) return;
  end_with({CloseInfo::By::kLocal, code, std::string(reason.substr(0, base::limits::quic_reason_bytes))},
           Ending::Farewell::kClose);
  const std::string& kept = ending_->info.reason;
  ngtcp2_ccerr_set_transport_error(&ending_->error, code, reinterpret_cast<const std::uint8_t*>(kept.data()),
                                   kept.size());
}

void QuicConnection::mark_forwarder() {
  if (forwarder_.port != 0 || routed_ || ending_ != nullptr) return;
  forwarder_ = remote_;
  worker_.forwarders.emplace(forwarder_, this);
}

void QuicConnection::mark_verified() {
  leave_half_open();
  if (std::exchange(verified_, true) || between_nodes() || ending_ != nullptr) return;
  const std::uint64_t window = offer_->protocol.connection_window;
  const std::uint64_t begun = std::min<std::uint64_t>(window, base::limits::quic_unjudged_bytes);
  const std::uint64_t due = window - begun + std::exchange(withheld_, 0);
  if (due > 0) ngtcp2_conn_extend_max_offset(conn_.get(), due);
  mark_dirty();
}

void QuicConnection::keep_alive(base::MonoNs idle) {
  keep_alive_ = idle;
  keep_alive_asked_ = true;
  mark_dirty();
}

std::optional<base::ByteArray<16>> QuicConnection::loss_token() const {
  if (side_ == Side::kDialler || ids_.empty()) return std::nullopt;
  // The oldest id that is not retired is the one that the peer writes.
  ngtcp2_cid id{};
  ngtcp2_cid_init(&id, ids_.front().data(), ids_.front().size());
  return worker_.stateless.reset_token(id);
}

ConnectionStats QuicConnection::stats() const {
  ConnectionStats out;
  if (conn_ != nullptr) out.smoothed_rtt = ng::info_of(conn_.get()).smoothed_rtt;
  out.bytes_sent = bytes_sent_;
  out.bytes_received = bytes_received_;
  out.streams = streams_.size();
  return out;
}

}  // namespace atlas::quic
