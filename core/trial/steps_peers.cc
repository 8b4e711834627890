// What a role must take from its peers, and from the people who run its commands.
#include <fmt/format.h>

#include "atlas/ext/messages.h"
#include "atlas/json.hpp"
#include "atlas/plugin.h"
#include "base/random.h"
#include "trial/famine.h"
#include "trial/own_threads.h"
#include "trial/steps.h"
#include "trial/traffic.h"
#include "trial/world.h"

namespace atlas::trial {
namespace {

// More than the time that a promised answer has.
constexpr base::MonoNs kAnswerTime = 11 * base::kSecond;

std::vector<base::Bytes> bytes_of(const std::vector<Body>& bodies) {
  std::vector<base::Bytes> out;
  for (const Body& body : bodies) out.push_back(body.bytes);
  return out;
}

std::vector<Body> small_bodies(const Subject& subject) {
  const auto all = crooked_bodies(subject.words);
  return {all.begin(), all.begin() + 8};
}

// One request, run to its end, and answered in time where that was promised.
std::string ask(World& world, OwnThreads& threads, const Notes& notes, host::PeerHandle peer, std::uint8_t type,
                const Body& body) {
  notes.at(fmt::format("a peer asks 0x{:02x} with {}", type, body.name));
  const auto before = world.figure("unanswered");
  const host::ReplyHandle reply = world.deliver(peer, type, body.bytes);
  world.settle();
  threads.wait(world, [&] { return world.peers().replied(reply) != 0; });
  world.pass(kAnswerTime);
  if (world.figure("unanswered") != before) return "it promised an answer and gave none within 10 s";
  return world.complaint();
}

std::string ask_all(World& world, const Notes& notes, const std::vector<Body>& bodies) {
  const host::PeerHandle peer = world.connect(1);
  world.settle();
  OwnThreads threads;
  for (const std::uint8_t type : world.types()) {
    for (const Body& body : bodies) {
      if (std::string why = ask(world, threads, notes, peer, type, body); !why.empty()) return why;
    }
  }
  return {};
}

}  // namespace

std::string step_malformed(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  std::vector<Body> bodies = broken_bodies();
  for (Body& body : crooked_bodies(subject.words)) bodies.push_back(std::move(body));
  base::SeededRandom random(1);
  for (int i = 0; i < 100; ++i) bodies.push_back(random_body(subject.words, random));
  return ask_all(world, notes, bodies);
}

std::string step_oversized(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  return ask_all(world, notes, huge_bodies(subject.words));
}

// Many peers at once, more than the strand's queue holds.
std::string step_flood(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  Traffic traffic{world, notes, small_bodies(subject)};
  const auto peers = traffic.connect(100);
  notes.at("a hundred peers ask at once");
  for (int round = 0; round < 20; ++round) {
    for (const host::PeerHandle peer : peers) {
      for (const std::uint8_t type : world.types()) world.deliver(peer, type, base::Bytes{0x80});
    }
  }
  world.settle();
  notes.at("a minute passes");
  world.pass(60 * base::kSecond);
  return world.complaint();
}

// Answers that belong to no question, events from a later version, types that it never claimed.
std::string step_unknown(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  std::vector<Body> nonsense = broken_bodies();
  for (Body& body : crooked_bodies(subject.words)) nonsense.push_back(std::move(body));
  world.peers().teach(bytes_of(nonsense));
  world.peers().behave(Manner::kTalksNonsense);
  world.run();
  Traffic traffic{world, notes, small_bodies(subject)};
  const auto peers = traffic.connect();
  for (unsigned type = 0; type < 256; ++type) {
    notes.at(fmt::format("a peer asks 0x{:02x}", type));
    world.deliver(peers.front(), static_cast<std::uint8_t>(type), base::Bytes{0x80});
  }
  world.settle();
  notes.at("a peer event of an unknown kind");
  world.tell(4711, peers.front(), 0);
  world.tell(ATLAS_PEER_PATH, peers.front(), 0);
  world.lose(peers.back(), 99);
  world.settle();
  notes.at("ten minutes of answers that make no sense");
  for (int minute = 0; minute < 10; ++minute) {
    traffic.ask(peers.front());
    world.pass(60 * base::kSecond);
  }
  traffic.command_all();
  world.pass(60 * base::kSecond);
  return world.complaint();
}

std::string step_vanishing(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.peers().behave(Manner::kSilent);
  world.run();
  Traffic traffic{world, notes, small_bodies(subject)};
  for (std::uint64_t round = 1; round <= 10; ++round) {
    const host::PeerHandle peer = world.connect(round);
    traffic.ask(peer);
    // Gone before the role has seen its first word; in other rounds a moment later.
    if (round % 2 == 0) world.settle();
    if (round % 3 == 0) world.pass(base::kSecond);
    notes.at("the peer vanishes");
    world.lose(peer);
    world.settle();
    notes.at("the same node comes back");
    const host::PeerHandle again = world.connect(round);
    world.settle();
    world.lose(again);
  }
  traffic.command_all();
  notes.at("a minute passes");
  world.pass(60 * base::kSecond);
  return world.complaint();
}

std::string step_slow(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.peers().behave(Manner::kSilent);
  world.rows.hold_up(true);
  world.run();
  Traffic traffic{world, notes, small_bodies(subject)};
  traffic.everything();
  notes.at("twenty minutes in which nobody answers");
  world.pass(1200 * base::kSecond);
  notes.at("the disk goes on");
  world.rows.hold_up(false);
  world.pass(60 * base::kSecond);
  if (world.peers().waits() && world.next_event() == base::kNever) return "a request of it has no end";
  return world.complaint();
}

std::string step_full(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  Traffic traffic{world, notes, small_bodies(subject)};
  set_famine(Famine::kEverySecondCall);
  traffic.everything();
  set_famine(Famine::kEveryCall);
  traffic.everything();
  set_famine(Famine::kOff);
  notes.at("there is room again");
  traffic.everything();
  if (std::string why = world.complaint(); !why.empty()) return why;
  notes.at("it stops while everything is full");
  set_famine(Famine::kEveryCall);
  world.stop();
  return world.complaint();
}

// Every command: with all its arguments, with the least, twice at once, and left by the person who ran it.
std::string step_commands(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  Traffic{world, notes, {}}.connect();
  for (const host::Command& command : world.host().commands()) {
    for (const bool all : {true, false}) {
      notes.at(fmt::format("{} with {} arguments", command.path, all ? "all its" : "the fewest"));
      const auto shown = world.run_command(command, arguments_for(command, all)).second;
      const auto second = world.run_command(command, arguments_for(command, all)).first;
      world.settle();
      world.host().cancel_command(second);
      world.pass(60 * base::kSecond);
      for (const std::string& value : shown->values) {
        if (!json::to_msgpack(value)) return fmt::format("{} put out what is no JSON: {:.80}", command.path, value);
      }
    }
    notes.at(fmt::format("{} is left before it has begun", command.path));
    world.host().cancel_command(world.run_command(command, arguments_for(command, true)).first);
    world.settle();
  }
  return world.complaint();
}

}  // namespace atlas::trial
