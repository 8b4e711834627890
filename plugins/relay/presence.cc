#include "presence.h"

#include <algorithm>
#include <utility>

#include "messages.h"
#include "relay_session.h"

namespace relay {

using atlas::Millis;

namespace {

// The pause after so many failures in a row before this one.
Millis doubled(Millis first, std::uint32_t times, Millis longest) {
  return Millis(std::min(first.count() << std::min(times, 16u), longest.count()));
}

}  // namespace

std::string_view to_text(Presence::State state) {
  switch (state) {
    case Presence::State::kConnecting:
      return "connecting";
    case Presence::State::kAnnounced:
      return "announced";
    case Presence::State::kWaiting:
      return "waiting";
    case Presence::State::kRefused:
      return "refused";
    case Presence::State::kStopped:
      break;
  }
  return "stopped";
}

void Presence::stop() {
  next_.cancel();
  peer_ = 0;
  announced_at_ = 0;
  if (std::exchange(state_, State::kStopped) == State::kAnnounced) changed_(false);
}

void Presence::dial() {
  if (state_ == State::kStopped) return;
  state_ = State::kConnecting;
  host_.connect(address_, kDialTime, [this](const atlas::Connected& result) {
    if (state_ != State::kConnecting) return;
    if (!result.status.ok()) {
      std::string why(result.error.empty() ? result.status.text() : result.error);
      return result.status.code == ATLAS_E_DENIED ? refused(std::move(why)) : failed(std::move(why));
    }
    if (is_relayed(host_, result.peer)) return refused("the session there runs through a relay itself");
    peer_ = result.peer;
    node_id_ = result.node_id;
    announce();
  });
}

void Presence::announce() {
  const std::string self = host_.peers().self().node_id;
  host_.request(peer_, kAnnounce, encode(Announce{self, host_.unix_seconds()}), kAnswerTime,
                [this, peer = peer_](const atlas::Answer& answer) {
                  if (state_ == State::kConnecting && peer == peer_) answered(answer);
                });
}

void Presence::answered(const atlas::Answer& answer) {
  if (!answer.ok()) return answer.error_code != 0 ? refused(cut(answer.why())) : failed(answer.why());
  if (answer.type == kError) {
    const auto error = decode_error(answer.map());
    return refused(error ? why_refused(*error) : "its answer is malformed");
  }
  const auto ready = answer.type == kReady ? decode_ready(answer.map()) : std::nullopt;
  if (!ready || !ready->waiting) return refused("its answer is no RelayReady `waiting`");
  succeeded();
}

void Presence::succeeded() {
  refusals_ = 0;
  problem_.clear();
  state_ = State::kAnnounced;
  since_ = host_.now();
  times_announced_ = std::min(times_announced_ + 1, 1'000u);
  announced_at_ = host_.unix_seconds();
  host_.info("announced at relay ", address_);
  changed_(true);
}

// Full jitter: after a relay's restart its agents come back spread over the pause, not all at once; the first pause is
// short, for nobody can reach this node meanwhile. A relay that accepts and hangs up is not dialled for ever at full
// speed: only a session that has lasted begins the pauses anew.
void Presence::failed(std::string problem) {
  const bool lost = state_ == State::kAnnounced;
  if (lost && host_.now() - since_ >= kLongestPause) failures_ = 0;
  lose(State::kWaiting, std::move(problem));
  retry(Millis(0), doubled(kFirstPause, failures_, kLongestPause));
  failures_ = std::min(failures_ + 1, 1'000u);
}

void Presence::refused(std::string problem) {
  lose(State::kRefused, std::move(problem));
  const Millis most = doubled(kFirstRefusal, refusals_, kLongestRefusal);
  refusals_ = std::min(refusals_ + 1, 1'000u);
  retry(most / 2, most);
}

void Presence::lose(State state, std::string problem) {
  if (problem != problem_) host_.warn("relay ", address_, ": ", problem);
  problem_ = std::move(problem);
  peer_ = 0;
  announced_at_ = 0;
  if (std::exchange(state_, state) == State::kAnnounced) changed_(false);
}

void Presence::retry(Millis least, Millis most) {
  const auto spread = static_cast<std::uint64_t>((most - least).count());
  next_ = host_.after(least + Millis(host_.random_below(spread + 1)), [this] { dial(); });
}

void Presence::peer_is_down(atlas::Peer peer) {
  if (state_ == State::kStopped || peer == 0 || peer != peer_) return;
  failed("the session is gone");
}

}  // namespace relay
