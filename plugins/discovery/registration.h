// Keeps this node registered at one bootstrap node: connects, registers, registers again with jitter, and comes back
// after the bootstrap node was gone.
// Strand only.
#pragma once

#include <atlas/plugin.hpp>
#include <functional>
#include <string>

#include "records.h"

namespace discovery {

class Registration {
 public:
  struct Pace {
    atlas::Millis interval{900'000};   // between two registers; 20 % of jitter apply
    atlas::Millis first_retry{1'000};  // at most this long after the first failure; doubles
    atlas::Millis longest_retry{60'000};
  };
  // `changed` after every register that went through and every loss.
  Registration(atlas::Host& host, std::string address, Pace pace, std::function<void(bool registered)> changed)
      : host_(host), address_(std::move(address)), pace_(pace), changed_(std::move(changed)) {}

  void start() { dial(); }
  void stop();
  void peer_is_down(atlas::Peer peer);
  bool registered() const { return registered_; }

 private:
  void dial();
  void register_now();
  void answered(const atlas::Answer& answer);
  void succeeded();
  // Nobody there, or nobody any more: again soon.
  void failed(std::string problem);
  // Somebody is there and says no: again, but not before something may have changed.
  void refused(std::string problem);
  void lost(std::string problem);
  void retry(atlas::Millis least, atlas::Millis most);
  void set_registered(bool registered);

  atlas::Host& host_;
  const std::string address_;
  const Pace pace_;
  std::function<void(bool)> changed_;
  atlas::Peer peer_ = 0;
  atlas::Timer next_;
  std::uint32_t failures_ = 0, refusals_ = 0;  // in a row
  atlas::Millis registered_at_{0};             // of the host's clock
  bool registered_ = false, stopped_ = false;
  std::string problem_;  // of the last failure; people are told when it changes
};

}  // namespace discovery
