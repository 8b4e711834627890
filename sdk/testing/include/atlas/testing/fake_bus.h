// The tables of FakeHost that concern the node itself and its other plugins: bus, identity, listener. Included by
// fake_host.h.
//
// Signatures here are no Ed25519: a keyed sum that differs whenever key, plugin, context or message do. Enough to test
// a role that signs and verifies; nothing outside this host accepts them.
#pragma once

#include "fake_host.h"

namespace atlas::kit {

inline void FakeHost::bus_event(const std::string& topic, const Bytes& body) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) throw std::runtime_error("the role does not hear " + topic);
  const std::string from = topic.substr(0, topic.find('/'));
  const atlas_bus_event event{sizeof event, 0, text_to(topic), text_to(from), bytes_to(body)};
  found->second(role_, &event);
  settle();
}

inline FakeBusAnswer FakeHost::bus_request(const std::string& service, const std::string& from, const Bytes& body) {
  const atlas_bus_call call = bus_request_open(service, from, body);
  return bus_answers[call];
}

inline atlas_bus_call FakeHost::bus_request_open(const std::string& service, const std::string& from,
                                                 const Bytes& body) {
  const auto found = services_.find(service);
  if (found == services_.end()) throw std::runtime_error("the role does not offer " + service);
  const atlas_bus_call call = ++last_id_;
  bus_answers[call] = {};
  const atlas_bus_request request{sizeof request, 0, call, text_to(service), text_to(from), bytes_to(body)};
  const atlas_status status = found->second(role_, &request);
  if (status < 0 && !bus_answers[call].answered) bus_answers[call] = {true, status, {}, ""};
  settle();
  return call;
}

inline void FakeHost::answer_bus(const FakeBusRequest& request, atlas_status status, const Bytes& body,
                                 std::string_view error) {
  const FakeBusRequest copy = take(bus_requests, request.id);
  const atlas_bus_answer answer{sizeof answer, status, bytes_to(body), text_to(error)};
  copy.done(copy.arg, &answer);
  settle();
}

inline void FakeHost::change_listener(FakeListener to) {
  listener = std::move(to);
  if (listener_changed_ != nullptr) listener_changed_(role_);
  settle();
}

inline void FakeHost::fill_bus() {
  atlas_ext_bus& table = tables.bus;
  table.struct_size = sizeof table;
  table.publish = [](const atlas_host* host, atlas_text topic, atlas_bytes body, uint32_t* receivers) -> atlas_status {
    FakeHost& self = of(host);
    const std::string name = text_of(topic);
    if (name.rfind(std::string(self.plugin_.id) + "/", 0) != 0) return self.fail(ATLAS_E_DENIED, "not under its id");
    self.published.push_back({name, bytes_of(body)});
    if (receivers != nullptr) *receivers = self.bus_receivers;
    return ATLAS_OK;
  };
  table.subscribe = [](const atlas_host* host, atlas_text topic,
                       void (*fn)(void*, const atlas_bus_event*)) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    return self.topics_.emplace(text_of(topic), fn).second ? ATLAS_OK : ATLAS_E_CONFLICT;
  };
  table.offer = [](const atlas_host* host, atlas_text service,
                   atlas_status (*fn)(void*, const atlas_bus_request*)) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    return self.services_.emplace(text_of(service), fn).second ? ATLAS_OK : ATLAS_E_CONFLICT;
  };
  table.request = [](const atlas_host* host, atlas_text service, atlas_bytes body, uint32_t timeout_ms,
                     atlas_bus_answer_fn done, void* arg) -> atlas_status {
    FakeHost& self = of(host);
    if (self.bus_status < 0) return self.bus_status;
    self.bus_requests.push_back(
        {++self.last_id_, text_of(service), bytes_of(body), self.now_ms + timeout_ms, done, arg});
    return ATLAS_OK;
  };
  table.answer = [](const atlas_host* host, atlas_bus_call call, atlas_bytes body) -> atlas_status {
    return of(host).settle_bus(call, ATLAS_OK, bytes_of(body), "");
  };
  table.fail = [](const atlas_host* host, atlas_bus_call call, atlas_status status, atlas_text error) -> atlas_status {
    return of(host).settle_bus(call, status, {}, text_of(error));
  };
}

