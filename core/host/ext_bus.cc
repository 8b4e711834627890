// atlas.bus/1
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/utf8.h"
#include "host/bus.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

constexpr std::size_t kMaxBody = base::limits::plugins_bus_body_bytes;
constexpr std::size_t kMaxSubscriptions = base::limits::plugins_bus_subscriptions;

atlas_status check_body(Plugin& plugin, atlas_bytes body) {
  if (body.data == nullptr && body.size != 0) return plugin.contract_break(ATLAS_E_ARG, "a body without bytes");
  if (body.size <= kMaxBody) return ATLAS_OK;
  return plugin.refuse(ATLAS_E_ARG, fmt::format("a body of {} bytes, at most {} are allowed", body.size, kMaxBody));
}

atlas_status bad_name(Plugin& plugin, std::string_view call, std::string_view name) {
  return plugin.contract_break(ATLAS_E_ARG, fmt::format("{}: \"{}\" is not <plugin id>/<what>, 3..128 of [a-z0-9._/-]",
                                                        call, base::escaped(name, 128)));
}

base::ByteView view_of(atlas_bytes bytes) {
  return {bytes.data, bytes.data == nullptr ? 0 : bytes.size};
}

atlas_status publish(const atlas_host* host, atlas_text topic, atlas_bytes body, std::uint32_t* receivers) {
  Plugin& plugin = Plugin::of(host);
  if (receivers != nullptr) *receivers = 0;
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  const std::string_view name = view(topic);
  if (!is_bus_name(name)) return bad_name(plugin, "bus.publish()", name);
  if (!is_bus_name_of(plugin.id, name)) {
    return plugin.contract_break(ATLAS_E_DENIED, fmt::format("bus.publish(): {} is not under {}/", name, plugin.id));
  }
  if (const atlas_status status = check_body(plugin, body); status != ATLAS_OK) return status;
  std::uint32_t reached = 0;
  plugin.services->bus->each_subscriber(name, [&](const Subscription& subscription) {
    Item item;
    item.kind = ItemKind::kBusEvent;
    item.subscription = &subscription;
    const Appended appended = subscription.plugin->strand.append(item, view_of(body), {}, Admission::kCounted);
    if (appended == Appended::kQueued) ++reached;
  });
  if (receivers != nullptr) *receivers = reached;
  return ATLAS_OK;
}

atlas_status subscribe(const atlas_host* host, atlas_text topic, void (*fn)(void*, const atlas_bus_event*)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "bus.subscribe() outside init");
  const std::string_view name = view(topic);
  if (fn == nullptr) return plugin.contract_break(ATLAS_E_ARG, "bus.subscribe(): no function");
  if (!is_bus_name(name)) return bad_name(plugin, "bus.subscribe()", name);
  if (plugin.subscriptions.size() >= kMaxSubscriptions) {
    return plugin.refuse(ATLAS_E_FULL, fmt::format("a plugin may have {} subscriptions", kMaxSubscriptions));
  }
  const auto same = [&](const auto& other) { return other->topic == name; };
  if (std::ranges::any_of(plugin.subscriptions, same)) {
    return plugin.refuse(ATLAS_E_CONFLICT, fmt::format("{} is subscribed to twice", name));
  }
  plugin.subscriptions.push_back(std::make_unique<Subscription>(&plugin, std::string(name), fn));
  return ATLAS_OK;
}

atlas_status offer(const atlas_host* host, atlas_text service, atlas_status (*fn)(void*, const atlas_bus_request*)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "bus.offer() outside init");
  const std::string_view name = view(service);
  if (fn == nullptr) return plugin.contract_break(ATLAS_E_ARG, "bus.offer(): no function");
  if (!is_bus_name(name)) return bad_name(plugin, "bus.offer()", name);
  if (!is_bus_name_of(plugin.id, name)) {
    return plugin.contract_break(ATLAS_E_DENIED, fmt::format("bus.offer(): {} is not under {}/", name, plugin.id));
  }
  if (plugin.bus_services.size() >= kMaxSubscriptions) {
    return plugin.refuse(ATLAS_E_FULL, fmt::format("a plugin may offer {} services", kMaxSubscriptions));
  }
  const auto same = [&](const auto& other) { return other->name == name; };
  if (std::ranges::any_of(plugin.bus_services, same)) {
    return plugin.refuse(ATLAS_E_CONFLICT, fmt::format("{} is offered twice", name));
  }
  plugin.bus_services.push_back(std::make_unique<BusService>(&plugin, std::string(name), fn));
  return ATLAS_OK;
}

