// What a role must take from the other ends of its raw streams, and from strangers who speak its protocols.
#include <fmt/format.h>

#include "atlas/ext/protocols.h"
#include "atlas/ext/streams.h"
#include "base/random.h"
#include "trial/steps.h"
#include "trial/traffic.h"
#include "trial/world.h"

namespace atlas::trial {
namespace {

constexpr std::size_t kWindow = 64 << 10;  // what a peer may send before it is given credit

// How a peer goes on with a stream that it has opened; each names itself.
struct Course {
  std::string_view name;
  bool peer_over, role_over;  // which sides it has ended
  void (*run)(World& world, host::StreamPipe& pipe);
};
constexpr Course kCourses[] = {
    {"and finishes at once", true, false, [](World&, host::StreamPipe& pipe) { pipe.on_data({}, true); }},
    {"and writes byte by byte", true, false,
     [](World& world, host::StreamPipe& pipe) {
       for (std::uint8_t byte = 0; byte < 100; ++byte) {
         pipe.on_data({&byte, 1}, false);
         world.settle();
       }
       pipe.on_data({}, true);
     }},
    {"and fills its window", true, false,
     [](World& world, host::StreamPipe& pipe) {
       pipe.on_data(base::Bytes(kWindow, 0xff), false);
       world.settle();
       pipe.on_data({}, true);
     }},
    {"and resets it", true, false, [](World&, host::StreamPipe& pipe) { pipe.on_reset(1); }},
    {"and wants nothing of it", false, true, [](World&, host::StreamPipe& pipe) { pipe.on_stopped(2); }},
    {"and writes after it has refused what comes", true, true,
     [](World& world, host::StreamPipe& pipe) {
       pipe.on_stopped(2);
       world.settle();
       pipe.on_data(base::Bytes(1000, 'x'), true);
     }},
    {"and gives both directions up in the middle", true, true,
     [](World& world, host::StreamPipe& pipe) {
       pipe.on_data(base::Bytes(1000, 'x'), false);
       world.settle();
       pipe.on_reset((std::uint64_t{1} << 62) - 1);
       pipe.on_stopped(0);
     }},
    {"and says nothing more", false, false, [](World&, host::StreamPipe&) {}},
};

void follow(World& world, const Course& course, const FarEnds::Pipe& pipe) {
  course.run(world, *pipe);
  world.peers().far_ends().over(pipe->tag(), course.peer_over, course.role_over);
}

std::string open_one(World& world, const Notes& notes, std::uint8_t type, const Body& body, const Course& course) {
  notes.at(fmt::format("a peer opens a raw stream 0x{:02x} with {}, {}", type, body.name, course.name));
  const host::PeerHandle peer = world.connect(1);
  if (const auto pipe = world.open_stream(peer, type, body.bytes)) {
    follow(world, course, pipe);
    world.settle();
  }
  notes.at("the peer goes");
  world.lose(peer);
  world.settle();
  return world.complaint();
}

std::vector<Body> openings_for(const Subject& subject) {
  std::vector<Body> out = crooked_bodies(subject.words);
  base::SeededRandom random(3);
  for (int i = 0; i < 50; ++i) out.push_back(random_body(subject.words, random));
  return out;
}

// Many at once, each at another point of its life, and the role stops.
std::string stop_with_streams(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  const std::vector<Body> bodies = openings_for(subject);
  const host::PeerHandle peer = world.connect(1);
  std::size_t number = 0;
  for (const std::uint8_t type : world.stream_types()) {
    for (const Body& body : bodies) {
      const auto pipe = world.open_stream(peer, type, body.bytes);
      if (number % 2 == 0) world.settle();
      if (pipe) follow(world, kCourses[number % std::size(kCourses)], pipe);
      ++number;
    }
  }
  notes.at("it drains, with raw streams open");
  world.begin_drain(100 * base::kMillisecond);
  world.pass(100 * base::kMillisecond);
  notes.at("it stops, with raw streams open");
  world.stop();
  world.pass(60 * base::kSecond);
  return world.complaint();
}

}  // namespace

std::string step_streams(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  if (world.stream_types().empty()) return {};
  const std::vector<Body> bodies = openings_for(subject);
  for (const std::uint8_t type : world.stream_types()) {
    for (const Body& body : bodies) {
      for (const Course& course : kCourses) {
        if (std::string why = open_one(world, notes, type, body, course); !why.empty()) return why;
      }
    }
    notes.at("two minutes in which a stream is left open");
    static_cast<void>(world.open_stream(world.connect(2), type, bodies.front().bytes));
    world.pass(120 * base::kSecond);
    notes.at("as many streams as it may have");
    const host::PeerHandle peer = world.connect(3);
    for (int i = 0; i < 10'000; ++i) {
      const auto pipe = world.open_stream(peer, type, bodies[static_cast<std::size_t>(i) % bodies.size()].bytes);
      if (!pipe) break;
      pipe->on_data(base::Bytes(100, 'x'), i % 2 == 0);
    }
    world.settle();
    world.lose(peer);
    world.settle();
  }
  if (std::string why = world.complaint(); !why.empty()) return why;
  return stop_with_streams(subject, notes);
}

namespace {

std::vector<std::pair<std::string_view, std::vector<base::Bytes>>> chains() {
  base::SeededRandom random(4);
  base::Bytes noise(1000);
  random.fill(noise);
  return {{"no certificate", {}},
          {"an empty one", {{}}},
          {"what is no DER", {noise}},
          {"a sequence that ends too early", {{0x30, 0x82, 0xff, 0xff, 0x02}}},
          {"a length that is too long", {{0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}},
          {"eight of them", std::vector<base::Bytes>(8, noise)},
          {"64 KiB", {base::Bytes(64 << 10, 0x30)}}};
}

// A connection that the role accepted: streams of both kinds begin, and it goes in the middle.
void live_and_die(World& world, const FarEnds::Carrier& carrier, std::size_t number) {
  for (const bool unidirectional : {false, true}) {
    const auto pipe = carrier->arrived_stream(unidirectional);
    if (!pipe) continue;
    world.peers().far_ends().adopt(pipe, {FarEnds::kInConnection, carrier->tag()});
    const Course& course = kCourses[number % std::size(kCourses)];
    // Nobody can refuse what the role does not write.
    if (!unidirectional || !course.role_over) follow(world, course, pipe);
    if (number % 2 == 0) world.settle();
  }
}

}  // namespace

std::string step_protocols(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  world.run();
  const std::size_t count = world.host().protocols().size();
  std::size_t number = 0;
  for (std::size_t protocol = 0; protocol < count; ++protocol) {
    const std::string alpn = world.host().protocols()[protocol].second.alpn;
    for (const auto& [name, chain] : chains()) {
      for (const bool goes_at_once : {false, true}) {
        notes.at(fmt::format("a stranger connects with {} and shows {}", alpn, name));
        const auto carrier = world.present(protocol, chain);
        if (!carrier) continue;
        if (!goes_at_once) {
          world.settle();
          live_and_die(world, carrier, ++number);
        }
        notes.at("the connection goes");
        world.lose(carrier);
        world.settle();
      }
      if (std::string why = world.complaint(); !why.empty()) return why;
    }
  }
  if (count == 0) return {};
  notes.at("it stops, with connections open");
  for (std::size_t protocol = 0; protocol < count; ++protocol) {
    for (const auto& [name, chain] : chains()) {
      if (world.present(protocol, chain) && ++number % 2 == 0) world.settle();
    }
  }
  world.stop();
  world.pass(120 * base::kSecond);
  return world.complaint();
}

}  // namespace atlas::trial
