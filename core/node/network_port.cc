#include "node/network_port.h"

#include <algorithm>

#include "atlas/ext/routes.h"
#include "host/connection_pipe.h"
#include "host/status.h"
#include "host/strand.h"
#include "host/stream_pipe.h"

namespace atlas::node {

NetworkPort::NetworkPort(net::Loop& loop, SessionTable& table, store::Store& store, NodeCounters& counters)
    : loop_(loop), table_(table), store_(store), counters_(counters), alive_(std::make_shared<NetworkPort*>(this)) {}

NetworkPort::~NetworkPort() {
  *alive_ = nullptr;
}

void NetworkPort::set_self(host::LivePeer self) {
  const std::lock_guard lock(mutex_);
  self_ = std::move(self);
}

host::LivePeer NetworkPort::self() const {
  const std::lock_guard lock(mutex_);
  return self_;
}

bool NetworkPort::set_listener(host::Listener listener) {
  const std::lock_guard lock(mutex_);
  if (listener == listener_) return false;
  listener_ = std::move(listener);
  return true;
}

host::Listener NetworkPort::listener() const {
  const std::lock_guard lock(mutex_);
  return listener_;
}

void NetworkPort::close() {
  std::vector<Order> left;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    left.swap(waiting_);
    for (const auto& order : left) bytes_ -= bytes_of(order);
  }
  switchboard_ = nullptr;
  others_ = nullptr;
  for (auto& order : left) refuse(order, base::Fault::kStopping, "the node is shutting down");
}

std::size_t NetworkPort::bytes_of(const Order& order) {
  return std::visit(
      []<class T>(const T& o) -> std::size_t {
        if constexpr (requires { o.payload; }) {
          return o.payload.size();
        } else if constexpr (requires { o.note; }) {
          return o.note.size();
        }
        return 0;
      },
      order);
}

// There are no more of these than of what they are about, and what they free is worth more than their place.
bool NetworkPort::is_always_taken(const Order& order) {
  return std::visit(
      []<class T>(const T& o) {
        if constexpr (std::is_same_v<T, SetCredentials>) return o.credentials == nullptr;
        return std::is_same_v<T, RemoveRoute> || std::is_same_v<T, ServeStream> || std::is_same_v<T, Judge> ||
               std::is_same_v<T, CloseConnection>;
      },
      order);
}

bool NetworkPort::queue(Order order) {
  const std::size_t size = bytes_of(order);
  base::Fault fault = base::Fault::kFull;
  bool taken = false;
  {
    const std::lock_guard lock(mutex_);
    const bool always = is_always_taken(order);
    const bool fits =
        always || (waiting_.size() < kMaxOrders && (size == 0 || bytes_ == 0 || bytes_ + size <= kMaxOrderBytes));
    if (closed_) {
      fault = base::Fault::kStopping;
    } else if (fits) {
      waiting_.push_back(std::move(order));
      bytes_ += size;
      // The end of the strand's turn hands it over, with all else that the turn asks for, unless that becomes so much
      // that the loop had better begin.
      const bool much = waiting_.size() >= kMaxOrders / 4 || bytes_ >= kMaxOrderBytes / 4;
      if (host::Strand::in_turn() && !much) {
        held_.store(true, std::memory_order_relaxed);
        return true;
      }
      if (std::exchange(woken_, true)) return true;
      taken = true;
    }
  }
  if (taken) {
    wake();
    return true;
  }
  refuse_later(order, fault);
  return false;
}

// Never called back before the caller returns: the refusal takes the same way as an answer. Of the order only the
// callback goes along, for nobody counts what is posted.
void NetworkPort::refuse_later(Order& order, base::Fault fault) {
  if (auto* request = std::get_if<Request>(&order)) {
    request->payload = {};
    loop_.post([done = std::move(request->done), fault]() mutable {
      host::Answer answer;
      answer.fault = fault;
      if (done) done(std::move(answer));
    });
  } else if (auto* dial = std::get_if<Dial>(&order)) {
    loop_.post([done = std::move(dial->done), fault]() mutable {
      host::Connected result;
      result.fault = fault;
      result.error = "the node cannot take more";
      done(std::move(result));
    });
  }
}

