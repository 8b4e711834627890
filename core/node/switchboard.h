// Connects the floors: connections of core/quic below, state machines of core/session beside, roles of core/host above.
// It owns every link, drives its handshake, keeps one session for each node id, carries exchanges between streams and
// roles, applies the limits of section 10, and says goodbye in the right order.
//
// Loop thread only. The files: switchboard.cc (connections and sessions), greeting.cc (handshake), exchanges.cc
// (requests and answers), raw_streams.cc, routing.cc (relays), farewell.cc (closing).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/limits.h"
#include "base/slots.h"
#include "config/config.h"
#include "host/host.h"
#include "node/counters.h"
#include "node/deadlines.h"
#include "node/dialler.h"
#include "node/link.h"
#include "node/peer_journal.h"
#include "node/public_address.h"
#include "quic/endpoint.h"
#include "session/bans.h"
#include "store/store.h"

namespace atlas::node {

// A larger payload's structure is checked on the role's strand: 4 MiB of tiny items take a tenth of a second.
inline constexpr std::size_t kCheckedHere = 16'384;  // bytes
// For the last message's acknowledgement.
inline constexpr base::MonoNs kFarewellWait = base::limits::session_closing_wait * base::kMillisecond;
// For all goodbyes together, when the node stops.
inline constexpr base::MonoNs kStopWait = 2 * base::kSecond;
// How long a peer has to come over a path that was announced.
inline constexpr base::MonoNs kExpectFor = 10 * base::kSecond;
// What a node shows in its Hello that can be reached through a forwarder (wire protocol, section 8).
inline constexpr std::string_view kRoutesFeature = "routes";
// What it shows over a relay besides when its NAT gives each destination another port, so that both agents can say why
// there is no direct path.
inline constexpr std::string_view kSymmetricNatFeature = "symmetric-nat";
inline constexpr std::string_view kStopNote = "the node is shutting down";
inline constexpr std::size_t kMaxEarlyBytes = base::limits::node_early_bytes;  // refusal 2001
// Of one peer, so that it cannot make the node hold what it neither finishes sending nor reads.
inline constexpr std::size_t kMaxUnfinished = base::limits::node_unfinished_bytes;
inline constexpr std::size_t kMaxUnread = base::limits::node_unread_bytes;
inline constexpr base::MonoNs kBudgetSweep = 60 * base::kSecond;  // between two looks for those that can go

class Switchboard final : public quic::ConnectionEvents {
 public:
  struct Setup {
    Deadlines* deadlines = nullptr;
    const base::Clock* clock = nullptr;
    base::Random* random = nullptr;
    store::Store* store = nullptr;
    SessionTable* table = nullptr;
    NodeCounters* counters = nullptr;
    session::Self self;
    session::LimitSettings limits;
    std::uint64_t max_clock_drift_s = 300;
    std::uint32_t max_streams = 50;
    base::MonoNs exchange_timeout = 10 * base::kSecond;
    std::vector<std::string> bootstrap;  // addresses whose sessions are shown as `bootstrap`
    std::vector<std::string> relays;     // ours, for peers that list none or none that works
    // What a bootstrap node or a relay that the operator configured, at `by`, says our address is.
    std::function<void(const std::string& by, const std::string& address, PublicAddress::Seen seen)> on_observed;
    // What keeps others from reaching this node directly; may be empty.
    std::function<Obstacles()> obstacles = {};
  };
  explicit Switchboard(Setup setup);
  ~Switchboard() override;
  // Both must outlive the links; set before the first connection.
  void attach(quic::Endpoint& endpoint, host::Host& host);

  // --- what roles ask for, already on this thread ---
  void send(host::PeerHandle to, std::uint8_t type, base::ByteView payload);
  void request(host::PeerHandle to, std::uint8_t type, base::ByteView payload, base::MonoNs timeout, std::uint64_t tag,
               host::AnswerFn done);
  void cancel_request(std::uint64_t tag);
  void reply(host::ReplyHandle to, std::uint8_t type, base::ByteView payload);
  void disconnect(host::PeerHandle peer, wire::DisconnectReason reason, std::string_view note);
  void dial(DialTarget target, base::MonoNs timeout, host::ConnectedFn done);
  void ban(const std::string& node_id, std::int64_t until, const std::string& reason);
  // raw_streams.cc
  void open_stream(host::StreamOrder order);
  void serve_stream(std::uint64_t tag);
  // routing.cc
  void add_route(host::RouteOrder order);
  void remove_route(std::uint64_t route);
  void path_found(std::uint64_t reach, host::PathOffer offer);
  void path_not_found(std::uint64_t reach, base::Fault fault, std::string reason);
  void expect_path(host::PathOffer offer);
  // A datagram that may be of a peer who looks for a direct path.
  void on_opening(const net::SocketAddress& from);
  // How each session that was made through a relay runs now.
  struct PathRow {
    std::string node_id;
    std::string text;         // for people
    std::string_view reason;  // for programs; empty when there is none
  };
  std::vector<PathRow> paths() const;

