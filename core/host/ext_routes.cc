// atlas.routes/1
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

constexpr std::string_view kNetworkFull = "the network has too much to do; try again later";
constexpr std::uint32_t kMinIdleMs = 1'000, kMaxIdleMs = 3'600'000;

atlas_status status_of(Plugin& plugin, RouteAdmission admission) {
  switch (admission) {
    case RouteAdmission::kYes:
      return ATLAS_OK;
    case RouteAdmission::kGone:
      return plugin.refuse(ATLAS_E_GONE, "one of the two sessions has ended");
    case RouteAdmission::kSame:
      return plugin.refuse(ATLAS_E_DENIED, "both ends are the same session");
    case RouteAdmission::kRelayed:
      return plugin.refuse(ATLAS_E_DENIED, "one of the two is itself reached through a forwarder");
    case RouteAdmission::kNoFeature:
      return plugin.refuse(ATLAS_E_STATE, "one of the two does not show the feature `routes`");
  }
  return plugin.refuse(ATLAS_E_INTERNAL, "no such admission");
}

bool is_prefix(const RoutePrefix& prefix) {
  return prefix != RoutePrefix{};
}

void draw(base::Random& random, RouteOrder& order) {
  do {
    random.fill(order.to_a);
    random.fill(order.to_b);
  } while (!is_prefix(order.to_a) || !is_prefix(order.to_b) || order.to_a == order.to_b);
}

atlas_status status_of(Plugin& plugin, LiveRoutes::Outcome outcome) {
  switch (outcome) {
    case LiveRoutes::Outcome::kDone:
      return ATLAS_OK;
    case LiveRoutes::Outcome::kGone:
      return plugin.refuse(ATLAS_E_GONE, "the pair of routes has ended");
    case LiveRoutes::Outcome::kFull:
      return plugin.refuse(ATLAS_E_FULL, fmt::format("{} pairs of routes are in force already", kMaxLiveRoutes));
    case LiveRoutes::Outcome::kRefused:
      return plugin.refuse(ATLAS_E_FULL, kNetworkFull);
    case LiveRoutes::Outcome::kClosed:
      break;
  }
  return plugin.refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
}

atlas_status add(const atlas_host* host, atlas_peer a, atlas_peer b, const atlas_route_options* options,
                 atlas_route_ended_fn ended, void* arg, atlas_route* out, atlas_route_prefixes* prefixes) {
  Plugin& plugin = Plugin::of(host);
  if (out != nullptr) *out = 0;
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (options == nullptr || ended == nullptr || out == nullptr || prefixes == nullptr) {
    return plugin.contract_break(ATLAS_E_ARG, "routes.add(): options, a callback, and places for route and prefixes");
  }
  const auto known = copy_prefix(options);
  if (known.idle_ms < kMinIdleMs || known.idle_ms > kMaxIdleMs) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("routes.add(): idle_ms is {}..{}", kMinIdleMs, kMaxIdleMs));
  }
  Services& services = *plugin.services;
  Network& network = *services.setup.network;
  if (const atlas_status status = status_of(plugin, network.admits_route(a, b)); status != ATLAS_OK) return status;
  RouteOrder order;
  order.route = services.next_tag.fetch_add(1, std::memory_order_relaxed);
  order.a = a;
  order.b = b;
  order.bytes_per_second = known.bytes_per_second;
  order.byte_budget = known.byte_budget;
  order.idle = std::uint64_t{known.idle_ms} * base::kMillisecond;
  order.tally = std::make_shared<RouteTally>();
  draw(*services.setup.random, order);
  std::copy(order.to_a.begin(), order.to_a.end(), prefixes->to_a);
  std::copy(order.to_b.begin(), order.to_b.end(), prefixes->to_b);
  LiveRoute route;
  route.tag = order.route;
  route.tally = order.tally;
  route.ended = ended;
  route.argument = arg;
  const auto outcome = plugin.live_routes.add(std::move(route), [&](std::uint64_t handle) {
    *out = handle;  // before the end can come
    order.ended = [owner = plugin.shared_from_this(), handle](std::uint32_t why) {
      owner->queue_route_ended(handle, why);
    };
    return network.add_route(std::move(order));
  });
  if (outcome == LiveRoutes::Outcome::kDone) return ATLAS_OK;
  *out = 0;
  return status_of(plugin, outcome);
}

atlas_status remove(const atlas_host* host, atlas_route route) {
  Plugin& plugin = Plugin::of(host);
  return status_of(plugin, plugin.live_routes.remove(route, [&](std::uint64_t tag) {
    return plugin.services->setup.network->remove_route(tag);
  }));
}

atlas_status counters(const atlas_host* host, atlas_route route, atlas_route_counters* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr || !ATLAS_HAS(out, atlas_route_counters, dropped_queue)) {
    return plugin.contract_break(ATLAS_E_ARG, "routes.counters(): no place for them, or struct_size is not set");
  }
  const auto tally = plugin.live_routes.tally(route);
  if (!tally) return plugin.refuse(ATLAS_E_GONE, "the pair of routes has ended");
  atlas_route_counters now = counters_of(*tally);
  now.struct_size = std::min<std::uint32_t>(out->struct_size, sizeof now);
  std::memcpy(out, &now, now.struct_size);
  return ATLAS_OK;
}

