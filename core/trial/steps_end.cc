// How a role ends: with everything open, in the middle of a timer, and beginning again on what it left behind.
#include <fmt/format.h>

#include "trial/steps.h"
#include "trial/traffic.h"
#include "trial/world.h"

namespace atlas::trial {
namespace {

std::vector<Body> one_body(const Subject& subject) {
  const auto all = crooked_bodies(subject.words);
  return {all.front(), all.back()};
}

std::string stopped(World& world, const Notes& notes) {
  notes.at("it stops");
  world.stop();
  notes.at("an hour passes after its stop");
  world.pass(3600 * base::kSecond);
  return world.complaint();
}

}  // namespace

std::string step_drain(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.peers().behave(Manner::kSilent);
  world.run();
  Traffic traffic{world, notes, one_body(subject)};
  const auto peers = traffic.connect();
  traffic.ask(peers.front());
  traffic.command_all();
  world.settle();
  notes.at("it drains, with all of that open");
  traffic.ask(peers.front());
  world.begin_drain(500 * base::kMillisecond);
  traffic.ask(peers.back());
  world.settle();
  notes.at("a peer goes while it drains");
  world.lose(peers.front());
  world.pass(100 * base::kMillisecond);
  notes.at("answers come while it drains");
  world.peers().behave(Manner::kRefuses);
  world.pass(400 * base::kMillisecond);
  return stopped(world, notes);
}

// Timers that are due, queued, and never run: at the first expiry, the second, and so on.
std::string step_stop_timer(const Subject& subject, const Notes& notes) {
  for (int expiry = 1; expiry <= 8; ++expiry) {
    World world(*subject.plugin, host::Mode::kDaemon);
    world.run();
    Traffic{world, notes, {}}.connect();
    for (int i = 1; i < expiry && world.next_event() != base::kNever; ++i) {
      world.move_clock(world.next_event() - std::min(world.next_event(), world.now()));
      world.settle();
    }
    if (world.next_event() == base::kNever) break;
    notes.at(fmt::format("it stops in the middle of timer {}", expiry));
    world.move_clock(world.next_event() - std::min(world.next_event(), world.now()));
    world.fire_without_running();
    if (std::string why = stopped(world, notes); !why.empty()) return why;
  }
  return {};
}

std::string step_stop_open(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.peers().behave(Manner::kSilent);
  world.rows.hold_up(true);
  world.run();
  Traffic traffic{world, notes, one_body(subject)};
  const auto peers = traffic.connect();
  for (const host::PeerHandle peer : peers) traffic.ask(peer);
  world.settle();
  traffic.command_all();
  world.settle();
  // Some of it is queued and will not run.
  traffic.ask(peers.front());
  notes.at("it stops, with requests, commits and commands open");
  world.stop();
  notes.at("what it waited for comes after its stop");
  world.rows.hold_up(false);
  world.peers().behave(Manner::kRefuses);
  world.pass(3600 * base::kSecond);
  return world.complaint();
}

// What an earlier run, an earlier version or a broken disk left in its rows.
std::string step_rows(const Subject& subject, const Notes& notes) {
  std::map<Rows::Key, base::Bytes> left;
  {
    World world(*subject.plugin, host::Mode::kDaemon);
    world.run();
    Traffic{world, notes, one_body(subject)}.everything();
    world.stop();
    left = world.rows.rows();
  }
  const std::vector<Body> bodies = crooked_bodies(subject.words);
  for (std::size_t round = 0; round <= bodies.size(); ++round) {
    World world(*subject.plugin, host::Mode::kDaemon);
    world.rows.rows() = left;
    if (round > 0) {
      for (auto& [key, value] : world.rows.rows()) value = bodies[round - 1].bytes;
      world.rows.rows()[{subject.id, {0xff, 0x00}}] = {0xc1};
    }
    notes.at(round == 0 ? "it starts on the rows that it left"
                        : fmt::format("it starts on rows that are {}", bodies[round - 1].name));
    world.run();
    Traffic{world, notes, {}}.everything();
    if (std::string why = world.complaint(); !why.empty()) return why;
    world.stop();
    if (left.empty()) break;
  }
  return {};
}

}  // namespace atlas::trial
