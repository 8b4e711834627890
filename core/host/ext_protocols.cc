// atlas.protocols/1
#include <fmt/format.h>

#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

constexpr std::string_view kNetworkFull = "the network has too much to do; try again later";
constexpr std::uint64_t kMaxCode = (std::uint64_t{1} << 62) - 1;  // RFC 9000, section 16
constexpr std::size_t kMaxAlpn = base::limits::quic_alpn_bytes, kMaxServerName = 255;
constexpr std::uint32_t kKnownFlags = ATLAS_PROTOCOL_ACCEPTS | ATLAS_PROTOCOL_CLIENT_CERT;

template <class Number>
bool take(Number given, Number least, Number most, Number fallback, Number& out) {
  out = given == 0 ? fallback : given;
  return out >= least && out <= most;
}

// False: something is out of its range.
bool take_limits(const atlas_protocol_limits& given, ProtocolClaim& out) {
  using namespace base::limits;
  std::uint32_t idle_ms = 0, handshake_ms = 0;
  const bool good =
      take<std::uint32_t>(given.max_connections, 1, 100'000, plugins_protocol_connections, out.max_connections) &&
      take<std::uint32_t>(given.max_streams, 1, 65'536, plugins_protocol_streams, out.max_streams) &&
      take<std::uint32_t>(given.max_unidirectional, 1, 65'536, plugins_protocol_unidirectional,
                          out.max_unidirectional) &&
      take<std::uint32_t>(given.idle_ms, 1'000, 3'600'000, plugins_protocol_idle * 1'000, idle_ms) &&
      take<std::uint32_t>(given.handshake_ms, 1'000, 60'000, plugins_protocol_handshake * 1'000, handshake_ms) &&
      take<std::uint64_t>(given.stream_window, 4'096, 16 << 20, plugins_protocol_stream_window, out.stream_window) &&
      take<std::uint64_t>(given.connection_window, 4'096, 64 << 20, plugins_protocol_connection_window,
                          out.connection_window);
  out.idle = std::uint64_t{idle_ms} * base::kMillisecond;
  out.handshake = std::uint64_t{handshake_ms} * base::kMillisecond;
  return good;
}

atlas_status claim(const atlas_host* host, const atlas_protocol* protocol) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "claim() outside init");
  if (protocol == nullptr) return plugin.contract_break(ATLAS_E_ARG, "claim(): no protocol");
  const auto known = copy_prefix(protocol);
  const std::string_view alpn = view(known.alpn);
  if (alpn.empty() || alpn.size() > kMaxAlpn || known.verify == nullptr || known.event == nullptr ||
      known.stream == nullptr || (known.flags & ~kKnownFlags) != 0) {
    return plugin.contract_break(
        ATLAS_E_ARG, "claim(): a name of 1 to 31 bytes, three functions, and no flag that this host does not know");
  }
  auto spec = std::make_unique<ProtocolSpec>();
  const auto limits = known.limits == nullptr ? atlas_protocol_limits{} : copy_prefix(known.limits);
  if (!take_limits(limits, spec->claim)) {
    return plugin.contract_break(ATLAS_E_ARG, "claim(): a limit is out of its range");
  }
  if (plugin.protocol(alpn) != nullptr) return plugin.refuse(ATLAS_E_CONFLICT, "the protocol is claimed twice");
  if (const auto claimed = plugin.services->claims.claim_protocol(plugin.owner, alpn); !claimed) {
    return plugin.refuse_claim(claimed.error());
  }
  spec->plugin = &plugin;
  spec->claim.alpn = alpn;
  spec->claim.accepts = (known.flags & ATLAS_PROTOCOL_ACCEPTS) != 0;
  spec->claim.needs_client_certificate = (known.flags & ATLAS_PROTOCOL_CLIENT_CERT) != 0;
  spec->verify = known.verify;
  spec->event = known.event;
  spec->stream = known.stream;
  plugin.protocols.push_back(std::move(spec));
  return ATLAS_OK;
}

atlas_status credentials(const atlas_host* host, atlas_text alpn, const atlas_bytes* chain, std::size_t chain_count,
                         atlas_bytes key) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  ProtocolSpec* spec = plugin.protocol(view(alpn));
  if (spec == nullptr) return plugin.contract_break(ATLAS_E_ARG, "credentials(): no such protocol was claimed");
  if (chain == nullptr || chain_count == 0 || chain_count > base::limits::quic_chain_certificates ||
      key.data == nullptr) {
    return plugin.refuse(ATLAS_E_ARG, fmt::format("a chain has 1 to {} certificates, and there is a key",
                                                  base::limits::quic_chain_certificates));
  }
  std::vector<base::ByteView> views;
  for (std::size_t i = 0; i < chain_count; ++i) {
    views.emplace_back(chain[i].data, chain[i].data == nullptr ? 0 : chain[i].size);
  }
  const auto set = plugin.services->setup.network->set_credentials(spec->claim.alpn, views, {key.data, key.size});
  if (!set) return plugin.refuse(status_of(set.error().fault), set.error().text);
  spec->has_credentials = true;
  return ATLAS_OK;
}

atlas_status dial(const atlas_host* host, atlas_text alpn, atlas_text remote, atlas_text server_name,
                  std::uint32_t timeout_ms, void* arg, atlas_connection* out) {
  Plugin& plugin = Plugin::of(host);
  if (out != nullptr) *out = 0;
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  ProtocolSpec* spec = plugin.protocol(view(alpn));
  if (spec == nullptr || out == nullptr || timeout_ms == 0 || timeout_ms > kMaxConnectTimeoutMs ||
      server_name.size > kMaxServerName) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("dial(): a claimed protocol, timeout_ms 1..{}, a name of at "
                                                          "most {} bytes and a place for the connection",
                                                          kMaxConnectTimeoutMs, kMaxServerName));
  }
  const auto address = net::SocketAddress::parse(view(remote));
  if (!address) return plugin.refuse(ATLAS_E_ARG, "the address is not ip:port");
  if (!spec->has_credentials) return plugin.refuse(ATLAS_E_STATE, "the protocol has no certificate yet");
  const auto outcome = plugin.live_connections.add(*spec, [&](std::uint64_t handle, LiveConnection& connection) {
    *out = handle;  // before an event can come
    connection.pipe = plugin.make_connection(handle, address->text());
    connection.argument = arg;
    connection.dialled = true;
    return plugin.services->setup.network->dial_protocol({spec->claim.alpn, *address, std::string(view(server_name)),
                                                          std::uint64_t{timeout_ms} * base::kMillisecond,
                                                          connection.pipe});
  });
  if (outcome == LiveConnections::Outcome::kDone) return ATLAS_OK;
  *out = 0;
  switch (outcome) {
    case LiveConnections::Outcome::kFull:
      return plugin.refuse(ATLAS_E_FULL, "as many connections as the protocol may have");
    case LiveConnections::Outcome::kRefused:
      return plugin.refuse(ATLAS_E_FULL, kNetworkFull);
    default:
      return plugin.refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
  }
}

