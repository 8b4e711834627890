#include "quic/connection.h"

#include <algorithm>

#include "base/log.h"
#include "quic/early_strip.h"
#include "quic/forwarding.h"
#include "quic/path.h"

namespace atlas::quic {
namespace {

// With 2 a second migration in a row is fatal; 8 costs more rows and frames.
constexpr std::size_t kActiveIds = base::limits::quic_active_connection_ids;
constexpr std::size_t kDialledIdLength = 16;  // of the first id we make up as a client

constexpr std::uint64_t kUnjudged = base::limits::quic_unjudged_bytes;

// What the peer may send before its first credit, and before it is accepted.
std::uint64_t first_connection_window(const Protocol& protocol) {
  return protocol.key != nullptr ? protocol.connection_window : std::min(protocol.connection_window, kUnjudged);
}

ngtcp2_settings settings_for(Worker& worker, const Protocol& protocol, base::MonoNs now) {
  ngtcp2_settings settings;
  ngtcp2_settings_default(&settings);
  settings.initial_ts = now;
  settings.handshake_timeout = protocol.handshake_timeout;
  settings.max_window = protocol.max_connection_window;
  settings.max_stream_window = ng::kTunesStreamWindows ? protocol.max_stream_window : 0;
  settings.no_pmtud = 0;
  settings.ack_thresh = 1;  // every packet at once, but see QuicConnection::hold_ack
  settings.rand_ctx.native_handle = &worker.random;
  return settings;
}

void offer_limits(ngtcp2_transport_params& params, const Protocol& protocol) {
  params.initial_max_stream_data_bidi_local = protocol.stream_window;
  params.initial_max_stream_data_bidi_remote = protocol.stream_window;
  params.initial_max_stream_data_uni = protocol.max_unidirectional > 0 ? protocol.stream_window : 0;
  params.initial_max_data = first_connection_window(protocol);
  params.initial_max_streams_bidi = protocol.max_streams;
  params.initial_max_streams_uni = protocol.max_unidirectional;
  params.max_datagram_frame_size = 0;
  params.max_idle_timeout = protocol.idle_timeout;
  params.active_connection_id_limit = kActiveIds;
}

ngtcp2_cid random_id(base::Random& random, std::size_t length) {
  ngtcp2_cid id{};
  id.datalen = length;
  random.fill({id.data, length});
  return id;
}

}  // namespace

QuicConnection::QuicConnection(Worker& worker, const std::vector<std::unique_ptr<Offer>>& offers, Side side)
    : Route(Kind::kConnection), worker_(worker), offers_(offers), side_(side), number_(worker.next_number++) {
  handshake_ = std::make_unique<Handshake>();
}

QuicConnection::~QuicConnection() {
  if (ended_) return;
  worker_.timers.remove(*this);
  leave_half_open();
  if (offer_ != nullptr) --offer_->connections;
  release_ids(nullptr);
}

bool QuicConnection::start_listener(const TlsContext& tls, const Accepted& accepted, base::MonoNs now) {
  started_ = now;
  remote_ = accepted.remote;
  local_ = accepted.local;
  half_open_ = true;
  ++worker_.counters.half_open;
  const ngtcp2_pkt_hd& initial = *accepted.initial;
  const Protocol& protocol = offers_.front()->protocol;

  if (accepted.expectation != nullptr) {
    routed_ = std::make_unique<Routed>();
    routed_->prefix = accepted.expectation->route;
    routed_->forwarder = remote_;
    handshake_->expected_node_id = accepted.expectation->node_id;
  }
  const ngtcp2_cid id = make_id();
  ngtcp2_settings settings = settings_for(worker_, protocol, now);
  settings.handshake_timeout = worker_.longest_handshake;
  widens_windows_ = worker_.widens_windows;
  if (widens_windows_) settings.max_window = settings.max_stream_window = 0;
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  offer_limits(params, protocol);
  ng::set_original_dcid(params, accepted.original_id.value_or(initial.dcid));
  if (accepted.original_id) {
    params.retry_scid = initial.dcid;
    params.retry_scid_present = 1;
    ng::set_retry_token(settings, ng::token_of(initial));
  }
  const ResetToken token = worker_.stateless.reset_token(id);
  std::ranges::copy(token, params.stateless_reset_token);
  params.stateless_reset_token_present = 1;

  ngtcp2_conn* conn = nullptr;
  const Path path(local_, remote_);
  if (ngtcp2_conn_server_new(&conn, &initial.scid, &id, path.get(), initial.version, &callbacks_of(side_), &settings,
                             &params, nullptr, static_cast<void*>(this)) != 0) {
    return false;
  }
  conn_.reset(conn);
  handshake_->session = tls.listener(*this, worker_.alpns);
  if (handshake_->session == nullptr) return false;
  ngtcp2_conn_set_tls_native_handle(conn, handshake_->session.get());

  claim_id(id);
  if (routed_) return true;  // the first id begins with it, too
  first_id_ = first_id({initial.dcid.data, initial.dcid.datalen});
  worker_.first_ids.insert(first_id_, this);
  return true;
}

bool QuicConnection::start_dialler(const TlsContext& tls, Offer& offer, const DialOptions& options,
                                   const net::SocketAddress& local, base::MonoNs now) {
  started_ = now;
  choose(offer);
  remote_ = options.remote;
  local_ = bound_ = local;
  early_ = true;
  user = options.user;
  handshake_->expected_node_id = options.expected_node_id.value_or("");

  ngtcp2_cid first = random_id(worker_.random, kDialledIdLength);
  if (options.via) {
    routed_ = std::make_unique<Routed>();
    routed_->prefix = options.via->route;
    routed_->forwarder = remote_;
    std::ranges::copy(options.via->peer_route, first.data);
  }
  const ngtcp2_cid id = make_id();
  ngtcp2_settings settings = settings_for(worker_, offer.protocol, now);
  if (options.handshake_timeout != 0) settings.handshake_timeout = options.handshake_timeout;
  handshake_->timeout = settings.handshake_timeout;
  ngtcp2_transport_params params;
  ngtcp2_transport_params_default(&params);
  offer_limits(params, offer.protocol);
  ngtcp2_conn* conn = nullptr;
  const Path path(bound_, remote_);
  if (ngtcp2_conn_client_new(&conn, &first, &id, path.get(), kVersion, &callbacks_of(side_), &settings, &params,
                             nullptr, static_cast<void*>(this)) != 0) {
    return false;
  }
  conn_.reset(conn);
  if (options.key != nullptr) {
    auto made = TlsCredentials::make(*options.key);
    if (!made) return false;
    handshake_->credentials = std::move(*made);
  }
  if (handshake_->credentials == nullptr) handshake_->credentials = offer.credentials;
  handshake_->session = tls.dialler(*this, offer.protocol.alpn, *handshake_->credentials, options.server_name);
  if (handshake_->session == nullptr) return false;
  ngtcp2_conn_set_tls_native_handle(conn, handshake_->session.get());
  claim_id(id);
  return true;
}

// A new id of ours, of the one length that this connection has.
ngtcp2_cid QuicConnection::make_id() {
  ngtcp2_cid id{};
  if (routed_) {
    id.datalen = kRoutedIdLength;
    std::ranges::copy(routed_->prefix, id.data);
    const std::uint32_t number = ++routed_->ids_made;
    for (std::size_t i = 0; i < sizeof number; ++i) {
      id.data[kIdLength + i] = static_cast<std::uint8_t>(number >> (8 * (sizeof number - 1 - i)));
    }
    return id;
  }
  ServerId made;
  do {
    worker_.random.fill(made);
  } while (worker_.ids.find(made) != nullptr);
  ngtcp2_cid_init(&id, made.data(), made.size());
  return id;
}

void QuicConnection::claim_id(const ngtcp2_cid& id) {
  ServerId own;
  std::copy_n(id.data, own.size(), own.begin());
  if (routed_ && !ids_.empty()) return;
  ids_.push_back(own);
  worker_.ids.insert(own, this);
}

bool QuicConnection::receive(const net::ReceivedBatch& batch, base::ByteView datagram, base::MonoNs now) {
  if (ending_ != nullptr || ended_) return true;
  bytes_received_ += datagram.size();
  mark_dirty();
  if (early_) {
    const std::size_t keep = long_header_prefix(datagram);
    if (keep < datagram.size()) ++worker_.counters.stripped_datagrams;
    if (keep == 0) return true;
    datagram = datagram.first(keep);
  }
  if (side_ == Side::kDialler) local_ = batch.local;
  const Path path(side_ == Side::kDialler ? label_of(batch.remote) : batch.local, batch.remote);
  if (routed_ && batch.remote == remote_) routed_->heard = now;
  ngtcp2_pkt_info info{};
  info.ecn = batch.ecn;
  const bool first = ++unanswered_datagrams_ == 1;
  if (first && completed_) was_in_flight_ = ng::info_of(conn_.get()).bytes_in_flight > 0;
  const bool settled = completed_;
  guard_.begin_datagram();
  const int result = ngtcp2_conn_read_pkt(conn_.get(), path.get(), &info, datagram.data(), datagram.size(), now);
  note_stops();
  // A second one is acknowledged at once (RFC 9000, section 13.2.2).
  ack_may_wait_ = first && settled && guard_.ack_may_wait();
  after_library(result);
  return result != NGTCP2_ERR_RETRY;
}

// The library answers with RESET_STREAM itself.
void QuicConnection::note_stops() {
  for (const auto& [id, code] : guard_.take_stops()) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->stop_told) continue;
    stream->send_over = true;
    if (!stream->has_work()) work_.remove(*stream);
    worker_.events.insert(worker_.events.begin(), {StreamEvent::Kind::kStopped, stream, code});
  }
}

