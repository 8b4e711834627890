// atlas.peers/1
#include <fmt/format.h>

#include <string_view>
#include <unordered_map>

#include "base/limits.h"
#include "base/utf8.h"
#include "host/ext.h"
#include "host/peer_info.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

using Each = void (*)(void*, const atlas_peer_info*);
using Row = atlas_status (*)(void*, const atlas_peer_info*);

constexpr std::size_t kMaxTarget = base::limits::plugins_target_bytes;
constexpr std::size_t kMaxNote = base::limits::plugins_note_bytes;

// The network, or null with a reason noted when there is none (kDescribe) or no more.
Network* network_of(Plugin& plugin, atlas_status* why) {
  Network* network = plugin.services->setup.network;
  const PluginState state = plugin.state();
  if (network == nullptr || state == PluginState::kInit || state == PluginState::kReady) {
    *why = plugin.refuse(ATLAS_E_STATE, "there is no network before start()");
    return nullptr;
  }
  if (plugin.retired() && !plugin.on_strand()) {
    *why = plugin.refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
    return nullptr;
  }
  return network;
}

atlas_status self(const atlas_host* host, void* arg, Each each) {
  Plugin& plugin = Plugin::of(host);
  if (each == nullptr) return plugin.contract_break(ATLAS_E_ARG, "peers.self(): no callback");
  atlas_status why = ATLAS_OK;
  Network* network = network_of(plugin, &why);
  if (network == nullptr) return why;
  const LivePeer live = network->self();
  each(arg, PeerInfoView(live).get());
  return ATLAS_OK;
}

atlas_status info(const atlas_host* host, atlas_peer peer, void* arg, Each each) {
  Plugin& plugin = Plugin::of(host);
  if (each == nullptr) return plugin.contract_break(ATLAS_E_ARG, "peers.info(): no callback");
  atlas_status why = ATLAS_OK;
  Network* network = network_of(plugin, &why);
  if (network == nullptr) return why;
  const auto live = network->peer(peer);
  if (!live) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  each(arg, PeerInfoView(*live).get());
  return ATLAS_OK;
}

atlas_status find(const atlas_host* host, atlas_text node_id, atlas_peer* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "peers.find(): no place for the answer");
  *out = 0;
  atlas_status why = ATLAS_OK;
  Network* network = network_of(plugin, &why);
  if (network == nullptr) return why;
  *out = network->find(view(node_id));
  return *out != 0 ? ATLAS_OK : plugin.refuse(ATLAS_E_GONE, "no session with that node");
}

void list_live(Network& network, void* arg, Row row) {
  for (const LivePeer& live : network.peers()) {
    if (row(arg, PeerInfoView(live).get()) < 0) return;
  }
}

void list_known(Network& network, store::Store& store, void* arg, Row row) {
  const std::vector<LivePeer> sessions = network.peers();
  std::unordered_map<std::string_view, const LivePeer*> live;
  for (const LivePeer& peer : sessions) live.emplace(peer.record.node_id, &peer);
  for (const wire::PeerRecord& record : store.peers(base::limits::store_max_peers)) {
    const auto found = live.find(record.node_id);
    if (found == live.end()) {
      if (row(arg, PeerInfoView(record).get()) < 0) return;
    } else {
      if (row(arg, PeerInfoView(*found->second).get()) < 0) return;
    }
  }
}

atlas_status list(const atlas_host* host, std::uint32_t which, void* arg, Row row) {
  Plugin& plugin = Plugin::of(host);
  if (row == nullptr || (which != ATLAS_PEERS_LIVE && which != ATLAS_PEERS_KNOWN)) {
    return plugin.contract_break(ATLAS_E_ARG, "peers.list(): no callback, or a list that this host does not know");
  }
  atlas_status why = ATLAS_OK;
  Network* network = network_of(plugin, &why);
  if (network == nullptr) return why;
  if (which == ATLAS_PEERS_LIVE) {
    list_live(*network, arg, row);
  } else {
    list_known(*network, *plugin.services->setup.store, arg, row);
  }
  return ATLAS_OK;
}

// Runs on the I/O thread.
void queue_connected(Plugin& plugin, std::uint64_t handle, const Connected& result) {
  Item item;
  item.kind = ItemKind::kConnected;
  item.a = handle;
  item.b = result.peer;
  item.flag = result.existing;
  item.status = result.ok ? ATLAS_OK : status_of(result.fault);
  const std::string_view error = clip(result.error, 1024);
  const Appended appended =
      plugin.strand.append(item, base::as_bytes(result.node_id), base::as_bytes(error), Admission::kCompletion);
  if (appended == Appended::kFull) plugin.strand.append(item, {}, {}, Admission::kCompletion);
}

atlas_status connect(const atlas_host* host, atlas_text target, std::uint32_t timeout_ms, atlas_connected_fn done,
                     void* arg) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  const std::string_view where = view(target);
  if (done == nullptr || timeout_ms == 0 || timeout_ms > kMaxConnectTimeoutMs) {
    return plugin.contract_break(ATLAS_E_ARG,
                                 fmt::format("connect(): a callback, and timeout_ms 1..{}", kMaxConnectTimeoutMs));
  }
  if (where.empty() || where.size() > kMaxTarget || !base::is_utf8(where)) {
    return plugin.refuse(ATLAS_E_ARG, "connect(): the target is neither ip:port nor a node id");
  }
  Promise promise;
  promise.kind = Promise::Kind::kConnected;
  promise.connected = done;
  promise.argument = arg;
  std::uint64_t handle = 0;
  if (const atlas_status status = plugin.promise(promise, &handle); status != ATLAS_OK) return status;
  plugin.services->setup.network->connect(
      std::string(where), std::uint64_t{timeout_ms} * base::kMillisecond,
      [owner = plugin.shared_from_this(), handle](Connected&& result) { queue_connected(*owner, handle, result); });
  return ATLAS_OK;
}

atlas_status disconnect(const atlas_host* host, atlas_peer peer, std::uint32_t reason, atlas_text note) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  Network& network = *plugin.services->setup.network;
  if (!network.live(peer)) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  if (!network.disconnect(peer, reason, std::string(clip(view(note), kMaxNote)))) {
    return plugin.refuse(ATLAS_E_FULL, "the network has too much to do; try again later");
  }
  return ATLAS_OK;
}

atlas_status upsert(const atlas_host* host, const atlas_peer_info* record) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (record == nullptr) return plugin.contract_break(ATLAS_E_ARG, "upsert(): no record");
  const auto checked = record_from(copy_prefix(record));
  if (!checked) return plugin.refuse(status_of(checked.error().fault), checked.error().text);
  plugin.services->setup.store->put_told(*checked);
  return ATLAS_OK;
}

}  // namespace

const atlas_ext_peers kPeersTable = {sizeof(atlas_ext_peers), self, info, find, list, connect, disconnect, upsert};

}  // namespace atlas::host