atlas_status request(const atlas_host* host, atlas_text service, atlas_bytes body, std::uint32_t timeout_ms,
                     atlas_bus_answer_fn done, void* arg) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  const std::string_view name = view(service);
  if (!is_bus_name(name)) return bad_name(plugin, "bus.request()", name);
  if (done == nullptr || timeout_ms == 0 || timeout_ms > kMaxRequestTimeoutMs) {
    return plugin.contract_break(ATLAS_E_ARG,
                                 fmt::format("bus.request(): a callback, and timeout_ms 1..{}", kMaxRequestTimeoutMs));
  }
  if (const atlas_status status = check_body(plugin, body); status != ATLAS_OK) return status;
  Services& services = *plugin.services;
  const BusService* found = services.bus->find(name);
  if (found == nullptr) return plugin.refuse(ATLAS_E_GONE, fmt::format("nobody in service offers {}", name));

  Promise promise;
  promise.kind = Promise::Kind::kBusAnswer;
  promise.bus_answer = done;
  promise.argument = arg;
  BusCall call{&plugin, 0, found->plugin, 0};
  if (const atlas_status status = plugin.promise(promise, &call.promise); status != ATLAS_OK) return status;
  call.deadline = base::after(services.setup.clock->mono_ns(), std::uint64_t{timeout_ms} * base::kMillisecond);
  const std::uint64_t handle = services.bus->open(call);
  Appended appended = Appended::kFull;
  if (handle != 0) {
    Item item;
    item.kind = ItemKind::kBusRequest;
    item.a = handle;
    item.bus_service = found;
    appended = found->plugin->strand.append(item, view_of(body), base::as_bytes(plugin.id), Admission::kCounted);
  }
  if (appended == Appended::kQueued) {
    services.bus_watch->watch(call.deadline);
    return ATLAS_OK;
  }
  services.bus->take(handle, *found->plugin);
  // Nothing was begun, unless the other plugin's end has told us already.
  if (!plugin.pending.take(call.promise)) return ATLAS_OK;
  if (appended == Appended::kClosed) return plugin.refuse(ATLAS_E_GONE, fmt::format("{} is out of service", name));
  return plugin.refuse(ATLAS_E_FULL, fmt::format("too much waits for {}; try again later", found->plugin->id));
}

atlas_status settle_call(Plugin& plugin, atlas_bus_call call, atlas_status outcome, base::ByteView body,
                         std::string_view error) {
  const auto open = plugin.services->bus->take(call, plugin);
  if (open && queue_bus_answer(*open, outcome, body, error)) return ATLAS_OK;
  return plugin.refuse(ATLAS_E_GONE, "nobody waits for this answer");
}

atlas_status answer(const atlas_host* host, atlas_bus_call call, atlas_bytes body) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check_body(plugin, body); status != ATLAS_OK) return status;
  return settle_call(plugin, call, ATLAS_OK, view_of(body), {});
}

atlas_status fail(const atlas_host* host, atlas_bus_call call, atlas_status status, atlas_text error) {
  Plugin& plugin = Plugin::of(host);
  if (status >= 0) return plugin.contract_break(ATLAS_E_ARG, "bus.fail(): the status is no failure");
  return settle_call(plugin, call, status, {}, clip(view(error), kMaxErrorText));
}

}  // namespace

const atlas_ext_bus kBusTable = {sizeof(atlas_ext_bus), publish, subscribe, offer, request, answer, fail};

}  // namespace atlas::host
