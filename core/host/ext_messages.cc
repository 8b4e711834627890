// atlas.messages/1: requests of peers come in through Plugin::run, everything that goes out passes here.
#include <fmt/format.h>

#include "base/utf8.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"
#include "wire/envelope.h"

namespace atlas::host {
namespace {

constexpr std::string_view kNetworkFull = "the network has too much to do; try again later";

base::ByteView view_of(atlas_bytes bytes) {
  return {bytes.data, bytes.data == nullptr ? 0 : bytes.size};
}
base::Bytes copy_of(atlas_bytes bytes) {
  const base::ByteView view = view_of(bytes);
  return {view.begin(), view.end()};
}

// Types and sizes that may leave this node.
atlas_status check_outgoing(Plugin& plugin, std::uint8_t type, atlas_bytes body) {
  if (range_of(type) == TypeRange::kCore) {
    return plugin.contract_break(ATLAS_E_DENIED, fmt::format("message type 0x{:02x} belongs to the core", type));
  }
  if (body.data == nullptr && body.size != 0) return plugin.contract_break(ATLAS_E_ARG, "a body without bytes");
  if (body.size > wire::kMaxPayload) {
    return plugin.refuse(ATLAS_E_ARG,
                         fmt::format("a payload of {} bytes, at most {} are allowed", body.size, wire::kMaxPayload));
  }
  return ATLAS_OK;
}

atlas_status handle(const atlas_host* host, std::uint8_t type, std::uint32_t flags,
                    atlas_status (*fn)(void*, const atlas_message*)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "handle() outside init");
  if (fn == nullptr || (flags & ~std::uint32_t{ATLAS_HANDLE_ANSWERS}) != 0) {
    return plugin.contract_break(ATLAS_E_ARG, "handle(): no function, or a flag that this host does not know");
  }
  if (plugin.claimed_type(type)) {
    return plugin.refuse(ATLAS_E_CONFLICT, fmt::format("0x{:02x} is claimed twice", type));
  }
  if (const auto claimed = plugin.services->claims.claim_type(plugin.owner, type); !claimed) {
    return plugin.refuse_claim(claimed.error());
  }
  auto route = std::make_unique<Route>();
  *route = {&plugin, type, (flags & ATLAS_HANDLE_ANSWERS) != 0, fn};
  plugin.routes.push_back(std::move(route));
  return ATLAS_OK;
}

atlas_status send(const atlas_host* host, atlas_peer to, std::uint8_t type, atlas_bytes body) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (const atlas_status status = check_outgoing(plugin, type, body); status != ATLAS_OK) return status;
  Network& network = *plugin.services->setup.network;
  if (!network.live(to)) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  if (!network.send(to, type, copy_of(body))) return plugin.refuse(ATLAS_E_FULL, kNetworkFull);
  return ATLAS_OK;
}

// Runs on the I/O thread: from the answer to a place in the strand's queue.
void queue_answer(Plugin& plugin, std::uint64_t handle, const Answer& answer) {
  Item item;
  item.kind = ItemKind::kAnswer;
  item.a = handle;
  item.b = answer.rtt_us;
  item.type = answer.type;
  item.code = answer.error_code;
  item.status = answer.ok ? ATLAS_OK : status_of(answer.fault);
  item.flag = answer.unchecked;
  const Appended appended =
      plugin.strand.append(item, answer.body, base::as_bytes(answer.error_text), Admission::kCompletion);
  if (appended != Appended::kFull) return;
  // No room for the body: the promise is kept, the plugin learns why it gets nothing.
  item.status = ATLAS_E_FULL;
  item.type = 0;
  item.code = 0;
  item.flag = false;
  plugin.strand.append(item, {}, {}, Admission::kCompletion);
}

atlas_status request(const atlas_host* host, atlas_peer to, std::uint8_t type, atlas_bytes body,
                     std::uint32_t timeout_ms, atlas_answer_fn done, void* arg, atlas_request* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (done == nullptr) return plugin.contract_break(ATLAS_E_ARG, "request(): no callback");
  if (timeout_ms == 0 || timeout_ms > kMaxRequestTimeoutMs) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("request(): timeout_ms is 1..{}", kMaxRequestTimeoutMs));
  }
  if (const atlas_status status = check_outgoing(plugin, type, body); status != ATLAS_OK) return status;
  Services& services = *plugin.services;
  Network& network = *services.setup.network;
  if (!network.live(to)) return plugin.refuse(ATLAS_E_GONE, "the session has ended");
  Promise promise;
  promise.kind = Promise::Kind::kAnswer;
  promise.tag = services.next_tag.fetch_add(1, std::memory_order_relaxed);
  promise.answer = done;
  promise.argument = arg;
  std::uint64_t handle = 0;
  if (const atlas_status status = plugin.promise(promise, &handle); status != ATLAS_OK) return status;
  if (out != nullptr) *out = handle;  // before the answer can come
  network.request(
      to, type, copy_of(body), std::uint64_t{timeout_ms} * base::kMillisecond, promise.tag,
      [owner = plugin.shared_from_this(), handle](Answer&& answer) { queue_answer(*owner, handle, answer); });
  return ATLAS_OK;
}

atlas_status cancel(const atlas_host* host, atlas_request request) {
  Plugin& plugin = Plugin::of(host);
  const auto promise = plugin.pending.take(request);
  if (!promise) return plugin.refuse(ATLAS_E_GONE, "no such request waits");
  if (promise->kind == Promise::Kind::kAnswer) plugin.services->setup.network->cancel_request(promise->tag);
  plugin.look_whether_quiet();
  return ATLAS_OK;
}

// What the plugin is told of its attempt to answer. After FULL the request is still open.
atlas_status status_of(Plugin& plugin, OpenReplies::Taken taken) {
  switch (taken) {
    case OpenReplies::Taken::kYes:
      plugin.look_whether_quiet();
      return ATLAS_OK;
    case OpenReplies::Taken::kRefused:
      return plugin.refuse(ATLAS_E_FULL, kNetworkFull);
    case OpenReplies::Taken::kAnswered:
      return plugin.refuse(ATLAS_E_STATE, "it is answered already");
    case OpenReplies::Taken::kGone:
      break;
  }
  return plugin.refuse(ATLAS_E_GONE, "nobody waits for this answer");
}

atlas_status reply(const atlas_host* host, atlas_reply_to to, std::uint8_t type, atlas_bytes body) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check_outgoing(plugin, type, body); status != ATLAS_OK) return status;
  return status_of(plugin, plugin.replies.answer(to, [&](ReplyHandle open) {
    return plugin.services->setup.network->reply(open, type, copy_of(body));
  }));
}

atlas_status fail(const atlas_host* host, atlas_reply_to to, std::uint32_t code, atlas_text text) {
  Plugin& plugin = Plugin::of(host);
  const std::string_view words = view(text);
  if (code == 0) return plugin.contract_break(ATLAS_E_ARG, "fail(): code 0 is no error");
  return status_of(plugin, plugin.replies.answer(to, [&](ReplyHandle open) {
    return plugin.send_error(open, code, clip(words, kMaxErrorText));
  }));
}

}  // namespace

const atlas_ext_messages kMessagesTable = {sizeof(atlas_ext_messages), handle, send, request, cancel, reply, fail};

}  // namespace atlas::host
