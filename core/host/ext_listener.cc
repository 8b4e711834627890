// atlas.listener/1
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

using Each = void (*)(void*, const atlas_listener_info*);

std::vector<atlas_text> texts_of(const std::vector<std::string>& strings) {
  std::vector<atlas_text> out;
  out.reserve(strings.size());
  for (const std::string& string : strings) out.push_back(text_of(string));
  return out;
}

atlas_status info(const atlas_host* host, void* arg, Each each) {
  Plugin& plugin = Plugin::of(host);
  if (each == nullptr) return plugin.contract_break(ATLAS_E_ARG, "listener.info(): no callback");
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  const Listener listener = plugin.services->setup.network->listener();
  const auto bound = texts_of(listener.bound);
  const auto protocols = texts_of(listener.protocols);
  atlas_listener_info out{};
  out.struct_size = sizeof out;
  out.listening = listener.bound.empty() ? 0 : 1;
  out.bound = bound.data();
  out.bound_count = bound.size();
  out.protocols = protocols.data();
  out.protocol_count = protocols.size();
  out.public_address = text_of(listener.public_address);
  out.nat = static_cast<std::uint32_t>(listener.nat);
  each(arg, &out);
  return ATLAS_OK;
}

atlas_status watch(const atlas_host* host, void (*changed)(void*)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "listener.watch() outside init");
  if (changed == nullptr) return plugin.contract_break(ATLAS_E_ARG, "listener.watch(): no function");
  if (plugin.listener_changed != nullptr) return plugin.refuse(ATLAS_E_CONFLICT, "the listener is watched already");
  plugin.listener_changed = changed;
  return ATLAS_OK;
}

}  // namespace

const atlas_ext_listener kListenerTable = {sizeof(atlas_ext_listener), info, watch};

}  // namespace atlas::host
