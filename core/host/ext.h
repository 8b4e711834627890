// The capability tables: one file each, ext_<name>.cc. Constant data; the functions find their plugin by the host table
// that they are called with.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "atlas/ext/bus.h"
#include "atlas/ext/cli.h"
#include "atlas/ext/config.h"
#include "atlas/ext/identity.h"
#include "atlas/ext/listener.h"
#include "atlas/ext/log.h"
#include "atlas/ext/messages.h"
#include "atlas/ext/metrics.h"
#include "atlas/ext/peers.h"
#include "atlas/ext/protocols.h"
#include "atlas/ext/routes.h"
#include "atlas/ext/store.h"
#include "atlas/ext/streams.h"
#include "atlas/ext/timers.h"
#include "base/limits.h"

namespace atlas::host {

extern const atlas_ext_messages kMessagesTable;
extern const atlas_ext_timers kTimersTable;
extern const atlas_ext_config kConfigTable;
extern const atlas_ext_peers kPeersTable;
extern const atlas_ext_store kStoreTable;
extern const atlas_ext_metrics kMetricsTable;
extern const atlas_ext_log kLogTable;
extern const atlas_ext_cli kCliTable;
extern const atlas_ext_routes kRoutesTable;
extern const atlas_ext_bus kBusTable;
extern const atlas_ext_identity kIdentityTable;
extern const atlas_ext_listener kListenerTable;
extern const atlas_ext_streams kStreamsTable;
extern const atlas_ext_protocols kProtocolsTable;

struct Extension {
  std::string_view id;
  const void* table;
};
std::span<const Extension> extensions();

// Payload that the wire protocol allows, and timeouts as the headers promise.
inline constexpr std::uint32_t kMaxRequestTimeoutMs = base::limits::plugins_request_timeout * 1000;
inline constexpr std::uint32_t kMaxConnectTimeoutMs = base::limits::plugins_connect_timeout * 1000;
inline constexpr std::size_t kMaxErrorText = base::limits::plugins_error_text_bytes;

// A struct that a plugin handed over: as much as both sides know of it, the rest zero. Its first field is its size.
template <class T>
T copy_prefix(const T* given) {
  T out{};
  std::uint32_t size = 0;
  std::memcpy(&size, given, sizeof size);
  std::memcpy(&out, given, std::min<std::size_t>(size, sizeof out));
  return out;
}

}  // namespace atlas::host
