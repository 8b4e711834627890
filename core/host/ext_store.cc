// atlas.store/1
#include "base/limits.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

base::ByteView view_of(atlas_bytes bytes) {
  return {bytes.data, bytes.data == nullptr ? 0 : bytes.size};
}
atlas_bytes bytes_of(base::ByteView view) {
  return {view.data(), view.size()};
}

bool is_key(base::ByteView key) {
  return !key.empty() && key.size() <= base::limits::store_key_bytes;
}

// Reads happen in callbacks: from start() on, and until stop() has returned.
atlas_status check_read(Plugin& plugin) {
  const PluginState state = plugin.state();
  if (!plugin.on_strand()) return plugin.contract_break(ATLAS_E_STATE, "the store is read outside the strand");
  if (state == PluginState::kInit || plugin.services->setup.store == nullptr) {
    return plugin.refuse(ATLAS_E_STATE, "the store is not there before start()");
  }
  return ATLAS_OK;
}

atlas_status get(const atlas_host* host, atlas_bytes key, const atlas_sink* sink) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check_read(plugin); status != ATLAS_OK) return status;
  if (!is_key(view_of(key)) || sink == nullptr || !ATLAS_HAS(sink, atlas_sink, put) || sink->put == nullptr) {
    return plugin.contract_break(ATLAS_E_ARG, "store.get(): a key of 1..512 bytes and a sink");
  }
  const auto value = plugin.services->setup.store->get(plugin.id, view_of(key));
  if (!value) return plugin.refuse(ATLAS_E_GONE, "no row with that key");
  const atlas_status status = sink->put(sink->ctx, bytes_of(*value));
  return status < 0 ? status : ATLAS_OK;
}

// The store tells from its writer's thread; the plugin learns on its strand.
store::Durable durable_to(Plugin& plugin, std::uint64_t handle) {
  if (handle == 0) return [](const base::Result<void>&) {};
  return [owner = plugin.shared_from_this(), handle](const base::Result<void>& result) {
    Item item;
    item.kind = ItemKind::kDurable;
    item.a = handle;
    item.status = result ? ATLAS_OK : status_of(result.error().fault);
    owner->strand.append(item, {}, {}, Admission::kCompletion);
  };
}

template <class Write>
atlas_status write(Plugin& plugin, atlas_durable_fn durable, void* arg, Write&& queue) {
  std::uint64_t handle = 0;
  if (durable != nullptr) {
    Promise promise;
    promise.kind = Promise::Kind::kDurable;
    promise.durable = durable;
    promise.argument = arg;
    if (const atlas_status status = plugin.promise(promise, &handle); status != ATLAS_OK) return status;
  }
  const base::Result<void> queued = queue(*plugin.services->setup.store, durable_to(plugin, handle));
  if (queued) return ATLAS_OK;
  if (handle != 0) plugin.pending.take(handle);  // the refusal is the answer
  return plugin.refuse(status_of(queued.error().fault), queued.error().text);
}

atlas_status put(const atlas_host* host, atlas_bytes key, atlas_bytes value, atlas_durable_fn durable, void* arg) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (!is_key(view_of(key)) || value.size > base::limits::store_value_bytes || (value.data == nullptr && value.size)) {
    return plugin.contract_break(ATLAS_E_ARG, "store.put(): a key of 1..512 bytes, a value of at most 4 MiB + 64 KiB");
  }
  return write(plugin, durable, arg, [&](store::Store& store, store::Durable done) {
    return store.put(plugin.id, view_of(key), view_of(value), std::move(done));
  });
}

atlas_status remove(const atlas_host* host, atlas_bytes key, atlas_durable_fn durable, void* arg) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (!is_key(view_of(key))) return plugin.contract_break(ATLAS_E_ARG, "store.remove(): a key of 1..512 bytes");
  return write(plugin, durable, arg, [&](store::Store& store, store::Durable done) {
    return store.remove(plugin.id, view_of(key), std::move(done));
  });
}

atlas_status scan(const atlas_host* host, atlas_bytes prefix, atlas_bytes after, void* arg,
                  atlas_status (*row)(void*, atlas_bytes, atlas_bytes)) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check_read(plugin); status != ATLAS_OK) return status;
  if (row == nullptr) return plugin.contract_break(ATLAS_E_ARG, "store.scan(): no callback");
  plugin.services->setup.store->scan(
      plugin.id, view_of(prefix), view_of(after),
      [&](base::ByteView key, base::ByteView value) { return row(arg, bytes_of(key), bytes_of(value)) >= 0; });
  return ATLAS_OK;
}

}  // namespace

const atlas_ext_store kStoreTable = {sizeof(atlas_ext_store), get, put, remove, scan};

}  // namespace atlas::host
