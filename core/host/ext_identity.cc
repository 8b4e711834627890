// atlas.identity/1
#include <fmt/format.h>

#include <cstring>

#include "base/limits.h"
#include "base/utf8.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"
#include "identity/node_key.h"

namespace atlas::host {
namespace {

constexpr std::string_view kDomain = "atlas-plugin-signature-v1";
constexpr std::size_t kMaxContext = 64, kMaxId = 64;
constexpr std::size_t kMaxMessage = base::limits::plugins_signed_bytes;

identity::PublicKey key_of(const atlas_public_key& key) {
  identity::PublicKey out;
  std::memcpy(out.data(), key.bytes, out.size());
  return out;
}

const identity::NodeKey* own_key(Plugin& plugin, atlas_status* why) {
  const identity::NodeKey* key = plugin.services->setup.key;
  if (key == nullptr) *why = plugin.refuse(ATLAS_E_DENIED, "there is no node identity here");
  return key;
}

// What is signed: header, "Layout".
base::Bytes signed_text(std::string_view plugin, std::string_view context, base::ByteView message) {
  base::Bytes out;
  out.reserve(kDomain.size() + 3 + plugin.size() + context.size() + message.size());
  const auto put = [&](std::string_view text) { out.insert(out.end(), text.begin(), text.end()); };
  put(kDomain);
  out.push_back(0);
  out.push_back(static_cast<std::uint8_t>(plugin.size()));
  put(plugin);
  out.push_back(static_cast<std::uint8_t>(context.size()));
  put(context);
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

atlas_status check(Plugin& plugin, std::string_view context, atlas_bytes message) {
  if (context.empty() || context.size() > kMaxContext || !base::is_utf8(context)) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("a signature's context has 1..{} bytes", kMaxContext));
  }
  if (message.data == nullptr && message.size != 0) {
    return plugin.contract_break(ATLAS_E_ARG, "a message without bytes");
  }
  if (message.size > kMaxMessage) {
    return plugin.refuse(ATLAS_E_ARG,
                         fmt::format("a message of {} bytes, at most {} are signed", message.size, kMaxMessage));
  }
  return ATLAS_OK;
}

base::ByteView view_of(atlas_bytes bytes) {
  return {bytes.data, bytes.data == nullptr ? 0 : bytes.size};
}

atlas_status self(const atlas_host* host, atlas_public_key* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "identity.self(): no place for the key");
  atlas_status why = ATLAS_OK;
  const identity::NodeKey* key = own_key(plugin, &why);
  if (key == nullptr) return why;
  std::memcpy(out->bytes, key->public_key().data(), sizeof out->bytes);
  return ATLAS_OK;
}

atlas_status peer(const atlas_host* host, atlas_peer peer, atlas_public_key* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "identity.peer(): no place for the key");
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  const auto live = plugin.services->setup.network->peer(peer);
  if (!live) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  std::memcpy(out->bytes, live->key.data(), sizeof out->bytes);
  return ATLAS_OK;
}

atlas_status node_id(const atlas_host* host, const atlas_public_key* key, atlas_node_id* out) {
  Plugin& plugin = Plugin::of(host);
  if (key == nullptr || out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "identity.node_id(): null");
  const identity::PublicKey known = key_of(*key);
  if (!identity::is_acceptable(known)) return plugin.refuse(ATLAS_E_ARG, "no honest node can have that key");
  const std::string id = identity::node_id_of(known);
  std::memcpy(out->text, id.data(), sizeof out->text);
  return ATLAS_OK;
}

atlas_status sign(const atlas_host* host, atlas_text context, atlas_bytes message, atlas_signature* out) {
  Plugin& plugin = Plugin::of(host);
  if (out == nullptr) return plugin.contract_break(ATLAS_E_ARG, "identity.sign(): no place for the signature");
  if (const atlas_status status = check(plugin, view(context), message); status != ATLAS_OK) return status;
  atlas_status why = ATLAS_OK;
  const identity::NodeKey* key = own_key(plugin, &why);
  if (key == nullptr) return why;
  const identity::Signature signature = key->sign(signed_text(plugin.id, view(context), view_of(message)));
  std::memcpy(out->bytes, signature.data(), sizeof out->bytes);
  return ATLAS_OK;
}

atlas_status verify(const atlas_host* host, const atlas_public_key* key, atlas_text signer, atlas_text context,
                    atlas_bytes message, const atlas_signature* signature) {
  Plugin& plugin = Plugin::of(host);
  if (key == nullptr || signature == nullptr) return plugin.contract_break(ATLAS_E_ARG, "identity.verify(): null");
  if (const atlas_status status = check(plugin, view(context), message); status != ATLAS_OK) return status;
  const std::string_view whose = view(signer).empty() ? std::string_view(plugin.id) : view(signer);
  if (whose.size() > kMaxId) return plugin.contract_break(ATLAS_E_ARG, "identity.verify(): that is no plugin's id");
  const base::Bytes text = signed_text(whose, view(context), view_of(message));
  if (identity::verify(key_of(*key), text, {signature->bytes, sizeof signature->bytes})) return ATLAS_OK;
  return plugin.refuse(ATLAS_E_DENIED, "the signature does not verify");
}

}  // namespace

const atlas_ext_identity kIdentityTable = {sizeof(atlas_ext_identity), self, peer, node_id, sign, verify};

}  // namespace atlas::host