atlas_status provide(const atlas_host* host, void (*wanted)(void*, const atlas_path_request*)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "provide() outside init");
  if (wanted == nullptr) return plugin.contract_break(ATLAS_E_ARG, "provide(): no function");
  if (plugin.path_wanted != nullptr) return plugin.refuse(ATLAS_E_CONFLICT, "the finding of paths is claimed twice");
  if (const auto claimed = plugin.services->claims.claim_paths(plugin.owner); !claimed) {
    return plugin.refuse_claim(claimed.error());
  }
  plugin.path_wanted = wanted;
  return ATLAS_OK;
}

// A path that a plugin learned from a forwarder, checked; whether the session is there is not.
base::Result<PathOffer> offer_from(const atlas_path& path) {
  PathOffer out;
  out.via = path.via;
  std::copy(std::begin(path.route), std::end(path.route), out.route.begin());
  std::copy(std::begin(path.peer_route), std::end(path.peer_route), out.peer_route.begin());
  if (!is_prefix(out.route) || !is_prefix(out.peer_route) || out.route == out.peer_route) {
    return base::fail(base::Fault::kArgument, "a prefix is none, or both are the same");
  }
  out.node_id = view(path.node_id);
  if (!wire::is_node_id(out.node_id)) return base::fail(base::Fault::kArgument, "node_id is none");
  if (path.observed == nullptr && path.observed_count != 0) {
    return base::fail(base::Fault::kArgument, "observed addresses without a place");
  }
  const std::size_t kept = std::min(path.observed_count, kMaxObserved);
  for (std::size_t i = 0; i < kept; ++i) {
    const auto address = net::SocketAddress::parse(view(path.observed[i]));
    if (!address) return base::fail(base::Fault::kArgument, "an observed address is not ip:port");
    out.observed.push_back(*address);
  }
  out.expires = path.expires;
  return out;
}

// What found() and expect() have in common.
atlas_status take_offer(Plugin& plugin, const atlas_path* path, PathOffer& out) {
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (path == nullptr) return plugin.contract_break(ATLAS_E_ARG, "no path");
  auto offer = offer_from(copy_prefix(path));
  if (!offer) return plugin.refuse(host::status_of(offer.error().fault), offer.error().text);
  if (!plugin.services->setup.network->live(offer->via)) {
    return plugin.refuse(ATLAS_E_GONE, "the session with the forwarder has ended");
  }
  out = std::move(*offer);
  return ATLAS_OK;
}

atlas_status status_of(Plugin& plugin, WantedPaths::Answered answered) {
  switch (answered) {
    case WantedPaths::Answered::kYes:
      return ATLAS_OK;
    case WantedPaths::Answered::kGone:
      return plugin.refuse(ATLAS_E_GONE, "no dial waits for this path");
    case WantedPaths::Answered::kOtherNode:
      return plugin.refuse(ATLAS_E_ARG, "the path leads to another node than was asked for");
    case WantedPaths::Answered::kRefused:
      break;
  }
  return plugin.refuse(ATLAS_E_FULL, kNetworkFull);
}

atlas_status found(const atlas_host* host, atlas_reach reach, const atlas_path* path) {
  Plugin& plugin = Plugin::of(host);
  PathOffer offer;
  if (const atlas_status status = take_offer(plugin, path, offer); status != ATLAS_OK) return status;
  const HostSetup& setup = plugin.services->setup;
  const std::string node_id = offer.node_id;
  return status_of(plugin, plugin.wanted_paths.answer(reach, node_id, setup.clock->mono_ns(), [&] {
    return setup.network->path_found(reach, std::move(offer));
  }));
}

atlas_status not_found(const atlas_host* host, atlas_reach reach, atlas_status why, atlas_text reason) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (why >= 0) return plugin.contract_break(ATLAS_E_ARG, "not_found(): the status is no failure");
  const HostSetup& setup = plugin.services->setup;
  return status_of(plugin, plugin.wanted_paths.answer(reach, {}, setup.clock->mono_ns(), [&] {
    return setup.network->path_not_found(reach, fault_of(why), std::string(clip(view(reason), kMaxErrorText)));
  }));
}

atlas_status expect(const atlas_host* host, const atlas_path* path) {
  Plugin& plugin = Plugin::of(host);
  PathOffer offer;
  if (const atlas_status status = take_offer(plugin, path, offer); status != ATLAS_OK) return status;
  const HostSetup& setup = plugin.services->setup;
  const bool announced = plugin.expected_paths.announce(setup.clock->mono_ns(),
                                                        [&] { return setup.network->expect_path(std::move(offer)); });
  return announced ? ATLAS_OK : plugin.refuse(ATLAS_E_FULL, "too many connections are expected; try again later");
}

}  // namespace

const atlas_ext_routes kRoutesTable = {
    sizeof(atlas_ext_routes), add, remove, counters, provide, found, not_found, expect,
};

}  // namespace atlas::host