void NetworkPort::wake() {
  loop_.post([alive = alive_] {
    if (*alive != nullptr) (*alive)->run();
  });
}

void NetworkPort::hand_over() {
  if (!held_.load(std::memory_order_relaxed)) return;
  {
    const std::lock_guard lock(mutex_);
    held_.store(false, std::memory_order_relaxed);
    if (waiting_.empty() || std::exchange(woken_, true)) return;
  }
  wake();
}

void NetworkPort::refuse(Order& order, base::Fault fault, const std::string& text) {
  if (auto* request = std::get_if<Request>(&order)) {
    host::Answer answer;
    answer.fault = fault;
    if (request->done) request->done(std::move(answer));
  } else if (auto* dial = std::get_if<Dial>(&order)) {
    host::Connected result;
    result.fault = fault;
    result.error = text;
    dial->done(std::move(result));
  } else if (auto* added = std::get_if<AddRoute>(&order)) {
    added->order.ended(ATLAS_ROUTE_PEER_GONE);  // no session outlives the switchboard
  } else if (auto* opened = std::get_if<host::StreamOrder>(&order)) {
    opened->pipe->on_closed(host::status_of(fault), 0);
  } else if (auto* begun = std::get_if<host::ConnectionStreamOrder>(&order)) {
    begun->pipe->on_closed(host::status_of(fault), 0);
  } else if (auto* other = std::get_if<host::ProtocolDial>(&order)) {
    other->pipe->on_down(ATLAS_CLOSED_LOCAL, 0, text);
  }
}

void NetworkPort::run() {
  std::size_t taken = 0;
  {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    running_.swap(waiting_);
    taken = bytes_;
  }
  for (auto& order : running_) carry_out(order);
  running_.clear();
  if (taken == 0) return;
  const std::lock_guard lock(mutex_);
  bytes_ -= taken;
}

void NetworkPort::carry_out(Order& order) {
  // Closed by an order before this one.
  if (switchboard_ == nullptr) return refuse(order, base::Fault::kStopping, "the node is shutting down");
  std::visit(
      [this](auto& o) {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, Reply>) {
          switchboard_->reply(o.to, o.type, o.payload);
        } else if constexpr (std::is_same_v<T, Send>) {
          switchboard_->send(o.to, o.type, o.payload);
        } else if constexpr (std::is_same_v<T, Request>) {
          switchboard_->request(o.to, o.type, o.payload, o.timeout, o.tag, std::move(o.done));
        } else if constexpr (std::is_same_v<T, Cancel>) {
          switchboard_->cancel_request(o.tag);
        } else if constexpr (std::is_same_v<T, Dial>) {
          switchboard_->dial(std::move(o.target), o.timeout, std::move(o.done));
        } else if constexpr (std::is_same_v<T, AddRoute>) {
          switchboard_->add_route(std::move(o.order));
        } else if constexpr (std::is_same_v<T, RemoveRoute>) {
          switchboard_->remove_route(o.route);
        } else if constexpr (std::is_same_v<T, PathFound>) {
          switchboard_->path_found(o.reach, std::move(o.offer));
        } else if constexpr (std::is_same_v<T, PathNotFound>) {
          switchboard_->path_not_found(o.reach, o.fault, std::move(o.note));
        } else if constexpr (std::is_same_v<T, ExpectPath>) {
          switchboard_->expect_path(std::move(o.offer));
        } else if constexpr (std::is_same_v<T, host::StreamOrder>) {
          switchboard_->open_stream(std::move(o));
        } else if constexpr (std::is_same_v<T, ServeStream>) {
          switchboard_->serve_stream(o.tag);
        } else if constexpr (std::is_same_v<T, SetCredentials>) {
          others_->set_credentials(o.alpn, std::move(o.credentials));
        } else if constexpr (std::is_same_v<T, host::ProtocolDial>) {
          others_->dial(std::move(o));
        } else if constexpr (std::is_same_v<T, host::ConnectionStreamOrder>) {
          others_->open_stream(std::move(o));
        } else if constexpr (std::is_same_v<T, Judge>) {
          others_->judge(o.tag, o.accepted);
        } else if constexpr (std::is_same_v<T, CloseConnection>) {
          others_->close(o.tag, o.code, o.reason);
        } else {
          switchboard_->disconnect(o.peer, static_cast<wire::DisconnectReason>(o.reason), o.note);
        }
      },
      order);
}