atlas_status close(const atlas_host* host, atlas_connection connection, std::uint64_t code, atlas_text reason) {
  Plugin& plugin = Plugin::of(host);
  if (code > kMaxCode) return plugin.contract_break(ATLAS_E_ARG, "close(): a code is below 2^62");
  const auto live = plugin.live_connections.find(connection);
  if (!live) return plugin.refuse(ATLAS_E_GONE, "the connection is over");
  if (live->pipe->close()) {
    plugin.services->setup.network->close_connection(live->pipe->tag(), code,
                                                     std::string(clip(view(reason), base::limits::quic_reason_bytes)));
  }
  return ATLAS_OK;
}

atlas_status open(const atlas_host* host, atlas_connection connection, std::uint32_t unidirectional, void* arg,
                  atlas_stream* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "open(): no place for the stream");
  *out = 0;
  const auto live = plugin.live_connections.find(connection);
  if (!live) return plugin.refuse(ATLAS_E_GONE, "the connection is over");
  const bool one_way = unidirectional != 0;
  switch (live->pipe->reserve_stream(one_way)) {
    case ConnectionPipe::Outcome::kDone:
      break;
    case ConnectionPipe::Outcome::kFull:
      return plugin.refuse(ATLAS_E_FULL, "as many streams as the peer allows are open");
    case ConnectionPipe::Outcome::kNotUp:
      return plugin.refuse(ATLAS_E_STATE, "the connection is not up yet");
    case ConnectionPipe::Outcome::kGone:
      return plugin.refuse(ATLAS_E_GONE, "the connection is over");
  }
  const auto outcome = plugin.live_streams.add([&](std::uint64_t handle, LiveStream& stream) {
    *out = handle;  // before an event can come
    stream.pipe = plugin.make_pipe(handle, !one_way, true);
    stream.event = live->spec->stream;
    stream.argument = arg;
    stream.connection = connection;
    stream.carrier = live->pipe;
    stream.unidirectional = one_way;
    return plugin.services->setup.network->open_connection_stream({live->pipe->tag(), one_way, stream.pipe});
  });
  if (outcome == LiveStreams::Outcome::kDone) return ATLAS_OK;
  *out = 0;
  live->pipe->return_stream(one_way);
  if (outcome == LiveStreams::Outcome::kClosed) return plugin.refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
  return plugin.refuse(ATLAS_E_FULL,
                       outcome == LiveStreams::Outcome::kFull ? "too many streams are open" : kNetworkFull);
}

}  // namespace

const atlas_ext_protocols kProtocolsTable = {
    sizeof(atlas_ext_protocols), claim, credentials, dial, close, open,
};

}  // namespace atlas::host
