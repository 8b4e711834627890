// `atlas net ping`: pings one peer a few times for a person, and says how long each answer took.
// Strand only. A run keeps itself alive through the callbacks that it waits for.
#pragma once

#include <memory>
#include <string>

#include "atlas/json.hpp"
#include "atlas/plugin.hpp"

namespace keepalive {

atlas::Command ping_command_spec();

class PingRun : public std::enable_shared_from_this<PingRun> {
 public:
  struct Options {
    std::string target;
    std::int64_t count = 4;
    atlas::Millis interval{1000};
    atlas::Millis timeout{10'000};  // of each ping
  };
  PingRun(atlas::Host& host, const atlas::Call& call, Options options)
      : host_(host), call_(call), options_(std::move(options)) {}

  // Dials, pings, reports, ends the command.
  void start();

 private:
  void connected(const atlas::Connected& result);
  void ping();
  void answered(std::int64_t ts, const atlas::Answer& answer);
  // True when another ping makes no sense.
  bool is_hopeless(const atlas::Answer& answer) const;
  void report();
  atlas::json::Object rtt_json() const;

  atlas::Host& host_;
  atlas::Call call_;
  Options options_;
  atlas::Peer peer_ = 0;
  std::string node_id_;
  std::int64_t sent_ = 0, received_ = 0;
  atlas::Micros min_{0}, max_{0}, sum_{0};
  std::string last_failure_;
  bool relayed_ = false;  // the path of the last answer
  bool refused_ = false;  // the last failure was an Error of the peer
  atlas::Millis last_sent_at_{0};
  atlas::Timer next_;
};

}  // namespace keepalive
