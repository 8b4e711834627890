#include "bench/round_trips.h"

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/meter.h"

namespace atlas::bench {
namespace {

constexpr int kPatienceMs = 50;
constexpr int kTurns = 10;

using Number = std::uint64_t;

// A whole message of that size, nothing for another one or when none came in time.
std::optional<Number> receive(int fd, base::Bytes& buffer, std::size_t expected) {
  const auto got = ::recv(fd, buffer.data(), expected, MSG_WAITALL);
  if (got != static_cast<ssize_t>(expected)) return std::nullopt;
  Number number;
  std::memcpy(&number, buffer.data() + expected - sizeof number, sizeof number);
  return number;
}

void send(int fd, base::Bytes& message, Number number) {
  std::memcpy(message.data() + message.size() - sizeof number, &number, sizeof number);
  if (::send(fd, message.data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size())) {
    throw std::runtime_error(std::string("send: ") + std::strerror(errno));
  }
}

}  // namespace

void round_trips(const base::Clock& clock, const End& near, const End& far, base::MonoNs span, RoundTrips& out) {
  std::atomic<bool> over = false;
  std::jthread echo([&] {
    base::Bytes message = far.message, buffer(far.expected);
    while (!over) {
      if (const auto number = receive(far.fd, buffer, far.expected)) send(far.fd, message, *number);
    }
  });
  base::Bytes message = near.message, buffer(near.expected);
  const base::MonoNs end = clock.mono_ns() + span;
  static Number next = 1;  // an answer of an earlier stretch is told apart
  for (base::MonoNs now = clock.mono_ns(); now < end;) {
    const Number number = next++;
    send(near.fd, message, number);
    std::optional<Number> got;
    base::MonoNs after = now;
    do {
      got = receive(near.fd, buffer, near.expected);
      after = clock.mono_ns();
    } while (got != number && after - now < kPatienceMs * base::kMillisecond);
    if (got == number) {
      out.samples.push_back(after - now);
    } else {
      ++out.lost;
    }
    now = clock.mono_ns();
  }
  over = true;
}

DirectWay::DirectWay(const net::SocketAddress& loopback, std::size_t size) : a(loopback), b(loopback) {
  a.connect(b.local());
  b.connect(a.local());
  for (DataSocket* socket : {&a, &b}) socket->set_blocking(kPatienceMs);
  near = {a.fd(), base::Bytes(size), size};
  far = {b.fd(), base::Bytes(size), size};
}

nlohmann::json compare_ways(const base::Clock& clock, const End& near, const End& far, const End& direct_near,
                            const End& direct_far, base::MonoNs span, const std::function<void()>& between) {
  RoundTrips relayed, direct;
  for (int i = 0; i < kTurns; ++i) {
    round_trips(clock, near, far, span / kTurns / 2, relayed);
    round_trips(clock, direct_near, direct_far, span / kTurns / 2, direct);
    if (between) between();
  }
  if (relayed.samples.empty() || direct.samples.empty()) throw std::runtime_error("no round trip came to its end");
  nlohmann::json out;
  out["round_trips"] = relayed.samples.size();
  out["lost"] = relayed.lost + direct.lost;
  out["relayed_us"] = percentiles(relayed.samples);
  out["direct_us"] = percentiles(direct.samples);
  for (const char* q : {"p50", "p90", "p99"}) {
    out["added_us"][q] = out["relayed_us"][q].get<double>() - out["direct_us"][q].get<double>();
  }
  return out;
}

}  // namespace atlas::bench
