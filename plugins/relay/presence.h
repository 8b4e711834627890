// Keeps this node announced at one relay: connects, announces itself, and comes back after the session was lost.
// Strand only.
#pragma once

#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <functional>
#include <string>

#include "caps.h"

namespace relay {

class Presence {
 public:
  enum class State { kConnecting, kAnnounced, kWaiting, kRefused, kStopped };
  // `changed` after each announcement that was taken and each loss of one.
  Presence(atlas::Host& host, std::string address, std::function<void(bool announced)> changed)
      : host_(host), address_(std::move(address)), changed_(std::move(changed)) {}

  void start() { dial(); }
  void stop();
  void peer_is_down(atlas::Peer peer);

  const std::string& address() const { return address_; }
  State state() const { return state_; }
  bool announced() const { return state_ == State::kAnnounced; }
  atlas::Peer peer() const { return peer_; }               // where it is announced, or has asked to be; 0 is none
  const std::string& node_id() const { return node_id_; }  // of the relay, as last seen
  // Announced for less than that, and not for the first time: the relay may have been restarted.
  bool just_came_back(atlas::Millis within) const {
    return announced() && times_announced_ > 1 && host_.now() - since_ < within;
  }
  std::int64_t announced_at() const { return announced_at_; }  // Unix seconds; 0 unless announced
  const std::string& problem() const { return problem_; }      // of the last failure

 private:
  void dial();
  void announce();
  void answered(const atlas::Answer& answer);
  void succeeded();
  // Nobody there, or nobody any more: again soon.
  void failed(std::string problem);
  // Somebody is there and says no: again, but not before something may have changed.
  void refused(std::string problem);
  void lose(State state, std::string problem);
  void retry(atlas::Millis least, atlas::Millis most);

  atlas::Host& host_;
  const std::string address_;
  std::function<void(bool)> changed_;
  State state_ = State::kConnecting;
  atlas::Peer peer_ = 0;
  std::string node_id_, problem_;
  atlas::Timer next_;
  std::uint32_t failures_ = 0, refusals_ = 0;  // in a row
  std::uint32_t times_announced_ = 0;
  atlas::Millis since_{0};  // of the host's clock, when announced
  std::int64_t announced_at_ = 0;
};

std::string_view to_text(Presence::State state);

}  // namespace relay
