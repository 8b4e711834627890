// What all plugins of one host share. Made before the first plugin, goes with the last.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "atlas/ext/messages.h"
#include "atlas/ext/streams.h"
#include "host/bus.h"
#include "host/calls.h"
#include "host/claims.h"
#include "host/host.h"
#include "host/strand.h"
#include "host/timer_driver.h"

namespace atlas::host {

struct Plugin;

// Where messages of one type go. Lives as long as its plugin's record, which is as long as the host.
struct Route {
  Plugin* plugin = nullptr;
  std::uint8_t type = 0;
  bool promised = false;  // ATLAS_HANDLE_ANSWERS
  atlas_status (*handler)(void* self, const atlas_message* message) = nullptr;
};

// Where raw streams of one type go; likewise.
struct StreamRoute {
  Plugin* plugin = nullptr;
  std::uint8_t type = 0;
  atlas_status (*opened)(void* self, const atlas_stream_opened* stream) = nullptr;
  atlas_stream_event_fn event = nullptr;
};

struct Services {
  explicit Services(HostSetup given)
      : setup(std::move(given)), timers(setup.loop == nullptr ? nullptr : std::make_shared<TimerDriver>(setup.loop)) {
    if (setup.config == nullptr) return;
    const config::Plugins& plugins = setup.config->plugins;
    limits.messages = plugins.queue_messages;
    limits.bytes = plugins.queue_bytes;
    limits.soft_budget = base::saturating_mul<base::MonoNs>(plugins.soft_budget_ms, base::kMillisecond);
    limits.hard_budget = base::saturating_mul<base::MonoNs>(plugins.hard_budget_ms, base::kMillisecond);
  }

  const HostSetup setup;
  StrandLimits limits;
  Claims claims;
  // Written when plugins start and end, read for every message.
  std::array<std::atomic<const Route*>, 256> routes{};
  std::array<std::atomic<const StreamRoute*>, 256> stream_routes{};
  std::atomic<Plugin*> path_finder{nullptr};  // in service
  std::shared_ptr<TimerDriver> timers;        // null without a loop
  Calls calls;
  const std::shared_ptr<Bus> bus = std::make_shared<Bus>();
  const std::shared_ptr<BusWatch> bus_watch = std::make_shared<BusWatch>(bus, timers);
  std::atomic<std::uint64_t> next_tag{1};
};

// What plugins hold of it now, a line each (holdings.cc).
void append_shared_holdings(const Services& services, std::vector<std::string>& out);

}  // namespace atlas::host