  // Says goodbye to everybody; `done` runs when the last connection is closed, at the latest after kStopWait. From now
  // on no connection becomes a session.
  void stop(std::function<void()> done);

  // --- quic::ConnectionEvents ---
  void on_connected(quic::Connection& connection) override;
  void on_data(quic::Connection& connection, quic::StreamId stream, base::ByteView data, bool fin) override;
  void on_acknowledged(quic::Connection& connection, quic::StreamId stream, std::size_t bytes) override;
  void on_written(quic::Connection& connection, quic::StreamId stream) override;
  void on_reset(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  bool on_stopped(quic::Connection& connection, quic::StreamId stream, std::uint64_t code) override;
  void on_stream_closed(quic::Connection& connection, quic::StreamId stream) override;
  void on_path(quic::Connection& connection) override;
  void on_closed(quic::Connection& connection, const quic::CloseInfo& info) override;

  session::BanList& bans() { return bans_; }
  // Of all raw streams of the node, whatever connection they are on.
  StreamIndex& stream_index() { return stream_index_; }

 private:
  friend struct Link;
  // After it a stop waits for nobody.
  struct StopDeadline final : net::TimerHeap::Entry {
    explicit StopDeadline(Switchboard& owner) : owner(owner) {}
    ~StopDeadline() override { owner.deadlines_.clear(*this); }
    void on_expire(base::MonoNs) override { owner.close_stragglers(); }
    Switchboard& owner;
  };
  // While sessions run through forwarders.
  struct ForwarderWatch final : net::TimerHeap::Entry {
    explicit ForwarderWatch(Switchboard& owner) : owner(owner) {}
    ~ForwarderWatch() override { owner.deadlines_.clear(*this); }
    void on_expire(base::MonoNs now) override { owner.watch_forwarders(now); }
    Switchboard& owner;
    bool attentive = false;
  };
  // A peer that a forwarder announced: where it is seen, until it has come or the time is over.
  struct Announced {
    std::string node_id;
    std::vector<net::SocketAddress> observed;
    base::MonoNs until = 0;
  };
  // A dial that asked for a path through a relay.
  struct Reach {
    DialTicket ticket;
    std::string node_id, relay;
  };
  struct PendingReply {
    Link* link;
    quic::StreamId stream;
  };

  void expired(Link& link, base::MonoNs now);

  // greeting.cc
  void begin_greeting(Link& link);
  void greeting_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin);
  void greeting_bytes(Link& link, base::ByteView data, bool fin);
  void early_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin);
  void apply(Link& link, session::Step step);
  void greeting_failed(Link& link, const session::Step& step, bool await_stream);
  session::Step step_message(Link& link, std::uint8_t type, base::ByteView payload);

  // switchboard.cc
  void session_up(Link& link);
  void session_down(Link& link, wire::DisconnectReason reason);
  bool settle_duplicate(Link& newcomer, const session::PeerIdentity& peer);
  void remember(Link& link);
  void keep_budget(LiveSession& session);
  base::Result<void> open_attempt(const DialTarget& target, const session::Candidate& candidate, DialTicket ticket);
  wire::DialFailure abandon_attempt(DialTicket ticket, Abandon why);
  void attempt_failed(Link& link, wire::DialFailure failure, const std::string& reason);

