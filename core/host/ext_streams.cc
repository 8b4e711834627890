// atlas.streams/1
#include <fmt/format.h>

#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"
#include "wire/envelope.h"

namespace atlas::host {
namespace {

constexpr std::uint64_t kMaxCode = (std::uint64_t{1} << 62) - 1;  // RFC 9000, section 16

base::ByteView view_of(atlas_bytes bytes) {
  return {bytes.data, bytes.data == nullptr ? 0 : bytes.size};
}

atlas_status accept(const atlas_host* host, std::uint8_t type,
                    atlas_status (*opened)(void*, const atlas_stream_opened*), atlas_stream_event_fn event) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "accept() outside init");
  if (opened == nullptr || event == nullptr) return plugin.contract_break(ATLAS_E_ARG, "accept(): no function");
  if (plugin.claimed_type(type)) {
    return plugin.refuse(ATLAS_E_CONFLICT, fmt::format("0x{:02x} is claimed twice", type));
  }
  if (const auto claimed = plugin.services->claims.claim_type(plugin.owner, type); !claimed) {
    return plugin.refuse_claim(claimed.error());
  }
  auto route = std::make_unique<StreamRoute>();
  *route = {&plugin, type, opened, event};
  plugin.stream_routes.push_back(std::move(route));
  return ATLAS_OK;
}

atlas_status status_of(Plugin& plugin, LiveStreams::Outcome outcome) {
  switch (outcome) {
    case LiveStreams::Outcome::kDone:
      return ATLAS_OK;
    case LiveStreams::Outcome::kFull:
      return plugin.refuse(ATLAS_E_FULL, fmt::format("{} streams are open already", kMaxLiveStreams));
    case LiveStreams::Outcome::kRefused:
      return plugin.refuse(ATLAS_E_FULL, "the network has too much to do; try again later");
    case LiveStreams::Outcome::kClosed:
      break;
  }
  return plugin.refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
}

atlas_status open(const atlas_host* host, atlas_peer to, std::uint8_t type, atlas_bytes opening,
                  atlas_stream_event_fn event, void* arg, atlas_stream* out) {
  Plugin& plugin = Plugin::of(host);
  if (out != nullptr) *out = 0;
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (event == nullptr || out == nullptr || (opening.data == nullptr && opening.size != 0)) {
    return plugin.contract_break(ATLAS_E_ARG, "open(): bytes, a callback and a place for the stream are needed");
  }
  if (range_of(type) == TypeRange::kCore) {
    return plugin.contract_break(ATLAS_E_DENIED, fmt::format("message type 0x{:02x} belongs to the core", type));
  }
  if (opening.size > wire::kMaxOpening) {
    return plugin.refuse(
        ATLAS_E_ARG, fmt::format("an opening of {} bytes, at most {} are allowed", opening.size, wire::kMaxOpening));
  }
  Network& network = *plugin.services->setup.network;
  if (!network.live(to)) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  const auto outcome = plugin.live_streams.add([&](std::uint64_t handle, LiveStream& stream) {
    *out = handle;  // before an event can come
    stream.pipe = plugin.make_pipe(handle, true, true);
    stream.event = event;
    stream.argument = arg;
    const base::ByteView bytes = view_of(opening);
    return network.open_stream({to, type, {bytes.begin(), bytes.end()}, stream.pipe});
  });
  if (outcome != LiveStreams::Outcome::kDone) *out = 0;
  return status_of(plugin, outcome);
}

atlas_status set_arg(const atlas_host* host, atlas_stream stream, void* arg) {
  Plugin& plugin = Plugin::of(host);
  return plugin.live_streams.set_argument(stream, arg) ? ATLAS_OK : plugin.refuse(ATLAS_E_GONE, "the stream is closed");
}

// Asks the stream, if it is there.
template <class Ask>
atlas_status ask(Plugin& plugin, atlas_stream stream, Ask&& question) {
  const auto pipe = plugin.live_streams.pipe(stream);
  if (!pipe) return plugin.refuse(ATLAS_E_GONE, "the stream is closed");
  switch (question(*pipe)) {
    case StreamPipe::Outcome::kDone:
      return ATLAS_OK;
    case StreamPipe::Outcome::kFull:
      return plugin.refuse(ATLAS_E_FULL, "too much is not acknowledged yet; WRITABLE follows");
    case StreamPipe::Outcome::kEnded:
      return plugin.refuse(ATLAS_E_STATE, "this direction of the stream is over, or there is none");
    case StreamPipe::Outcome::kTooMuch:
      break;
  }
  return plugin.contract_break(ATLAS_E_ARG, "credit(): more than was delivered");
}

atlas_status write(const atlas_host* host, atlas_stream stream, atlas_bytes data) {
  Plugin& plugin = Plugin::of(host);
  if (data.data == nullptr && data.size != 0) return plugin.contract_break(ATLAS_E_ARG, "write(): no bytes");
  if (data.size > StreamPipe::kSendBudget) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("write(): {} bytes at once, at most {} are allowed",
                                                          data.size, StreamPipe::kSendBudget));
  }
  return ask(plugin, stream, [&](StreamPipe& pipe) { return pipe.write(view_of(data)); });
}

atlas_status finish(const atlas_host* host, atlas_stream stream) {
  return ask(Plugin::of(host), stream, [](StreamPipe& pipe) { return pipe.finish(); });
}

atlas_status reset(const atlas_host* host, atlas_stream stream, std::uint64_t code) {
  Plugin& plugin = Plugin::of(host);
  if (code > kMaxCode) return plugin.contract_break(ATLAS_E_ARG, "reset(): a code is below 2^62");
  return ask(plugin, stream, [&](StreamPipe& pipe) { return pipe.reset(code); });
}

atlas_status stop(const atlas_host* host, atlas_stream stream, std::uint64_t code) {
  Plugin& plugin = Plugin::of(host);
  if (code > kMaxCode) return plugin.contract_break(ATLAS_E_ARG, "stop(): a code is below 2^62");
  return ask(plugin, stream, [&](StreamPipe& pipe) { return pipe.stop(code); });
}

atlas_status credit(const atlas_host* host, atlas_stream stream, std::uint64_t bytes) {
  return ask(Plugin::of(host), stream, [&](StreamPipe& pipe) { return pipe.credit(bytes); });
}

}  // namespace

const atlas_ext_streams kStreamsTable = {
    sizeof(atlas_ext_streams), accept, open, set_arg, write, finish, reset, stop, credit,
};

}  // namespace atlas::host
