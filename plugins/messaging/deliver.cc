#include "deliver.h"

namespace messaging {

using atlas::Millis;

namespace {

constexpr Millis kDialTimeout{15'000};
constexpr Millis kAnswerTimeout{10'000};
constexpr std::uint32_t kRateLimited = 4001, kInternal = 5001;

Delivery failed(atlas::Status status, std::string_view why) {
  Delivery out;
  out.stopping = status.code == ATLAS_E_STOPPING;
  out.reason = why.empty() ? status.text() : why;
  return out;
}

Delivery judge(const atlas::Answer& answer, const std::string& id) {
  if (!answer.status.ok()) return failed(answer.status, answer.why());
  Delivery out;
  if (answer.error_code != 0) {
    out.limited = answer.error_code == kRateLimited;
    out.outcome = out.limited || answer.error_code == kInternal ? Outcome::kWaiting : Outcome::kRefused;
    out.reason = answer.why();
    return out;
  }
  const auto map = answer.map();
  if (answer.type == kMessageAck && map.find("msg_id").text() == id && map.find("status").text() == "received") {
    out.outcome = Outcome::kReceived;
    return out;
  }
  out.outcome = Outcome::kRefused;
  out.reason = "the answer is no acknowledgement of this message";
  return out;
}

}  // namespace

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::kReceived:
      return "received";
    case Outcome::kWaiting:
      return "waiting";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kExpired:
      return "expired";
    case Outcome::kRemoved:
      return "removed";
  }
  return "waiting";
}

void deliver(atlas::Host& host, const std::string& target, Message message, std::function<void(const Delivery&)> done) {
  host.connect(target, kDialTimeout,
               [&host, message = std::move(message), done](const atlas::Connected& result) mutable {
                 if (!result.status.ok()) {
                   Delivery out = failed(result.status, result.error);
                   out.away = true;
                   if (result.status.code == ATLAS_E_ARG) out.outcome = Outcome::kRefused;  // it never is an address
                   return done(out);
                 }
                 message.to = result.node_id;
                 host.request(result.peer, kMessage, encode(message), kAnswerTimeout,
                              [to = message.to, id = message.id, done](const atlas::Answer& answer) {
                                Delivery out = judge(answer, id);
                                out.to = to;
                                done(out);
                              });
               });
}

}  // namespace messaging
