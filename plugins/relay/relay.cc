// The relay role: lets agents reach each other through this node, and lets this node be reached, and reach others,
// through relays (protocol, section 8). Each half is a class of its own.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>
#include <charconv>
#include <chrono>

#include "client.h"
#include "server.h"

namespace relay {

using namespace std::chrono_literals;

namespace {

std::string single(const atlas::Config& config, const char* key) {
  const auto values = config.node_key(key);
  return values.empty() ? "" : values.front();
}
bool is_set(const atlas::Config& config, const char* key) {
  return single(config, key) == "true";
}

Server::Settings server_settings(atlas::Setup& setup) {
  const atlas::Config& config = setup.config();
  const auto size = [&](const char* key, std::int64_t fallback, std::int64_t most, const char* doc) {
    return static_cast<std::size_t>(config.integer(key, fallback, 1, most, doc));
  };
  Server::Settings out;
  // A command of a few seconds is nobody's relay.
  out.offered = is_set(config, "transport.offer_relay") && !setup.host().is_client();
  const std::string limit = single(config, "transport.relay_bandwidth_limit");
  std::from_chars(limit.data(), limit.data() + limit.size(), out.bandwidth_limit);
  const auto idle = atlas::parse_duration(single(config, "transport.idle_timeout"));
  out.idle = std::clamp<atlas::Millis>(idle.value_or(out.idle), 1s, 1h);
  out.caps.all = size("max_sessions", kMaxSessions, kMostSessions, "Pairs of agents that are forwarded between.");
  out.caps.per_node = size("sessions_per_node", kSessionsPerNode, kMostSessionsPerNode,
                           "Sessions of one node, as source or as target.");
  out.caps.per_prefix = size("sessions_per_prefix", kSessionsPerPrefix, kMostSessionsPerPrefix,
                             "Sessions whose sources are in one IPv4 /24 or IPv6 /48.");
  out.max_announced =
      size("max_announced", kMaxAnnounced, kMostAnnounced, "Agents that are reachable through this relay.");
  out.notices_per_minute = config.integer("notices_per_minute", kNoticesPerMinute, 1, kMostNoticesPerMinute,
                                          "Connects to one target; it counts each as a request of this node.");
  return out;
}

}  // namespace

class Relay {
 public:
  explicit Relay(atlas::Setup& setup)
      : server_(setup, server_settings(setup)),
        client_(setup, is_set(setup.config(), "transport.enable_relay"), setup.config().node_key("network.relays")) {
    setup.on(kAnnounce, &Relay::on_announce).on(kConnect, &Relay::on_connect);
    setup.on(kReady, &Relay::on_ready, 0).on(kError, &Relay::on_error);
    setup.every(1s, &Relay::tick);
    if (is_set(setup.config(), "transport.enable_relay")) setup.provide(&Relay::on_path_wanted);
    setup.command(
        {.path = "relay status",
         .where = ATLAS_CLI_DAEMON,
         .summary = "Show what is relayed here, and the relays that this node is announced at",
         .display = "offered, announced, active=sessions, limits.max_sessions=at most, connects, bytes:bytes, "
                    "limits.bandwidth_limit:bytes=limit per second"},
        &Relay::on_status);
  }

  void start() { client_.start(); }
  void drain(atlas::Millis) {
    server_.drain();
    client_.drain();
  }
  void on_peer(const atlas::PeerEvent& event) {
    if (event.what == ATLAS_PEER_PATH) client_.path_has_changed(event);
    if (event.what != ATLAS_PEER_DOWN) return;
    server_.session_is_down(event);
    client_.session_is_down(event.peer);
  }

 private:
  void on_announce(const atlas::Incoming& request) { server_.on_announce(request); }
  void on_connect(const atlas::Incoming& request) { server_.on_connect(request); }
  void on_ready(const atlas::Incoming& notice) { client_.on_notice(notice); }
  // RelayError is an answer; as a request it is out of place.
  void on_error(const atlas::Incoming& request) {
    static_cast<void>(request.reject("RelayError answers a request; nobody asked"));
  }
  void on_path_wanted(const atlas::PathRequest& request) { client_.find_path(request); }
  void tick() { server_.count_bytes(); }

  void on_status(const atlas::Call& call) {
    atlas::json::Object out;
    const auto line = [&](std::string text) { static_cast<void>(call.progress(text)); };
    server_.show(out, line);
    client_.show(out, line);
    static_cast<void>(call.result(out.str()));
    call.finish();
  }

  Server server_;
  Client client_;
};

}  // namespace relay

ATLAS_PLUGIN(relay::Relay, "relay", "0.2.0", "Forwards packets between agents, and reaches others through relays.",
             ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS, ATLAS_EXT_PEERS, ATLAS_EXT_CONFIG, ATLAS_EXT_ROUTES);
