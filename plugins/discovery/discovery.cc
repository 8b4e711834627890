// The discovery role: keeps this node registered at its bootstrap nodes and finds others through them (protocol,
// section 7).
#include <algorithm>
#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <memory>
#include <vector>

#include "records.h"
#include "registration.h"
#include "search.h"

namespace discovery {

using namespace std::chrono_literals;

class Discovery {
 public:
  explicit Discovery(atlas::Setup& setup) : host_(setup.host()) {
    const auto& config = setup.config();
    for (auto& address : config.node_key("network.bootstrap")) {
      if (std::find(bootstrap_.begin(), bootstrap_.end(), address) == bootstrap_.end()) bootstrap_.push_back(address);
    }
    // Even with its jitter well inside the hour after which a record is stale.
    pace_.interval = config.duration("interval", pace_.interval, 1s, 45min,
                                     "Time between two registers at one bootstrap node; 20 % of jitter apply.");
    pace_.longest_retry = config.duration("longest_retry", pace_.longest_retry, 1s, 1h,
                                          "The longest pause before an unreachable bootstrap node is tried again.");
    limits_.records = static_cast<std::size_t>(
        config.integer("max_records", 10'000, 1, 50'000, "Records that one bootstrap node may tell in one discover."));
    limits_.time = config.duration("timeout", limits_.time, 1s, 10min,
                                   "How long one discover takes at most; then what has come is shown.");
    setup.on(kPeers, &Discovery::on_peers)
        .command(
            {.path = "discover",
             .where = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
             .summary = "Ask the bootstrap nodes for peers",
             .args = {{"--skill", ATLAS_ARG_TEXT, false, "only peers with this skill"},
                      {"--operator", ATLAS_ARG_TEXT, false, "only peers of this operator; a leading @ is optional"},
                      {"--node", ATLAS_ARG_TEXT, false, "only the peer with this node id"}},
             .display = "node_id:id=node id, name, address, skills:list, operator_username=operator, "
                        "last_seen:ago=last seen"},
            &Discovery::on_discover);
    registered_ = setup.gauge("registered", "Bootstrap nodes that this node is registered at.");
    registers_ = setup.counter("registers", "Times that this node became registered.");
    losses_ = setup.counter("losses", "Times that a registration was lost.");
  }

  void start() {
    if (host_.is_client()) return;  // a command of a few seconds is nobody to be found
    for (const auto& address : bootstrap_) {
      registrations_.push_back(
          std::make_unique<Registration>(host_, address, pace_, [this](bool registered) { changed(registered); }));
      registrations_.back()->start();
    }
  }

  void drain(atlas::Millis) {
    for (const auto& registration : registrations_) registration->stop();
  }

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what != ATLAS_PEER_DOWN) return;
    for (const auto& registration : registrations_) registration->peer_is_down(event.peer);
  }

 private:
  void changed(bool registered) {
    (registered ? registers_ : losses_).add();
    std::int64_t count = 0;
    for (const auto& registration : registrations_) count += registration->registered() ? 1 : 0;
    registered_.set(count);
  }

  // A list of peers is an answer; as a request it is out of place.
  void on_peers(const atlas::Incoming& request) {
    static_cast<void>(request.reject("BootstrapPeers answers a discover; nobody asked"));
  }

  void on_discover(const atlas::Call& call) {
    Filter filter;
    filter.skill = call.text("--skill").value_or("");
    filter.operator_username = call.text("--operator").value_or("");
    if (filter.operator_username.starts_with('@')) filter.operator_username.erase(0, 1);
    if (const auto node_id = call.text("--node")) {
      if (const auto why = atlas::why_no_node_id(*node_id); !why.empty()) {
        return call.fail({ATLAS_E_ARG}, atlas::concat("--node: ", why));
      }
      filter.node_id = *node_id;
    }
    if (bootstrap_.empty()) {
      return call.fail({ATLAS_E_CONFIG}, "no bootstrap node is configured: set network.bootstrap in config.toml");
    }
    std::erase_if(searches_, [](const auto& search) { return search.expired(); });
    if (searches_.size() >= kMaxSearches) return call.fail({ATLAS_E_FULL}, "others discover already; try again later");
    const auto search = std::make_shared<Search>(host_, call, std::move(filter), limits_);
    searches_.push_back(search);
    search->start(bootstrap_);
  }

  static constexpr std::size_t kMaxSearches = 4;  // at once: each has its share of the other side's rate limit

  atlas::Host& host_;
  std::vector<std::string> bootstrap_;
  Registration::Pace pace_;
  Search::Limits limits_;
  std::vector<std::unique_ptr<Registration>> registrations_;
  std::vector<std::weak_ptr<Search>> searches_;
  atlas::Gauge registered_;
  atlas::Counter registers_, losses_;
};

}  // namespace discovery

ATLAS_PLUGIN(discovery::Discovery, "discovery", "0.2.0", "Registers at bootstrap nodes and finds peers through them.",
             ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS, ATLAS_EXT_PEERS, ATLAS_EXT_CONFIG, ATLAS_EXT_CLI);
