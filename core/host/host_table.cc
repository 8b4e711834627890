// The table that every plugin is given, and the way from it to the capabilities.
#include <cstddef>
#include <type_traits>

#include "host/ext.h"
#include "host/plugin.h"

namespace atlas::host {
namespace {

static_assert(std::is_standard_layout_v<HostTable> && offsetof(HostTable, table) == 0,
              "Plugin::of() takes the table's address for the record's");

constexpr Extension kExtensions[] = {
    {ATLAS_EXT_MESSAGES, &kMessagesTable}, {ATLAS_EXT_TIMERS, &kTimersTable},
    {ATLAS_EXT_CONFIG, &kConfigTable},     {ATLAS_EXT_PEERS, &kPeersTable},
    {ATLAS_EXT_STORE, &kStoreTable},       {ATLAS_EXT_METRICS, &kMetricsTable},
    {ATLAS_EXT_LOG, &kLogTable},           {ATLAS_EXT_CLI, &kCliTable},
    {ATLAS_EXT_ROUTES, &kRoutesTable},     {ATLAS_EXT_BUS, &kBusTable},
    {ATLAS_EXT_IDENTITY, &kIdentityTable}, {ATLAS_EXT_LISTENER, &kListenerTable},
    {ATLAS_EXT_STREAMS, &kStreamsTable},   {ATLAS_EXT_PROTOCOLS, &kProtocolsTable},
};

const void* extension(const atlas_host*, const char* id) {
  if (id == nullptr) return nullptr;
  for (const Extension& known : kExtensions) {
    if (known.id == id) return known.table;
  }
  return nullptr;
}

atlas_status post(const atlas_host* host, void (*fn)(void*), void* arg) {
  Plugin& plugin = Plugin::of(host);
  if (fn == nullptr) return plugin.contract_break(ATLAS_E_ARG, "post: no function");
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  Item item;
  item.kind = ItemKind::kPost;
  item.call = fn;
  item.argument = arg;
  switch (plugin.strand.append(item, {}, {}, Admission::kCounted)) {
    case Appended::kQueued:
      return ATLAS_OK;
    case Appended::kFull:
      return plugin.refuse(ATLAS_E_FULL, "post: the strand's queue is full");
    case Appended::kClosed:
      break;
  }
  return plugin.refuse(ATLAS_E_STOPPING, "post: the plugin is being stopped");
}

std::size_t last_error(const atlas_host* host, char* buf, std::size_t cap) {
  return Plugin::of(host).last_error(buf, cap);
}

std::uint64_t now_ms(const atlas_host* host) {
  return Plugin::of(host).services->setup.clock->mono_ns() / base::kMillisecond;
}

std::int64_t unix_ms(const atlas_host* host) {
  return Plugin::of(host).services->setup.clock->unix_ms();
}

void random_bytes(const atlas_host* host, std::uint8_t* out, std::size_t size) {
  if (out == nullptr || size == 0) return;
  Plugin::of(host).services->setup.random->fill({out, size});
}

}  // namespace

std::span<const Extension> extensions() {
  return kExtensions;
}

void fill_host_table(HostTable& out, Plugin& plugin) {
  out.plugin = &plugin;
  out.table.struct_size = sizeof out.table;
  out.table.abi_major = ATLAS_ABI_MAJOR;
  out.table.abi_minor = ATLAS_ABI_MINOR;
  out.table.mode = static_cast<std::uint32_t>(plugin.services->setup.mode);
  out.table.version = plugin.services->setup.version.c_str();
  out.table.extension = extension;
  out.table.post = post;
  out.table.last_error = last_error;
  out.table.now_ms = now_ms;
  out.table.unix_ms = unix_ms;
  out.table.random = random_bytes;
}

}  // namespace atlas::host