void QuicConnection::on_expire(base::MonoNs now) {
  if (ending_ != nullptr || ended_) return;
  ack_may_wait_ = false;
  if (routed_ && now >= watch_forwarder(now)) ask_forwarder(now);
  if (routed_ && now >= watch_path(now)) return_to_forwarder(now);
  if (!completed_ && now >= handshake_deadline()) return fail(NGTCP2_ERR_HANDSHAKE_TIMEOUT);
  after_library(ngtcp2_conn_handle_expiry(conn_.get(), now));
  mark_dirty();
}

void QuicConnection::mark_dirty() {
  if (ended_) return;
  if (!dirty_) {
    dirty_ = true;
    worker_.dirty.push_back(this);
  }
  worker_.wake();
}

// --- what the library noted becomes callbacks ---

void QuicConnection::after_library(int result) {
  if (completed_) tell_connected();
  tell_events();
  if (path_validated_) follow_path();
  if (streams_allowed_changed_ && told_connected_) tell_streams_allowed();
  if (ending_ == nullptr && guard_.refused()) {
    ++worker_.counters.guarded_frames;
    end_with({CloseInfo::By::kTransport, NGTCP2_PROTOCOL_VIOLATION, "frames out of place"}, Ending::Farewell::kClose);
    ngtcp2_ccerr_set_transport_error(&ending_->error, NGTCP2_PROTOCOL_VIOLATION, nullptr, 0);
  }
  if (result != 0 && ending_ == nullptr) fail(result);
  if (completed_ && handshake_ != nullptr) finish_handshake();
}

