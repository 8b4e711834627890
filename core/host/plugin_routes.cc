// What reaches a plugin of the routes that it added and of the dials that it finds paths for.
#include "host/on_strand.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {

void Plugin::queue_route_ended(std::uint64_t handle, std::uint32_t why) {
  if (!live_routes.ended(handle, why)) return;
  Item item;
  item.kind = ItemKind::kRouteEnded;
  item.a = handle;
  strand.append(item, {}, {}, Admission::kCompletion);
}

void Plugin::run_route_ended(const Item& item) {
  if (const auto route = live_routes.take(item.a)) tell_route_ended(item.a, *route, route->why);
}

void Plugin::tell_route_ended(std::uint64_t handle, const LiveRoute& route, std::uint32_t why) {
  const atlas_route_counters last = counters_of(*route.tally);
  guarded("end of a route", [&] {
    route.ended(route.argument, handle, why, &last);
    return ATLAS_OK;
  });
}

bool Plugin::queue_path_wanted(std::uint64_t reach, const std::string& node_id, const std::string& relay) {
  if (reach == 0 || !wanted_paths.add(reach, node_id, services->setup.clock->mono_ns())) return false;
  Item item;
  item.kind = ItemKind::kPathWanted;
  item.a = reach;
  const Appended appended = strand.append(item, base::as_bytes(node_id), base::as_bytes(relay), Admission::kEvent);
  if (appended == Appended::kQueued) return true;
  wanted_paths.drop(reach);
  return false;
}

void Plugin::run_path_wanted(const Item& item, base::ByteView node_id, base::ByteView relay) {
  if (!wanted_paths.is_open(item.a, services->setup.clock->mono_ns())) return;
  atlas_path_request request{};
  request.struct_size = sizeof request;
  request.reach = item.a;
  request.node_id = text_of(base::as_text(node_id));
  request.relay = text_of(base::as_text(relay));
  guarded("search for a path", [&] {
    path_wanted(self, &request);
    return ATLAS_OK;
  });
}

// The plugin goes: nothing is forwarded on its word any more, and no dial waits for it.
void Plugin::end_routes() {
  for (const auto& [handle, route] : live_routes.close()) {
    if (route.why == 0 && !route.removing) services->setup.network->remove_route(route.tag);
    tell_route_ended(handle, route, route.why != 0 ? route.why : std::uint32_t{ATLAS_ROUTE_REMOVED});
  }
  for (const std::uint64_t reach : wanted_paths.close()) {
    services->setup.network->path_not_found(reach, base::Fault::kUnreachable, "no role finds paths any more");
  }
}

}  // namespace atlas::host
