// atlas/cpp/routes.hpp - pairs of routes between two sessions, and paths that lead through another forwarder.
//
// Threads: on the role's strand; remove(), counters(), found(), not_found() and expect() on any. Plain values; what is
// borrowed says so.
#pragma once

#include <array>
#include <cstring>

#include "../ext/routes.h"
#include "host.hpp"

namespace atlas {

using Route = atlas_route;  // a pair of routes; 0 is none
using Reach = atlas_reach;  // a dial that waits for a path; 0 is none
using RoutePrefix = std::array<std::uint8_t, 8>;

struct RouteOptions {
  Millis idle{120'000};                // 1 s .. 1 h; what lies outside is held to it
  std::uint64_t bytes_per_second = 0;  // both directions together; 0 is no limit
  std::uint64_t byte_budget = 0;       // both directions together; 0 is no limit
};

// Since the pair was added; bytes are UDP payload.
struct RouteCounters {
  std::uint64_t datagrams_to_a = 0, bytes_to_a = 0, datagrams_to_b = 0, bytes_to_b = 0;
  std::uint64_t dropped_rate = 0, dropped_source = 0, dropped_queue = 0, dropped_share = 0;
};

struct RouteEnded {
  Route route;
  std::uint32_t why;  // ATLAS_ROUTE_*; others may come
  RouteCounters last;
};

// What add() came to.
struct AddedRoute {
  Status status;
  Route route = 0;
  RoutePrefix to_a{}, to_b{};
};

// What a forwarder told this node about one pair of its routes.
struct RoutePath {
  Peer via = 0;
  RoutePrefix route{}, peer_route{};  // to this node, to the other agent
  std::string node_id;                // of the other agent
  std::vector<std::string> observed;  // "ip:port" of the other agent
  std::int64_t expires = 0;           // Unix seconds; 0 is unknown
};

// A dial that asks for a path; borrowed.
struct PathRequest {
  Reach reach;
  std::string_view node_id;  // whom it is for
  std::string_view relay;    // "ip:port"
};

class Routes {
 public:
  explicit Routes(Host& host) : host_(host), table_(host.routes_) {}

  // ended(const RouteEnded&) runs exactly once on the strand when a pair was added, also after remove().
  template <class F>
  AddedRoute add(Peer a, Peer b, const RouteOptions& options, F ended) const;

  Status remove(Route route) const { return {ATLAS_CALL(table_, atlas_ext_routes, remove, host_.c_, route)}; }
  // Nothing when the pair has ended.
  std::optional<RouteCounters> counters(Route route) const {
    atlas_route_counters out{};
    out.struct_size = sizeof out;
    if (ATLAS_CALL(table_, atlas_ext_routes, counters, host_.c_, route, &out) < 0) return std::nullopt;
    return read(out);
  }

  // Answers to PathRequest. GONE: the dial is over.
  Status found(Reach reach, const RoutePath& path) const {
    return with_c(
        path, [&](const atlas_path& c) { return ATLAS_CALL(table_, atlas_ext_routes, found, host_.c_, reach, &c); });
  }
  Status not_found(Reach reach, Status why, std::string_view reason) const {
    return {ATLAS_CALL(table_, atlas_ext_routes, not_found, host_.c_, reach, why.code, c_text(reason))};
  }
  // The other agent is about to dial this node over that path.
  Status expect(const RoutePath& path) const {
    return with_c(path,
                  [&](const atlas_path& c) { return ATLAS_CALL(table_, atlas_ext_routes, expect, host_.c_, &c); });
  }

 private:
  using EndedTask = detail::Task<const RouteEnded&>;

  // Fields that the other side does not know stay 0.
  static RouteCounters read(const atlas_route_counters& from) {
    atlas_route_counters c{};
    std::memcpy(&c, &from, std::min<std::size_t>(from.struct_size, sizeof c));
    return {c.datagrams_to_a, c.bytes_to_a,     c.datagrams_to_b, c.bytes_to_b,
            c.dropped_rate,   c.dropped_source, c.dropped_queue,  c.dropped_share};
  }
  static void on_ended(void* arg, atlas_route route, std::uint32_t why, const atlas_route_counters* last) noexcept {
    const RouteEnded ended{route, why, last != nullptr ? read(*last) : RouteCounters{}};
    Host::run_once<const RouteEnded&>("the end of a route", static_cast<EndedTask*>(arg), ended);
  }
  template <class F>
  static Status with_c(const RoutePath& path, F&& call) {
    std::vector<atlas_text> observed;
    for (const std::string& address : path.observed) observed.push_back(c_text(address));
    atlas_path c{};
    c.struct_size = sizeof c;
    c.via = path.via;
    std::copy(path.route.begin(), path.route.end(), c.route);
    std::copy(path.peer_route.begin(), path.peer_route.end(), c.peer_route);
    c.node_id = c_text(path.node_id);
    c.observed = observed.data();
    c.observed_count = observed.size();
    c.expires = path.expires;
    return {call(c)};
  }

  Host& host_;
  const atlas_ext_routes* table_;
};

template <class F>
AddedRoute Routes::add(Peer a, Peer b, const RouteOptions& options, F ended) const {
  auto task = std::make_unique<detail::Callable<EndedTask, F, const RouteEnded&>>(&host_, std::move(ended));
  atlas_route_options c{};
  c.struct_size = sizeof c;
  c.idle_ms = static_cast<std::uint32_t>(std::clamp<Millis::rep>(options.idle.count(), 1'000, 3'600'000));
  c.bytes_per_second = options.bytes_per_second;
  c.byte_budget = options.byte_budget;
  AddedRoute out;
  atlas_route_prefixes prefixes{};
  out.status = {ATLAS_CALL(table_, atlas_ext_routes, add, host_.c_, a, b, &c, &Routes::on_ended,
                           static_cast<void*>(static_cast<EndedTask*>(task.get())), &out.route, &prefixes)};
  if (!out.status.ok()) return out;
  host_.tasks_.add(task.release());
  std::copy(std::begin(prefixes.to_a), std::end(prefixes.to_a), out.to_a.begin());
  std::copy(std::begin(prefixes.to_b), std::end(prefixes.to_b), out.to_b.begin());
  return out;
}

inline Routes Host::routes() {
  return Routes(*this);
}

}  // namespace atlas