void QuicConnection::tell_connected() {
  if (told_connected_ || ending_ != nullptr) return;
  told_connected_ = true;
  offer_->protocol.events->on_connected(*this);
}

void QuicConnection::tell_streams_allowed() {
  streams_allowed_changed_ = false;
  if (ending_ != nullptr) return;
  for (const bool unidirectional : {false, true}) {
    offer_->protocol.events->on_streams_allowed(*this, unidirectional, streams_allowed_[unidirectional ? 1 : 0]);
  }
}

void QuicConnection::tell_events() {
  for (std::size_t i = 0; i < worker_.events.size(); ++i) {
    const StreamEvent event = worker_.events[i];
    if (ending_ == nullptr && told_connected_) tell(event);  // after close() nothing is told but its end
    if (event.kind == StreamEvent::Kind::kClosed) drop_stream(*event.stream);
  }
  worker_.events.clear();
}

void QuicConnection::tell(const StreamEvent& event) {
  ConnectionEvents& events = *offer_->protocol.events;
  Stream& stream = *event.stream;
  switch (event.kind) {
    case StreamEvent::Kind::kAcknowledged:
      return events.on_acknowledged(*this, stream.id, std::exchange(stream.acknowledged, 0));
    case StreamEvent::Kind::kWritten:
      return events.on_written(*this, stream.id);
    case StreamEvent::Kind::kReset:
      if (!std::exchange(stream.reset_told, true)) events.on_reset(*this, stream.id, event.code);
      return;
    case StreamEvent::Kind::kStopped:
      if (std::exchange(stream.stop_told, true) || events.on_stopped(*this, stream.id, event.code)) return;
      if (!std::exchange(stream.reset_told, true)) events.on_reset(*this, stream.id, event.code);
      return;
    case StreamEvent::Kind::kClosed:
      return events.on_stream_closed(*this, stream.id);
  }
}