bool NetworkPort::send(host::PeerHandle to, std::uint8_t type, base::Bytes payload) {
  return queue(Send{to, type, std::move(payload)});
}

void NetworkPort::request(host::PeerHandle to, std::uint8_t type, base::Bytes payload, base::MonoNs timeout,
                          std::uint64_t tag, host::AnswerFn done) {
  queue(Request{to, type, std::move(payload), timeout, tag, std::move(done)});
}

void NetworkPort::cancel_request(std::uint64_t tag) {
  queue(Cancel{tag});
}

bool NetworkPort::reply(host::ReplyHandle to, std::uint8_t type, base::Bytes payload) {
  return queue(Reply{to, type, std::move(payload)});
}

bool NetworkPort::disconnect(host::PeerHandle peer, std::uint32_t reason, std::string note) {
  return queue(Part{peer, reason, std::move(note)});
}

bool NetworkPort::add_route(host::RouteOrder order) {
  return queue(AddRoute{std::move(order)});
}

bool NetworkPort::remove_route(std::uint64_t route) {
  return queue(RemoveRoute{route});
}

bool NetworkPort::open_stream(host::StreamOrder order) {
  return queue(std::move(order));
}

void NetworkPort::serve_stream(std::uint64_t tag) {
  queue(ServeStream{tag});
}

base::Result<void> NetworkPort::set_credentials(const std::string& alpn, std::span<const base::ByteView> chain,
                                                base::ByteView key) {
  auto made = quic::make_credentials(chain, key);
  if (!made) return std::unexpected(made.error());
  if (queue(SetCredentials{alpn, std::move(*made)})) return {};
  return base::fail(base::Fault::kFull, "the network has too much to do; try again later");
}

void NetworkPort::drop_credentials(const std::string& alpn) {
  queue(SetCredentials{alpn, nullptr});
}

bool NetworkPort::dial_protocol(host::ProtocolDial dial) {
  return queue(std::move(dial));
}

bool NetworkPort::open_connection_stream(host::ConnectionStreamOrder order) {
  return queue(std::move(order));
}

void NetworkPort::judge_connection(std::uint64_t tag, bool accepted) {
  queue(Judge{tag, accepted});
}

void NetworkPort::close_connection(std::uint64_t tag, std::uint64_t code, std::string reason) {
  queue(CloseConnection{tag, code, std::move(reason)});
}

bool NetworkPort::path_found(std::uint64_t reach, host::PathOffer offer) {
  return queue(PathFound{reach, std::move(offer)});
}

bool NetworkPort::path_not_found(std::uint64_t reach, base::Fault fault, std::string reason) {
  return queue(PathNotFound{reach, fault, std::move(reason)});
}

bool NetworkPort::expect_path(host::PathOffer offer) {
  return queue(ExpectPath{std::move(offer)});
}

// The database is read here, on the caller's thread, so that the loop never waits for a disk.
void NetworkPort::connect(std::string target, base::MonoNs timeout, host::ConnectedFn done) {
  DialTarget dial;
  dial.key = target;
  if (wire::is_node_id(target)) {
    dial.node_id = target;
    if (table_.find(target) == 0) {
      auto record = store_.peer(target);
      if (!record) {
        // It may have been discovered a moment ago and still wait for the disk.
        store_.flush();
        record = store_.peer(target);
      }
      if (record) {
        dial.candidates = session::candidates_of(*record);
        dial.relays = record->relays;
      }
    }
  } else if (const auto address = net::SocketAddress::parse(target)) {
    dial.key = address->text();
    dial.candidates.push_back({session::Candidate::Via::kAddress, *address});
  }
  queue(Dial{std::move(dial), timeout, std::move(done)});
}

}  // namespace atlas::node
