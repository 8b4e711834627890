// The half that is a relay for others: takes announcements, brings a source together with a target, and has the core
// forward between them. It never sees what is forwarded.
// Strand only; owns the announcements and the sessions.
#pragma once

#include <array>
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>
#include <string>

#include "announcements.h"
#include "messages.h"
#include "sessions.h"

namespace relay {

// Why somebody was refused; each has its own counter.
enum class Refused : std::uint8_t {
  kMalformed,
  kIdentity,
  kLoop,
  kNotOffered,
  kNotAnnounced,
  kNoRoutes,
  kTargetSessions,
  kTargetNotices,
  kTargetShare,
  kTargetQueue,
  kSessions,
  kNodeSessions,
  kPrefixSessions,
  kAnnounced,
  kRoutes,
  kStopping,
  kCount
};

class Server {
 public:
  struct Settings {
    bool offered = false;               // transport.offer_relay
    std::uint64_t bandwidth_limit = 0;  // transport.relay_bandwidth_limit
    atlas::Millis idle{120'000};        // transport.idle_timeout, as far as routes can have it
    std::size_t max_announced = kMaxAnnounced;
    std::int64_t notices_per_minute = kNoticesPerMinute;
    Sessions::Caps caps;
  };
  Server(atlas::Setup& setup, const Settings& settings);

  void on_announce(const atlas::Incoming& request);
  void on_connect(const atlas::Incoming& request);
  void session_is_down(const atlas::PeerEvent& event);
  // Adds to the metric what sessions have forwarded; each call looks at so many of them.
  void count_bytes();
  void drain() { draining_ = true; }

  // Fields of `net relay status`. Lines for people go to `line`.
  void show(atlas::json::Object& out, const std::function<void(std::string)>& line) const;

 private:
  // Who asks, as its session has it.
  struct Asker {
    atlas::Peer peer = 0;
    std::string node_id;
    atlas::Address address;
    bool relayed = false;
  };
  std::optional<Asker> asker(atlas::Peer peer) const;
  // What speaks against the asker, whatever the target is. The answer is given here.
  bool refused_for_asker(const atlas::Incoming& request, const Asker& asker, std::string_view claimed_id,
                         std::string_view target_id);
  bool refused_for_room(const atlas::Incoming& request, const Asker& source, std::string_view target_id);
  bool room_can_be_made(Sessions::Room room, std::string_view source_id) const;
  void make_room(const Asker& source, std::string_view target_id);
  void pair(const atlas::Incoming& request, const Asker& source, const Asker& target);
  void refused_by_core(const atlas::Incoming& request, atlas::Status why, std::string_view target_id);
  void ended(const atlas::RouteEnded& ended, std::uint64_t counted);
  // Ends a session and tells the agents that are still there.
  void drop(atlas::Route route);
  void tell_ended(const Session& session);
  void tell(atlas::Peer peer, const std::string& node_id, const Session& session, const std::string& other_id);
  void count(Refused why);
  void refuse(const atlas::Incoming& request, Code code, Refused why, std::string_view target_id);
  void malformed(const atlas::Incoming& request, std::string_view why);
  void update_gauges();

  struct Tally {
    atlas::Counter metric;
    std::uint64_t value = 0;
  };

  atlas::Host& host_;
  const Settings settings_;
  Announcements announcements_;
  Sessions sessions_;
  bool draining_ = false;
  atlas::Route counted_to_ = 0;  // where count_bytes() goes on
  std::uint64_t bytes_ = 0, paired_ = 0;
  std::array<Tally, static_cast<std::size_t>(Refused::kCount)> refused_;
  atlas::Gauge announced_gauge_, sessions_gauge_;
  atlas::Counter announces_, connects_, replaced_, made_way_, bytes_metric_;
};

}  // namespace relay