// The TLS session is the larger half of a young connection; nothing needs it after the handshake. Not called with
// GnuTLS on the stack.
void QuicConnection::finish_handshake() {
  ngtcp2_conn_set_tls_native_handle(conn_.get(), nullptr);
  handshake_.reset();
  if (first_id_[0] > 0) worker_.first_ids.erase(first_id_, this);
  first_id_ = {};
}

// Of a listener's the library knows the longest of all protocols only.
base::MonoNs QuicConnection::handshake_deadline() const {
  if (handshake_ == nullptr) return base::kNever;
  if (handshake_->timeout != 0) return base::after(started_, handshake_->timeout);
  const Offer& offer = offer_ != nullptr ? *offer_ : *offers_.front();
  return base::after(started_, offer.protocol.handshake_timeout);
}

// --- ends ---

void QuicConnection::fail(int error) {
  if (error == NGTCP2_ERR_DRAINING) return drained();
  const auto silent = [this](CloseInfo::By by, std::uint64_t code, const char* reason) {
    end_with({by, code, reason}, Ending::Farewell::kNone);
  };
  switch (error) {
    case NGTCP2_ERR_IDLE_CLOSE:
      return silent(CloseInfo::By::kIdle, 0, "idle");
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
      return silent(CloseInfo::By::kHandshakeTimeout, 0, "handshake timed out");
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
      return silent(CloseInfo::By::kTransport, ng::kVersionNegotiationError, "no common QUIC version");
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_CLOSING:
      return silent(CloseInfo::By::kTransport, 0, ngtcp2_strerror(error));
    default:
      break;
  }
  end_with({CloseInfo::By::kTransport, 0, ngtcp2_strerror(error)}, Ending::Farewell::kClose);
  ngtcp2_ccerr_set_liberr(&ending_->error, error, nullptr, 0);
  if (handshake_ != nullptr && handshake_->full) {
    ngtcp2_ccerr_set_transport_error(&ending_->error, NGTCP2_CONNECTION_REFUSED, nullptr, 0);
    ending_->info.code = NGTCP2_CONNECTION_REFUSED;
    return;
  }
  const std::uint8_t alert = error == NGTCP2_ERR_CRYPTO ? ngtcp2_conn_get_tls_alert(conn_.get()) : 0;
  if (alert != 0) ngtcp2_ccerr_set_tls_alert(&ending_->error, alert, nullptr, 0);
  ending_->info.code = ending_->error.error_code;
  if (handshake_ != nullptr && !handshake_->refusal.empty()) {
    ending_->info.by = CloseInfo::By::kIdentity;
    ending_->info.reason = handshake_->refusal;
  }
}

void QuicConnection::drained() {
  if (was_reset_) {
    return end_with({CloseInfo::By::kReset, 0, "stateless reset"}, Ending::Farewell::kNone);
  }
  const ng::PeerClose close = ng::peer_close(conn_.get());
  end_with({close.application ? CloseInfo::By::kPeer : CloseInfo::By::kPeerTransport, close.code,
            base::escaped(close.reason, base::limits::quic_reason_bytes)},
           Ending::Farewell::kDrain);
}

void QuicConnection::end_with(CloseInfo info, Ending::Farewell farewell) {
  if (ending_ != nullptr) return;
  ending_ = std::make_unique<Ending>();
  ending_->info = std::move(info);
  ending_->farewell = farewell;
  ngtcp2_ccerr_default(&ending_->error);
  mark_dirty();
}

void QuicConnection::leave_half_open() {
  if (!std::exchange(half_open_, false)) return;
  --worker_.counters.half_open;
}

void QuicConnection::release_ids(std::vector<ServerId>* out) {
  for (const ServerId& id : ids_) worker_.ids.erase(id, this);
  for (const ResetToken& token : reset_tokens_) worker_.reset_tokens.erase(token, this);
  if (first_id_[0] > 0) worker_.first_ids.erase(first_id_, this);
  if (out != nullptr) *out = std::move(ids_);
  ids_.clear();
  reset_tokens_.clear();
  const auto [first, last] = worker_.forwarders.equal_range(std::exchange(forwarder_, {}));
  const auto marked = std::find_if(first, last, [this](const auto& entry) { return entry.second == this; });
  if (marked != last) worker_.forwarders.erase(marked);
}