  // exchanges.cc
  void session_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin);
  void answering_data(Link& link, quic::StreamId stream, Answering& answering, base::ByteView data, bool fin);
  void asked_data(Link& link, quic::StreamId stream, Asked& asked, base::ByteView data, bool fin);
  void run_request(Link& link, quic::StreamId stream, std::uint8_t type, base::ByteView payload);
  void refuse(Link& link, quic::StreamId stream, wire::Code code, std::string_view text);
  void finish_without_answer(Link& link, quic::StreamId stream);
  bool admit(Link& link, quic::StreamId stream, std::size_t payload);
  std::optional<session::LimitRule> over_budget(Link& link, std::size_t payload);
  void punish(Link& link, session::LimitRule rule);
  void peer_disconnects(Link& link, quic::StreamId stream, base::ByteView payload);
  void complete(Link& link, quic::StreamId stream, host::Answer&& answer);
  Exchange* find_exchange(Link& link, quic::StreamId stream);
  void drop_exchange(Link& link, quic::StreamId stream);
  void answer_written(Link& link, quic::StreamId stream);
  bool still_moving(Link& link, Exchange& exchange, base::MonoNs now);
  bool within_budget(Link& link, Answering& answering);
  void sweep(Link& link, base::MonoNs now);
  void reset_exchange(Link& link, quic::StreamId stream, wire::Code code);
  bool write_envelope(Link& link, quic::StreamId stream, std::uint8_t type, base::ByteView payload, bool fin);
  void saw_exchange(Link& link);

  // raw_streams.cc
  ConnectionStreams& streams_of(Link& link);
  ConnectionStreams* streams_with(quic::Connection& connection, quic::StreamId stream);
  bool opening_data(Link& link, quic::StreamId stream, base::ByteView data, bool fin, base::Bytes& begun);
  void read_opening(Link& link, Opening& opening, base::ByteView data, bool fin, std::size_t consumed);
  void stream_arrived(Link& link, Opening& opening, base::ByteView rest, bool fin);
  void refuse_opening(Link& link, quic::StreamId stream, wire::Code code);
  void drop_opening(Link& link, quic::StreamId stream);
  base::MonoNs sweep_streams(Link& link, base::MonoNs now);

  // routing.cc
  base::Result<void> ask_for_path(const DialTarget& target, const session::Candidate& candidate, DialTicket ticket);
  std::optional<Reach> take_reach(std::uint64_t reach);
  bool forget_reach(DialTicket ticket);
  // For how long the offer may still be used; 0: it has expired.
  base::MonoNs life_of(const host::PathOffer& offer) const;
  void begin_upgrade(Link& link);
  void path_changed(Link& link);
  host::PeerHandle forwarder_of(const quic::Connection& connection);
  void leave_forwarder(host::PeerHandle via);
  void lose_way(Link& link);

  // forwarder_watch.cc
  void keep_forwarder(Link& link);
  void begin_watch();
  void watch_forwarders(base::MonoNs now);
  std::vector<Link*> forwarders();
  bool any_moves(base::MonoNs now);
  Link* dead_forwarder(const std::vector<Link*>& all, base::MonoNs now);

  // farewell.cc
  void part(Link& link, wire::DisconnectReason reason, std::string_view note);
  void await_and_close(Link& link, quic::StreamId awaited, std::uint64_t code, std::string_view note);
  void close_stragglers();
  void finish_stop_when_empty();
  void finish_stop();

  Link* link_of(quic::Connection& connection) { return static_cast<Link*>(connection.user); }
  Link* link_of(host::PeerHandle peer);

  Setup setup_;
  Deadlines& deadlines_;
  NodeCounters& counters_;
  PeerJournal journal_;
  quic::Endpoint* endpoint_ = nullptr;
  host::Host* host_ = nullptr;
  session::ListenerPolicy policy_;
  session::BanList bans_;
  Dialler dialler_;

  StreamIndex stream_index_;
  std::unordered_map<Link*, std::unique_ptr<Link>> links_;
  base::Slots<Link*> sessions_;
  base::Slots<PendingReply> replies_;
  std::unordered_map<std::string_view, Link*> by_node_id_;  // views into the sessions
  std::unordered_map<std::uint64_t, std::pair<Link*, quic::StreamId>> asked_by_tag_;
  std::unordered_map<std::uint64_t, quic::RouteId> routes_;  // by the number that the host chose
  std::unordered_map<std::uint64_t, Reach> reaches_;         // as many as there are dials at most, times their relays
  std::vector<Announced> announced_;                         // no more than quic::Endpoint::expect() takes
  std::uint64_t next_reach_ = 1;
  std::vector<Link*> routed_;  // those that were made through a relay: few, so that nobody else is looked at for them
  session::Budgets budgets_;   // of peers that have gone
  base::MonoNs next_budget_sweep_ = 0;
  base::Bytes scratch_;  // one envelope being written
  bool stopping_ = false;
  std::function<void()> stopped_;  // until the stop is over
  StopDeadline stop_deadline_{*this};
  ForwarderWatch forwarder_watch_{*this};
};

}  // namespace atlas::node
