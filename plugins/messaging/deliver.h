// One attempt at one message: dials, sends, waits for the acknowledgement.
// Strand only.
#pragma once

#include <atlas/plugin.hpp>
#include <functional>
#include <string>

#include "message.h"

namespace messaging {

// How one attempt, or the message as a whole, ended.
//   kReceived  acknowledged: it is safe at its receiver
//   kWaiting   nobody was reached, or the peer could not take it now: worth another attempt
//   kRefused   the peer will not take it later either
//   kExpired   nobody took it in time
//   kRemoved   given up by the operator
enum class Outcome { kReceived, kWaiting, kRefused, kExpired, kRemoved };
std::string_view to_text(Outcome outcome);  // "received", "waiting", "refused", "expired", "removed"

struct Delivery {
  Outcome outcome = Outcome::kWaiting;
  std::string to;         // the node that was reached; empty when none was
  std::string reason;     // for people; empty for kReceived
  bool away = false;      // nobody was reached: it would be the same for other messages
  bool limited = false;   // the peer limits our rate
  bool stopping = false;  // this node is shutting down: it was no real attempt
};

// message.to is filled in with the node that answers. `done` runs once.
void deliver(atlas::Host& host, const std::string& target, Message message, std::function<void(const Delivery&)> done);

}  // namespace messaging