void QuicConnection::say_goodbye(base::MonoNs now) {
  Tombstone::Epitaph epitaph;
  epitaph.first_id = first_id_;
  epitaph.routed = routed();
  epitaph.remote = remote_;
  epitaph.local = side_ == Side::kDialler ? bound_ : local_;
  if (ending_->farewell == Ending::Farewell::kClose) {
    SendQueue& queue = *worker_.outlet(remote_.ip.family()).queue;
    const base::MutableBytes room = queue.reserve(NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE);
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const ngtcp2_ssize length = room.empty()
                                    ? 0
                                    : ngtcp2_conn_write_connection_close(conn_.get(), &path.path, &info, room.data(),
                                                                         room.size(), &ending_->error, now);
    if (length > 0) {
      epitaph.packet.assign(room.begin(), room.begin() + length);
      bytes_sent_ += static_cast<std::uint64_t>(length);
      queue.commit(static_cast<std::size_t>(length), epitaph.remote, epitaph.local, info.ecn);
    }
  }
  const base::MonoNs stay =
      std::min(base::saturating_mul<base::MonoNs>(ngtcp2_conn_get_pto(conn_.get()), 3), Graveyard::kLongestStay);
  const bool buried = ending_->farewell == Ending::Farewell::kDrain || !epitaph.packet.empty();
  release_ids(&epitaph.ids);
  if (buried) worker_.graveyard.bury(std::move(epitaph), base::after(now, stay));
}

void QuicConnection::end(base::MonoNs now) {
  say_goodbye(now);
  ended_ = true;
  worker_.timers.remove(*this);
  leave_half_open();
  if (offer_ != nullptr) --offer_->connections;
  conn_.reset();
  handshake_.reset();
  worker_.ended.push_back(this);
  worker_.forwarding->gone(*this);
  if (side_ == Side::kDialler || told_connected_) offer_->protocol.events->on_closed(*this, ending_->info);
}

// --- TLS ---

bool QuicConnection::accept_key(const identity::PublicKey& key) {
  const std::string& expected = handshake_->expected_node_id;
  if (!expected.empty()) {
    const std::string actual = identity::node_id_of(key);
    if (actual != expected) {
      handshake_->refusal = fmt::format("the node there is {}, not {}", actual, base::escaped(expected, 80));
      return false;
    }
  }
  peer_key_ = key;
  has_key_ = true;
  return true;
}

void QuicConnection::refuse_certificate(std::string why) {
  handshake_->refusal = std::move(why);
}

std::string_view QuicConnection::dialled_protocol() const {
  return side_ == Side::kDialler ? std::string_view(offer_->protocol.alpn) : std::string_view();
}

const TlsCredentials* QuicConnection::choose_protocol(std::string_view alpn) {
  const auto found = std::ranges::find_if(offers_, [&](const auto& offer) { return offer->protocol.alpn == alpn; });
  if (found == offers_.end() || (*found)->credentials == nullptr || offer_ != nullptr) return nullptr;
  Offer& offer = **found;
  if (offer.connections >= offer.protocol.max_connections) {
    ++worker_.counters.refused_protocol;
    handshake_->full = true;
    return nullptr;
  }
  choose(offer);
  handshake_->credentials = offer.credentials;
  ngtcp2_transport_params params = *ngtcp2_conn_get_local_transport_params(conn_.get());
  offer_limits(params, offer_->protocol);
  if (ngtcp2_conn_set_local_transport_params(conn_.get(), &params) != 0) return nullptr;
  return offer_->credentials.get();
}

void QuicConnection::choose(Offer& offer) {
  offer_ = &offer;
  ++offer.connections;
}

void QuicConnection::accept_chain(std::vector<base::Bytes> chain) {
  peer_chain_ = std::move(chain);
  has_key_ = true;
}

bool QuicConnection::install_application_keys(base::ByteView read, base::ByteView write) {
  return worker_.packet_keys.install(conn_.get(), read, write, &guard_);
}

}  // namespace atlas::quic
