// The network of a trial: peers that exist only here and behave as they are told, badly for the most part.
// What host::Network promises for any thread holds; the rest belongs to the trial's thread. Callbacks run from turn(),
// never from inside a call of the role.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "host/network.h"
#include "trial/far_ends.h"

namespace atlas::trial {

class Peers final : public host::Network {
 public:
  explicit Peers(const base::Clock& clock) : clock_(clock), far_ends_(clock) {}

  bool send(host::PeerHandle to, std::uint8_t type, base::Bytes payload) override;
  void request(host::PeerHandle to, std::uint8_t type, base::Bytes payload, base::MonoNs timeout, std::uint64_t tag,
               host::AnswerFn done) override;
  void cancel_request(std::uint64_t tag) override;
  bool reply(host::ReplyHandle to, std::uint8_t type, base::Bytes payload) override;
  void connect(std::string target, base::MonoNs timeout, host::ConnectedFn done) override;
  bool disconnect(host::PeerHandle peer, std::uint32_t reason, std::string note) override;
  host::RouteAdmission admits_route(host::PeerHandle a, host::PeerHandle b) const override;
  bool add_route(host::RouteOrder order) override;
  bool remove_route(std::uint64_t route) override;
  bool path_found(std::uint64_t, host::PathOffer) override { return true; }
  bool path_not_found(std::uint64_t, base::Fault, std::string) override { return true; }
  bool expect_path(host::PathOffer) override { return true; }
  bool open_stream(host::StreamOrder order) override;
  void serve_stream(std::uint64_t tag) override { far_ends_.serve(tag); }
  base::Result<void> set_credentials(const std::string&, std::span<const base::ByteView>, base::ByteView) override {
    return {};
  }
  void drop_credentials(const std::string&) override {}
  bool dial_protocol(host::ProtocolDial dial) override;
  bool open_connection_stream(host::ConnectionStreamOrder order) override;
  void judge_connection(std::uint64_t tag, bool accepted) override { far_ends_.judge(tag, accepted); }
  void close_connection(std::uint64_t tag, std::uint64_t code, std::string reason) override {
    far_ends_.close(tag, code, std::move(reason));
  }
  host::LivePeer self() const override;
  std::optional<host::LivePeer> peer(host::PeerHandle handle) const override;
  host::PeerHandle find(std::string_view node_id) const override;
  std::vector<host::LivePeer> peers() const override;

  void behave(Manner manner) {
    manner_ = manner;
    far_ends_.behave(manner);
  }
  // What nonsense to talk; a body that is no map at all is among it.
  void teach(std::vector<base::Bytes> bodies) {
    far_ends_.teach(bodies);
    nonsense_ = std::move(bodies);
  }
  // Of raw streams, and of connections of other protocols.
  FarEnds& far_ends() { return far_ends_; }

  // A new session; the number tells its node id.
  host::PeerHandle add(std::uint64_t number);
  // The session ends: whoever waits for it is told. False when there is none.
  bool remove(host::PeerHandle peer);
  std::vector<std::pair<host::PeerHandle, std::uint32_t>> take_disconnects();
  bool waits() const;  // for an answer or a dial
  std::size_t replied(host::ReplyHandle to) const;

  // Tells one who waits what came of it, where that is due. False when nothing is.
  bool turn();
  base::MonoNs next_deadline() const;

 private:
  struct Asked {
    host::PeerHandle to;
    std::uint64_t tag;
    base::MonoNs deadline;
    host::AnswerFn done;
  };
  struct Dialled {
    base::MonoNs deadline;
    host::ConnectedFn done;
  };
  host::Answer answer();  // under the mutex
  void end_routes_of(host::PeerHandle peer);
  bool settle_request(std::unique_lock<std::mutex>& lock);
  bool settle_dial(std::unique_lock<std::mutex>& lock);

  const base::Clock& clock_;
  FarEnds far_ends_;
  Manner manner_ = Manner::kRefuses;
  std::vector<base::Bytes> nonsense_;

  mutable std::mutex mutex_;
  std::map<host::PeerHandle, host::LivePeer> live_;
  std::deque<Asked> asked_;
  std::deque<Dialled> dialled_;
  std::map<std::uint64_t, host::RouteOrder> routes_;
  std::deque<std::move_only_function<void()>> ended_;  // ends of routes that are to be told
  std::vector<std::pair<host::PeerHandle, std::uint32_t>> disconnects_;
  std::map<host::ReplyHandle, std::size_t> replies_;
  std::uint64_t last_handle_ = 0, answers_ = 0;
};

// A well-formed node id that differs for every number.
std::string node_id_of(std::uint64_t number);

}  // namespace atlas::trial
