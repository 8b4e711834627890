// What reaches a plugin of its raw streams, and how they end with it.
#include "host/on_strand.h"
#include "host/plugin.h"
#include "host/status.h"
#include "wire/envelope.h"

namespace atlas::host {

std::shared_ptr<StreamPipe> Plugin::make_pipe(std::uint64_t handle, bool reads, bool writes) {
  StreamPipe::Setup setup;
  setup.tag = services->next_tag.fetch_add(1, std::memory_order_relaxed);
  setup.reads = reads;
  setup.writes = writes;
  setup.held = live_streams.held;
  setup.wake_strand = [owner = weak_from_this(), handle] {
    if (const auto plugin = owner.lock()) plugin->queue_stream(handle);
  };
  setup.wake_network = [network = services->setup.network, tag = setup.tag] { network->serve_stream(tag); };
  return std::make_shared<StreamPipe>(std::move(setup));
}

void Plugin::queue_stream(std::uint64_t handle) {
  Item item;
  item.kind = ItemKind::kStream;
  item.a = handle;
  strand.append(item, {}, {}, Admission::kCompletion);
}

std::shared_ptr<StreamPipe> Plugin::arrived_stream(const StreamRoute& route, PeerHandle from, base::ByteView opening) {
  if (live_streams.held->load(std::memory_order_relaxed) >= kMaxHeldBytes) return nullptr;
  std::shared_ptr<StreamPipe> pipe;
  live_streams.add([&](std::uint64_t handle, LiveStream& stream) {
    pipe = stream.pipe = make_pipe(handle, true, true);
    stream.event = route.event;
    stream.arrived = true;
    stream.route = &route;
    stream.from = from;
    stream.opening = std::make_shared<base::Bytes>(opening.begin(), opening.end());
    queue_stream(handle);
    return true;
  });
  return pipe;
}

// One event a turn, so that the time of each callback is its own.
void Plugin::run_stream(const Item& item) {
  const auto stream = live_streams.find(item.a);
  if (!stream) return;
  if (stream->arrived) return tell_stream_arrived(item.a, *stream);
  const auto event = stream->pipe->take();
  if (!event) return;
  if (event->what == ATLAS_STREAM_CLOSED) live_streams.take(item.a);
  tell_stream(item.a, *stream, *event);
  if (event->what == ATLAS_STREAM_CLOSED && stream->carrier) stream->carrier->stream_over();
}

void Plugin::tell_stream_arrived(std::uint64_t handle, const LiveStream& stream) {
  live_streams.mark_told(handle);
  if (stream.connection != 0) return tell_connection_stream(handle, stream);
  const StreamRoute& route = *stream.route;
  atlas_stream_opened opened{};
  opened.struct_size = sizeof opened;
  opened.type = route.type;
  opened.from = stream.from;
  opened.stream = handle;
  opened.opening = {stream.opening->data(), stream.opening->size()};
  const atlas_status status = guarded("raw stream", [&] { return route.opened(self, &opened); });
  if (status >= 0) return;
  if (live_streams.take(handle)) stream.pipe->abandon(static_cast<std::uint64_t>(wire::Code::kRejected));
}

void Plugin::tell_stream(std::uint64_t handle, const LiveStream& stream, const StreamPipe::Event& told) {
  atlas_stream_event event{};
  event.struct_size = sizeof event;
  event.what = told.what;
  event.stream = handle;
  event.arg = stream.argument;
  event.data = {told.data.data(), told.data.size()};
  event.fin = told.fin ? 1 : 0;
  event.status = told.status;
  event.code = told.code;
  guarded("stream event", [&] {
    stream.event(self, &event);
    return ATLAS_OK;
  });
}

void Plugin::end_streams() {
  StreamPipe::Event closed;
  closed.what = ATLAS_STREAM_CLOSED;
  closed.status = ATLAS_E_STOPPING;
  for (const auto& [handle, stream] : live_streams.close()) {
    stream.pipe->abandon(static_cast<std::uint64_t>(wire::Code::kInternal));
    // One that the plugin has not heard of is owed nothing.
    if (!stream.arrived) tell_stream(handle, stream, closed);
  }
}

}  // namespace atlas::host
