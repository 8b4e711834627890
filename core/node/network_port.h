// The host's side of the network: takes what roles ask for on any thread and carries it to the loop's in batches, one
// wake-up for each batch however many requests are in it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "host/network.h"
#include "net/loop.h"
#include "node/other_protocols.h"
#include "node/switchboard.h"

namespace atlas::node {

// Waiting for the loop; refusal kFull. One order always fits into the bytes.
inline constexpr std::size_t kMaxOrders = base::limits::node_orders;
inline constexpr std::size_t kMaxOrderBytes = base::limits::node_order_bytes;

class NetworkPort final : public host::Network {
 public:
  NetworkPort(net::Loop& loop, SessionTable& table, store::Store& store, NodeCounters& counters);
  ~NetworkPort() override;
  // Loop thread; before any order arrives. The switchboard lives until close().
  void attach(Switchboard& switchboard, OtherProtocols& others) {
    switchboard_ = &switchboard;
    others_ = &others;
  }
  void set_self(host::LivePeer self);
  // False: it is what was set before.
  bool set_listener(host::Listener listener);
  // Loop thread. No order reaches the switchboard after this, so it may go before whoever still gives orders; requests
  // and dials complete with kStopping, routes that wait have ended, the rest is dropped. Once or more.
  void close();

  bool send(host::PeerHandle to, std::uint8_t type, base::Bytes payload) override;
  void request(host::PeerHandle to, std::uint8_t type, base::Bytes payload, base::MonoNs timeout, std::uint64_t tag,
               host::AnswerFn done) override;
  void cancel_request(std::uint64_t tag) override;
  bool reply(host::ReplyHandle to, std::uint8_t type, base::Bytes payload) override;
  void connect(std::string target, base::MonoNs timeout, host::ConnectedFn done) override;
  bool disconnect(host::PeerHandle peer, std::uint32_t reason, std::string note) override;

  host::RouteAdmission admits_route(host::PeerHandle a, host::PeerHandle b) const override {
    return table_.admits_route(a, b);
  }
  bool add_route(host::RouteOrder order) override;
  // Never refused for want of room: there is at most one for each route, and what it frees is worth more.
  bool remove_route(std::uint64_t route) override;
  bool path_found(std::uint64_t reach, host::PathOffer offer) override;
  bool path_not_found(std::uint64_t reach, base::Fault fault, std::string reason) override;
  bool expect_path(host::PathOffer offer) override;

  bool open_stream(host::StreamOrder order) override;
  void serve_stream(std::uint64_t tag) override;

  base::Result<void> set_credentials(const std::string& alpn, std::span<const base::ByteView> chain,
                                     base::ByteView key) override;
  void drop_credentials(const std::string& alpn) override;
  bool dial_protocol(host::ProtocolDial dial) override;
  bool open_connection_stream(host::ConnectionStreamOrder order) override;
  void judge_connection(std::uint64_t tag, bool accepted) override;
  void close_connection(std::uint64_t tag, std::uint64_t code, std::string reason) override;

  void hand_over() override;
  void refused_structure() override { counters_.refused_structure.add(); }

  host::LivePeer self() const override;
  host::Listener listener() const override;
  std::optional<host::LivePeer> peer(host::PeerHandle handle) const override { return table_.peer(handle); }
  bool live(host::PeerHandle handle) const override { return table_.live(handle); }
  host::PeerHandle find(std::string_view node_id) const override { return table_.find(node_id); }
  std::vector<host::LivePeer> peers() const override { return table_.peers(); }

 private:
  struct Send {
    host::PeerHandle to;
    std::uint8_t type;
    base::Bytes payload;
  };
  struct Request {
    host::PeerHandle to;
    std::uint8_t type;
    base::Bytes payload;
    base::MonoNs timeout;
    std::uint64_t tag;
    host::AnswerFn done;
  };
  struct Cancel {
    std::uint64_t tag;
  };
  struct Reply {
    host::ReplyHandle to;
    std::uint8_t type;
    base::Bytes payload;
  };
  struct Dial {
    DialTarget target;
    base::MonoNs timeout;
    host::ConnectedFn done;
  };
  struct Part {
    host::PeerHandle peer;
    std::uint32_t reason;
    std::string note;
  };
  struct AddRoute {
    host::RouteOrder order;
  };
  struct RemoveRoute {
    std::uint64_t route;
  };
  struct PathFound {
    std::uint64_t reach;
    host::PathOffer offer;
  };
  struct PathNotFound {
    std::uint64_t reach;
    base::Fault fault;
    std::string note;
  };
  struct ExpectPath {
    host::PathOffer offer;
  };
  struct ServeStream {
    std::uint64_t tag;
  };
  struct SetCredentials {
    std::string alpn;
    quic::CredentialsPtr credentials;
  };
  struct Judge {
    std::uint64_t tag;
    bool accepted;
  };
  struct CloseConnection {
    std::uint64_t tag, code;
    std::string reason;
  };
  using Order = std::variant<Reply, Send, Request, Cancel, Dial, Part, AddRoute, RemoveRoute, PathFound, PathNotFound,
                             ExpectPath, host::StreamOrder, ServeStream, SetCredentials, host::ProtocolDial,
                             host::ConnectionStreamOrder, Judge, CloseConnection>;

  bool queue(Order order);
  static bool is_always_taken(const Order& order);
  void refuse_later(Order& order, base::Fault fault);
  static std::size_t bytes_of(const Order& order);
  void wake();
  void run();
  void carry_out(Order& order);
  static void refuse(Order& order, base::Fault fault, const std::string& text);

  net::Loop& loop_;
  SessionTable& table_;
  store::Store& store_;
  NodeCounters& counters_;
  Switchboard* switchboard_ = nullptr;
  OtherProtocols* others_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<Order> waiting_;
  std::size_t bytes_ = 0;       // of the orders that wait or are being carried out; guarded by mutex_
  std::vector<Order> running_;  // loop thread
  bool woken_ = false;
  std::atomic<bool> held_{false};  // orders of a strand's turn wait for hand_over()
  bool closed_ = false;
  std::shared_ptr<NetworkPort*> alive_;  // null inside once we are gone; posted work looks
  host::LivePeer self_;
  host::Listener listener_;
};

}  // namespace atlas::node
