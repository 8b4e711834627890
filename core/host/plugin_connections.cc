// Connections of other protocols: who the peer is, is asked on the strand; then what becomes of them is told.
#include <algorithm>

#include "host/on_strand.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {

ProtocolSpec* Plugin::protocol(std::string_view alpn) const {
  const auto found = std::ranges::find_if(protocols, [&](const auto& spec) { return spec->claim.alpn == alpn; });
  return found == protocols.end() ? nullptr : found->get();
}

std::shared_ptr<ConnectionPipe> Plugin::make_connection(std::uint64_t handle, std::string remote) {
  ConnectionPipe::Setup setup;
  setup.tag = services->next_tag.fetch_add(1, std::memory_order_relaxed);
  setup.wake_strand = [owner = weak_from_this(), handle] {
    if (const auto plugin = owner.lock()) plugin->queue_connection(handle);
  };
  setup.arrived = [owner = weak_from_this(), handle](bool unidirectional) -> std::shared_ptr<StreamPipe> {
    const auto plugin = owner.lock();
    return plugin ? plugin->arrived_connection_stream(handle, unidirectional) : nullptr;
  };
  return std::make_shared<ConnectionPipe>(std::move(setup), std::move(remote));
}

void Plugin::queue_connection(std::uint64_t handle) {
  Item item;
  item.kind = ItemKind::kConnection;
  item.a = handle;
  strand.append(item, {}, {}, Admission::kCompletion);
}

std::shared_ptr<ConnectionPipe> Plugin::arrived_connection(ProtocolSpec& spec, std::string remote) {
  const PluginState now = state();
  if ((now != PluginState::kRunning && now != PluginState::kDraining) || stuck()) return nullptr;
  std::shared_ptr<ConnectionPipe> pipe;
  live_connections.add(spec, [&](std::uint64_t handle, LiveConnection& connection) {
    pipe = connection.pipe = make_connection(handle, std::move(remote));
    return true;
  });
  return pipe;
}

std::shared_ptr<StreamPipe> Plugin::arrived_connection_stream(std::uint64_t connection, bool unidirectional) {
  if (live_streams.held->load(std::memory_order_relaxed) >= kMaxHeldBytes) return nullptr;
  const auto live = live_connections.find(connection);
  if (!live) return nullptr;
  std::shared_ptr<StreamPipe> pipe;
  live_streams.add([&](std::uint64_t handle, LiveStream& stream) {
    pipe = stream.pipe = make_pipe(handle, true, !unidirectional);
    stream.event = live->spec->stream;
    stream.arrived = true;
    stream.connection = connection;
    stream.carrier = live->pipe;
    stream.unidirectional = unidirectional;
    queue_stream(handle);
    return true;
  });
  return pipe;
}

void Plugin::run_connection(const Item& item) {
  const auto connection = live_connections.find(item.a);
  if (!connection) return;
  const auto event = connection->pipe->take();
  if (!event) return;
  switch (event->what) {
    case ConnectionPipe::Event::What::kVerify:
      return judge(item.a, *connection, event->chain);
    case ConnectionPipe::Event::What::kUp: {
      atlas_connection_event up{};
      up.what = ATLAS_CONNECTION_UP;
      return tell_connection(item.a, *connection, up);
    }
    case ConnectionPipe::Event::What::kDown:
      live_connections.take(item.a);
      if (connection->is_owed_down()) tell_connection_down(item.a, *connection, *event);
      return;
  }
}

void Plugin::judge(std::uint64_t handle, const LiveConnection& connection, const std::vector<base::Bytes>& chain) {
  std::vector<atlas_bytes> shown;
  for (const auto& one : chain) shown.push_back({one.data(), one.size()});
  const std::string remote = connection.pipe->remote();
  atlas_presented presented{};
  presented.struct_size = sizeof presented;
  presented.dialled = connection.dialled ? 1 : 0;
  presented.connection = handle;
  presented.arg = connection.argument;
  presented.remote = text_of(remote);
  presented.chain = shown.data();
  presented.chain_count = shown.size();
  atlas_verdict verdict{};
  verdict.struct_size = sizeof verdict;
  atlas_status status = guarded("verdict", [&] { return connection.spec->verify(self, &presented, &verdict); });
  if (status >= 0 && verdict.identity_size > sizeof verdict.identity) {
    status = contract_break(ATLAS_E_ARG, "verify(): an identity has at most 64 bytes");
  }
  const bool accepted = status >= 0;
  if (accepted) {
    live_connections.mark_accepted(handle, verdict);
  } else if (!connection.dialled) {
    live_connections.take(handle);  // nothing is owed
  }
  services->setup.network->judge_connection(connection.pipe->tag(), accepted);
}

void Plugin::tell_connection(std::uint64_t handle, const LiveConnection& connection, atlas_connection_event& event) {
  const std::string remote = connection.pipe->remote();
  event.struct_size = sizeof event;
  event.connection = handle;
  event.arg = connection.argument;
  event.identity = {connection.identity.data(), connection.identity_size};
  event.remote = text_of(remote);
  event.dialled = connection.dialled ? 1 : 0;
  guarded("connection event", [&] {
    connection.spec->event(self, &event);
    return ATLAS_OK;
  });
}

void Plugin::tell_connection_stream(std::uint64_t handle, const LiveStream& stream) {
  const auto connection = live_connections.find(stream.connection);
  if (!connection) return;
  atlas_connection_event event{};
  event.what = ATLAS_CONNECTION_STREAM;
  event.stream = handle;
  event.unidirectional = stream.unidirectional ? 1 : 0;
  tell_connection(stream.connection, *connection, event);
}

void Plugin::tell_connection_down(std::uint64_t handle, const LiveConnection& connection,
                                  const ConnectionPipe::Event& down) {
  atlas_connection_event event{};
  event.what = ATLAS_CONNECTION_DOWN;
  event.why = down.why;
  event.code = down.code;
  event.reason = text_of(down.reason);
  tell_connection(handle, connection, event);
}

void Plugin::end_connections() {
  Network* const network = services->setup.network;
  if (network == nullptr) return;  // it was only described
  for (const auto& spec : protocols) network->drop_credentials(spec->claim.alpn);
  ConnectionPipe::Event down;
  down.why = ATLAS_CLOSED_LOCAL;
  down.reason = "the plugin is being stopped";
  for (const auto& [handle, connection] : live_connections.close()) {
    network->close_connection(connection.pipe->tag(), 0, {});
    if (connection.is_owed_down()) tell_connection_down(handle, connection, down);
  }
}

}  // namespace atlas::host
