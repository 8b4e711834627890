// What plugins hold in this node at one moment, in words: two lists are equal when nothing was left behind in between.
#include <fmt/format.h>

#include "host/plugin.h"
#include "host/services.h"

namespace atlas::host {

void append_shared_holdings(const Services& services, std::vector<std::string>& out) {
  for (std::size_t type = 0; type < services.routes.size(); ++type) {
    if (const Route* route = services.routes[type].load(std::memory_order_acquire)) {
      out.push_back(fmt::format("messages 0x{:02x} go to {}", type, route->plugin->id));
    }
    if (const StreamRoute* route = services.stream_routes[type].load(std::memory_order_acquire)) {
      out.push_back(fmt::format("streams 0x{:02x} go to {}", type, route->plugin->id));
    }
  }
  if (const Plugin* finder = services.path_finder.load(std::memory_order_acquire)) {
    out.push_back(fmt::format("paths are found by {}", finder->id));
  }
  for (std::string& line : services.bus->snapshot()) out.push_back(std::move(line));
  const auto count = [&](const char* what, std::size_t number) {
    if (number != 0) out.push_back(fmt::format("{}: {}", what, number));
  };
  count("bus calls", services.bus->open_calls());
  count("commands that run", services.calls.size());
}

void Plugin::append_holdings(std::vector<std::string>& out) const {
  const auto count = [&](const char* what, std::size_t number) {
    if (number != 0) out.push_back(fmt::format("{}: {}: {}", id, what, number));
  };
  count("timers", timers.size());
  count("callbacks owed", pending.size());
  count("requests to answer", replies.size());
  count("pairs of routes", live_routes.size());
  count("raw streams", live_streams.size());
  count("connections", live_connections.size());
  count("dials that want a path", wanted_paths.size());
  count("things queued", strand.counters().queue_messages);
  // What the record of one that has stopped still lists is out of service; one that was refused has no lists.
  if (retired() && state() != PluginState::kRefused) return;
  count("message types", routes.size());
  count("stream types", stream_routes.size());
  count("commands", commands.size());
  count("protocols", protocols.size());
  count("topics heard", subscriptions.size());
  count("services offered", bus_services.size());
  if (listener_changed != nullptr) out.push_back(fmt::format("{}: hears of the listener", id));
  for (const auto& protocol : protocols) {
    if (protocol->has_credentials) out.push_back(fmt::format("{}: serves {}", id, protocol->claim.alpn));
  }
}

}  // namespace atlas::host