inline atlas_status FakeHost::settle_bus(atlas_bus_call call, atlas_status status, Bytes body, std::string error) {
  const auto found = bus_answers.find(call);
  if (found == bus_answers.end() || found->second.answered) return ATLAS_E_GONE;
  found->second = {true, status, std::move(body), std::move(error)};
  return ATLAS_OK;
}

namespace detail {

inline atlas_signature keyed_sum(const atlas_public_key& key, std::string_view plugin, std::string_view context,
                                 atlas_bytes message) {
  std::uint64_t sum = 0xcbf29ce484222325u;
  const auto add = [&sum](const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) sum = (sum ^ static_cast<const std::uint8_t*>(data)[i]) * 0x100000001b3u;
    sum = (sum ^ size) * 0x100000001b3u;
  };
  add(key.bytes, sizeof key.bytes);
  add(plugin.data(), plugin.size());
  add(context.data(), context.size());
  add(message.data, message.size);
  atlas_signature out{};
  for (std::uint8_t& byte : out.bytes) {
    sum = sum * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(sum >> 56);
  }
  return out;
}

}  // namespace detail

inline void FakeHost::fill_identity() {
  atlas_ext_identity& table = tables.identity;
  table.struct_size = sizeof table;
  table.self = [](const atlas_host* host, atlas_public_key* out) -> atlas_status {
    *out = of(host).self_key;
    return ATLAS_OK;
  };
  table.peer = [](const atlas_host* host, atlas_peer peer, atlas_public_key* out) -> atlas_status {
    const auto found = of(host).peers.find(peer);
    if (found == of(host).peers.end()) return ATLAS_E_GONE;
    *out = found->second.key;
    return ATLAS_OK;
  };
  table.node_id = [](const atlas_host*, const atlas_public_key* key, atlas_node_id* out) -> atlas_status {
    std::uint64_t number = 0;
    std::memcpy(&number, key->bytes, sizeof number);
    if (number == 0) return ATLAS_E_ARG;
    std::memcpy(out->text, kit::node_id(number).data(), sizeof out->text);
    return ATLAS_OK;
  };
  table.sign = [](const atlas_host* host, atlas_text context, atlas_bytes message,
                  atlas_signature* out) -> atlas_status {
    FakeHost& self = of(host);
    if (context.size == 0 || context.size > 64) return ATLAS_E_ARG;
    *out = detail::keyed_sum(self.self_key, self.plugin_.id, text_of(context), message);
    return ATLAS_OK;
  };
  table.verify = [](const atlas_host* host, const atlas_public_key* key, atlas_text plugin, atlas_text context,
                    atlas_bytes message, const atlas_signature* signature) -> atlas_status {
    const std::string whose = plugin.size == 0 ? std::string(of(host).plugin_.id) : text_of(plugin);
    const atlas_signature right = detail::keyed_sum(*key, whose, text_of(context), message);
    return std::memcmp(right.bytes, signature->bytes, sizeof right.bytes) == 0 ? ATLAS_OK : ATLAS_E_DENIED;
  };
}

inline void FakeHost::fill_listener() {
  atlas_ext_listener& table = tables.listener;
  table.struct_size = sizeof table;
  table.info = [](const atlas_host* host, void* arg, void (*each)(void*, const atlas_listener_info*)) -> atlas_status {
    const FakeHost& self = of(host);
    if (self.in_init_) return ATLAS_E_STATE;
    std::vector<atlas_text> bound, protocols;
    for (const auto& it : self.listener.bound) bound.push_back(text_to(it));
    for (const auto& it : self.listener.protocols) protocols.push_back(text_to(it));
    const atlas_listener_info info{sizeof info,
                                   self.listener.bound.empty() ? 0u : 1u,
                                   bound.data(),
                                   bound.size(),
                                   protocols.data(),
                                   protocols.size(),
                                   text_to(self.listener.public_address),
                                   self.listener.nat,
                                   0};
    each(arg, &info);
    return ATLAS_OK;
  };
  table.watch = [](const atlas_host* host, void (*changed)(void*)) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    if (self.listener_changed_ != nullptr) return ATLAS_E_CONFLICT;
    self.listener_changed_ = changed;
    return ATLAS_OK;
  };
}

}  // namespace atlas::kit
