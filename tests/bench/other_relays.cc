#include "bench/other_relays.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bench/meter.h"
#include "bench/relay_run.h"
#include "bench/stream_pairs.h"
#include "bench/turn_pairs.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::size_t kPairs = 16;
// What a server without UDP GRO takes without loss: each datagram has a buffer of its own in its socket's queue.
constexpr std::size_t kBurst = 10, kDatagramWindow = 64 << 10;
constexpr base::MonoNs kTenth = 100 * base::kMillisecond;
// What a limiter lets through before it bites: the burst of Syncthing's is two seconds' worth.
constexpr base::MonoNs kBeforeLimit = 3 * base::kSecond;
constexpr std::size_t kPiece = 64 << 10;  // of a stream, for one system call

base::MonoNs span_of(const RelayOptions& options) {
  return static_cast<base::MonoNs>((options.seconds > 0 ? options.seconds : 5) * 1e9);
}

std::size_t pairs_of(const RelayOptions& options) {
  return options.pairs != 0 ? options.pairs : kPairs;
}

// Bytes that came through in this time, and in each tenth of a second of it: every stream is written to and read from
// as it allows.
std::uint64_t pump(const std::vector<StreamPairs::Pair>& pairs, const base::Clock& clock, base::MonoNs span,
                   std::vector<double>* tenths = nullptr) {
  std::vector<pollfd> waiting;
  for (const auto& pair : pairs) {
    waiting.push_back({pair.source.get(), POLLOUT, 0});
    waiting.push_back({pair.target.get(), POLLIN, 0});
  }
  const base::Bytes out(kPiece, 0x5a);
  base::Bytes in(4 * kPiece);
  std::uint64_t arrived = 0;
  const base::MonoNs start = clock.mono_ns(), end = start + span;
  if (tenths != nullptr) tenths->assign(static_cast<std::size_t>((span + kTenth - 1) / kTenth), 0);
  for (base::MonoNs now = start; now < end; now = clock.mono_ns()) {
    if (::poll(waiting.data(), waiting.size(), 100) < 0 && errno != EINTR) throw std::runtime_error("poll");
    for (const pollfd& one : waiting) {
      if (one.revents == 0) continue;
      const bool sends = one.events == POLLOUT;
      const auto done = sends ? ::send(one.fd, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT)
                              : ::recv(one.fd, in.data(), in.size(), MSG_DONTWAIT);
      if (done == 0 || (done < 0 && errno != EAGAIN)) throw std::runtime_error("the relay ended a stream");
      if (sends || done <= 0) continue;
      arrived += static_cast<std::uint64_t>(done);
      if (tenths != nullptr) (*tenths)[static_cast<std::size_t>((now - start) / kTenth)] += static_cast<double>(done);
    }
  }
  return arrived;
}

}  // namespace

json turn(const ServerProcess& server, const RelayOptions& options) {
  json out;
  const base::SystemClock clock;
  TurnPairs pairs(server.address(), pairs_of(options) + 1);
  Generator generator(clock, {});
  generator.window = options.window != 0 ? options.window : kDatagramWindow;
  std::vector<Flow> flows;
  for (std::size_t i = 0; i + 1 < pairs.size(); ++i) {
    flows.push_back(pairs.flow(i, kDatagram));
    flows.back().burst = options.burst != 0 ? options.burst : kBurst;
    flows.back().rate = options.rate;
  }
  generator.run(flows, kWarmUp);
  out["pairs"] = flows.size();
  out["burst"] = flows[0].burst;
  report(out, measure(server, clock, generator, flows, span_of(options)));
  const std::size_t last = pairs.size() - 1;
  const DirectWay direct({server.address().ip, 0}, kDatagram);
  out["round_trip"] = compare_ways(clock, server, pairs.client(last, kDatagram), pairs.peer(last, kDatagram),
                                   direct.near, direct.far, span_of(options));
  return out;
}

json stream_relay(const ServerProcess& server, const RelayOptions& options) {
  json out;
  const base::SystemClock clock;
  const StreamPairs streams(server.address(), pairs_of(options) + 1);
  const auto& last = streams.pairs().back();
  const auto [direct_near, direct_far] = direct_streams(server.address().ip);
  const auto end = [](const net::Descriptor& stream) {
    set_not_waiting(stream.get());
    return End{stream.get(), base::Bytes(kDatagram), kDatagram};
  };
  out["round_trip"] = compare_ways(clock, server, end(last.source), end(last.target), end(direct_near), end(direct_far),
                                   span_of(options));

  for (const auto& pair : streams.pairs()) {
    set_not_waiting(pair.source.get());
    set_not_waiting(pair.target.get());
  }
  pump(streams.pairs(), clock, kWarmUp);
  const Meter meter(server, clock);
  const double gbit = static_cast<double>(pump(streams.pairs(), clock, span_of(options))) * 8 / 1e9;
  const double wall = meter.wall_s(), cpu = meter.server_cpu_s();
  out["pairs"] = streams.pairs().size();
  out["seconds"] = wall;
  out["delivered_gbit"] = gbit;
  out["delivered_gbit_per_s"] = gbit / wall;
  out["srv_cpu_s_per_gbit"] = cpu / std::max(gbit, 1e-9);
  out["server_busy"] = cpu / wall;
  out["own_busy"] = meter.own_cpu_s() / wall;
  out["other_cores"] = meter.other_cores();
  return out;
}

json stream_limit(const ServerProcess& server, const RelayOptions& options) {
  if (options.limit == 0) throw std::runtime_error("--limit: what the relay was told");
  const base::SystemClock clock;
  const StreamPairs streams(server.address(), 1);
  set_not_waiting(streams.pairs()[0].source.get());
  set_not_waiting(streams.pairs()[0].target.get());
  const double span = options.seconds > 0 ? options.seconds : 10;
  pump(streams.pairs(), clock, kBeforeLimit);
  std::vector<double> tenths;
  pump(streams.pairs(), clock, static_cast<base::MonoNs>(span * 1.2e9), &tenths);
  json out = {{"limit", options.limit}, {"seconds", span}};
  out["delivered_of_configured"] =
      against_limit(tenths, static_cast<std::size_t>(span * 10), static_cast<double>(options.limit));
  out["worst_error"] = out["delivered_of_configured"]["error"];
  return out;
}

}  // namespace atlas::bench
