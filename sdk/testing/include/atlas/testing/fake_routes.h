// The routes table of FakeHost: pairs of routes that forward nothing, and paths that lead nowhere. Included by
// fake_host.h.
#pragma once

#include "fake_host.h"

namespace atlas::kit {

inline void FakeHost::end_route(atlas_route handle, std::uint32_t why) {
  const auto found = routes.find(handle);
  if (found == routes.end()) return;
  const FakeRoute route = found->second;
  routes.erase(found);
  route.ended(route.arg, handle, why, &route.counters);
  settle();
}

inline atlas_reach FakeHost::want_path(std::string_view node_id, std::string_view relay) {
  if (path_provider_ == nullptr) throw std::runtime_error("no role provides paths");
  const atlas_reach reach = ++last_id_;
  reaches[reach] = {};
  const atlas_path_request request{sizeof request, 0, reach, text_to(node_id), text_to(relay)};
  path_provider_(role_, &request);
  settle();
  return reach;
}

inline void FakeHost::fill_routes() {
  tables.routes.struct_size = sizeof tables.routes;
  fill_forwarding();
  fill_paths();
}

inline void FakeHost::fill_forwarding() {
  atlas_ext_routes& table = tables.routes;
  table.add = [](const atlas_host* host, atlas_peer a, atlas_peer b, const atlas_route_options* options,
                 atlas_route_ended_fn ended, void* arg, atlas_route* out,
                 atlas_route_prefixes* prefixes) -> atlas_status {
    FakeHost& self = of(host);
    if (self.route_status < 0) return self.route_status;
    if (options->idle_ms < 1'000 || options->idle_ms > 3'600'000) return ATLAS_E_ARG;
    const auto first = self.peers.find(a), second = self.peers.find(b);
    if (first == self.peers.end() || second == self.peers.end()) return ATLAS_E_GONE;
    const auto relayed = [](const FakePeer& peer) { return peer.trust == ATLAS_TRUST_RELAY; };
    if (a == b || relayed(first->second) || relayed(second->second)) return ATLAS_E_DENIED;
    if (!first->second.routes || !second->second.routes) return ATLAS_E_STATE;
    FakeRoute route{a, b, *options, {}, {}, ended, arg};
    route.counters.struct_size = sizeof route.counters;
    host->random(host, route.prefixes.to_a, sizeof route.prefixes.to_a);
    host->random(host, route.prefixes.to_b, sizeof route.prefixes.to_b);
    *out = ++self.last_id_;
    *prefixes = route.prefixes;
    self.routes[*out] = route;
    return ATLAS_OK;
  };
  table.remove = [](const atlas_host* host, atlas_route handle) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.routes.contains(handle) || !self.removed_.insert(handle).second) return ATLAS_E_GONE;
    self.strand_.push_back([&self, handle] { self.end_route(handle, ATLAS_ROUTE_REMOVED); });
    return ATLAS_OK;
  };
  table.counters = [](const atlas_host* host, atlas_route handle, atlas_route_counters* out) -> atlas_status {
    const auto found = of(host).routes.find(handle);
    if (found == of(host).routes.end() || of(host).removed_.contains(handle)) return ATLAS_E_GONE;
    const auto size = std::min<std::size_t>(out->struct_size, sizeof *out);
    atlas_route_counters copy = found->second.counters;
    copy.struct_size = out->struct_size;
    std::memcpy(out, &copy, size);
    return ATLAS_OK;
  };
}

inline void FakeHost::fill_paths() {
  static const auto copied = [](const atlas_path* path) {
    FakePath out{path->via, {}, {}, text_of(path->node_id), {}, path->expires};
    std::copy(std::begin(path->route), std::end(path->route), out.route.begin());
    std::copy(std::begin(path->peer_route), std::end(path->peer_route), out.peer_route.begin());
    for (size_t i = 0; i < path->observed_count; ++i) out.observed.push_back(text_of(path->observed[i]));
    return out;
  };
  atlas_ext_routes& table = tables.routes;
  table.provide = [](const atlas_host* host, void (*wanted)(void*, const atlas_path_request*)) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    if (self.path_provider_ != nullptr) return self.fail(ATLAS_E_CONFLICT, "paths are provided already");
    self.path_provider_ = wanted;
    return ATLAS_OK;
  };
  table.found = [](const atlas_host* host, atlas_reach reach, const atlas_path* path) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.reaches.find(reach);
    if (found == self.reaches.end() || found->second.over) return ATLAS_E_GONE;
    if (self.path_status < 0) return self.path_status;
    found->second = {true, ATLAS_OK, "", copied(path)};
    return ATLAS_OK;
  };
  table.not_found = [](const atlas_host* host, atlas_reach reach, atlas_status why, atlas_text reason) -> atlas_status {
    const auto found = of(host).reaches.find(reach);
    if (found == of(host).reaches.end() || found->second.over) return ATLAS_E_GONE;
    found->second = {true, why, text_of(reason), {}};
    return ATLAS_OK;
  };
  table.expect = [](const atlas_host* host, const atlas_path* path) -> atlas_status {
    FakeHost& self = of(host);
    if (self.path_status < 0) return self.path_status;
    if (!self.peers.contains(path->via)) return ATLAS_E_GONE;
    self.expected.push_back(copied(path));
    return ATLAS_OK;
  };
}

}  // namespace atlas::kit
