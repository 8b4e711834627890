// The C tables of FakeHost: what a role reaches through the ABI. Included by fake_host.h.
#pragma once

#include "fake_host.h"

namespace atlas::kit {

inline void FakeHost::fill_tables(std::uint32_t mode) {
  c_.owner = this;
  atlas_host& host = c_.host;
  host.struct_size = sizeof host;
  host.abi_major = ATLAS_ABI_MAJOR;
  host.abi_minor = ATLAS_ABI_MINOR;
  host.mode = mode;
  host.version = "0.0.0-test";
  host.extension = [](const atlas_host* host, const char* id) -> const void* {
    FakeHost& self = of(host);
    const std::map<std::string_view, const void*> known = {
        {ATLAS_EXT_LOG, &self.tables.log},           {ATLAS_EXT_CONFIG, &self.tables.config},
        {ATLAS_EXT_MESSAGES, &self.tables.messages}, {ATLAS_EXT_TIMERS, &self.tables.timers},
        {ATLAS_EXT_PEERS, &self.tables.peers},       {ATLAS_EXT_STORE, &self.tables.store},
        {ATLAS_EXT_METRICS, &self.tables.metrics},   {ATLAS_EXT_ROUTES, &self.tables.routes},
        {ATLAS_EXT_BUS, &self.tables.bus},           {ATLAS_EXT_IDENTITY, &self.tables.identity},
        {ATLAS_EXT_LISTENER, &self.tables.listener}, {ATLAS_EXT_CLI, &self.tables.cli},
        {ATLAS_EXT_STREAMS, &self.tables.streams},   {ATLAS_EXT_PROTOCOLS, &self.tables.protocols}};
    const auto found = known.find(id);
    return found == known.end() || self.missing.contains(id) ? nullptr : found->second;
  };
  host.post = [](const atlas_host* host, void (*fn)(void*), void* arg) -> atlas_status {
    of(host).strand_.push_back([fn, arg] { fn(arg); });
    return ATLAS_OK;
  };
  host.last_error = [](const atlas_host* host, char* out, size_t cap) -> size_t {
    const std::string& text = of(host).last_error;
    std::memcpy(out, text.data(), std::min(cap, text.size()));
    return text.size();
  };
  host.now_ms = [](const atlas_host* host) { return of(host).now_ms; };
  host.unix_ms = [](const atlas_host* host) {
    const FakeHost& self = of(host);
    return self.unix_ms_at_start + self.elapsed() + self.wall_jump_ms;
  };
  host.random = [](const atlas_host* host, uint8_t* out, size_t size) {
    FakeHost& self = of(host);
    if (self.random_source) return self.random_source(out, size);
    for (size_t i = 0; i < size; ++i) {  // splitmix64
      std::uint64_t z = self.random_state += 0x9e3779b97f4a7c15u;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
      z = (z ^ z >> 27) * 0x94d049bb133111ebu;
      out[i] = static_cast<uint8_t>(z >> 56);
    }
  };
  tables.log = {sizeof tables.log, [](const atlas_host* host, uint32_t level, atlas_text line) {
                  of(host).log.emplace_back(level, text_of(line));
                }};
  fill_timers();
  fill_metrics();
  fill_messages();
  fill_peers();
  fill_streams();
  fill_protocols();
  fill_bus();
  fill_identity();
  fill_listener();
  fill_config();
  fill_store();
  fill_routes();
  fill_cli();
}

inline void FakeHost::fill_timers() {
  tables.timers.struct_size = sizeof tables.timers;
  tables.timers.start = [](const atlas_host* host, uint64_t delay, uint64_t period, void (*fn)(void*), void* arg,
                           atlas_timer* out) -> atlas_status {
    FakeHost& self = of(host);
    if (self.timers_.size() >= self.timer_quota) return self.fail(ATLAS_E_FULL, "no more timers");
    const atlas_timer id = ++self.last_id_;
    self.timers_[id] = {self.now_ms + delay, period, fn, arg};
    if (out != nullptr) *out = id;
    return ATLAS_OK;
  };
  tables.timers.cancel = [](const atlas_host* host, atlas_timer id) -> atlas_status {
    return of(host).timers_.erase(id) != 0 ? ATLAS_OK : ATLAS_E_GONE;
  };
}

inline void FakeHost::fill_metrics() {
  tables.metrics.struct_size = sizeof tables.metrics;
  tables.metrics.define = [](const atlas_host* host, const char* name, uint32_t kind, const char*,
                             atlas_metric* out) -> atlas_status {
    FakeHost& self = of(host);
    for (const FakeMetric& it : self.metrics) {
      if (it.name == name) return self.fail(ATLAS_E_CONFLICT, "this metric is defined already");
    }
    self.metrics.push_back({name, kind, 0});
    *out = self.metrics.size();
    return ATLAS_OK;
  };
  tables.metrics.add = [](const atlas_host* host, atlas_metric id, int64_t delta) {
    FakeMetric& metric = of(host).metrics.at(id - 1);
    if (metric.kind == ATLAS_METRIC_GAUGE || delta > 0) metric.value += delta;
  };
  tables.metrics.set = [](const atlas_host* host, atlas_metric id, int64_t value) {
    FakeMetric& metric = of(host).metrics.at(id - 1);
    if (metric.kind == ATLAS_METRIC_GAUGE) metric.value = value;
  };
}

inline void FakeHost::fill_messages() {
  atlas_ext_messages& table = tables.messages;
  table.struct_size = sizeof table;
  table.handle = [](const atlas_host* host, uint8_t type, uint32_t flags,
                    atlas_status (*fn)(void*, const atlas_message*)) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    if (self.claimed.contains(type)) return self.fail(ATLAS_E_CONFLICT, "claimed already");
    self.claimed[type] = flags;
    self.handlers_[type] = fn;
    return ATLAS_OK;
  };
  table.send = [](const atlas_host* host, atlas_peer to, uint8_t type, atlas_bytes body) -> atlas_status {
    FakeHost& self = of(host);
    if (self.request_status < 0) return self.request_status;
    if (!self.peers.contains(to)) return ATLAS_E_GONE;
    self.sent.push_back({to, type, bytes_of(body)});
    return ATLAS_OK;
  };
  table.request = [](const atlas_host* host, atlas_peer to, uint8_t type, atlas_bytes body, uint32_t timeout_ms,
                     atlas_answer_fn done, void* arg, atlas_request* out) -> atlas_status {
    FakeHost& self = of(host);
    if (self.request_status < 0) return self.request_status;
    if (!self.peers.contains(to)) return ATLAS_E_GONE;
    const FakeRequest request{++self.last_id_, to, type, bytes_of(body), self.now_ms + timeout_ms, done, arg};
    self.requests.push_back(request);
    if (out != nullptr) *out = request.id;
    if (self.responder) {
      self.strand_.push_back([&self, request] {
        const auto reply = self.responder(request);
        const auto is_it = [&](const FakeRequest& it) { return it.id == request.id; };
        if (!reply || std::none_of(self.requests.begin(), self.requests.end(), is_it)) return;
        self.complete(request, {sizeof(atlas_answer),
                                ATLAS_OK,
                                reply->type,
                                {},
                                reply->error_code,
                                text_to(reply->error_text),
                                bytes_to(reply->body),
                                self.responder_rtt_us});
      });
    }
    return ATLAS_OK;
  };
  table.cancel = [](const atlas_host* host, atlas_request id) -> atlas_status {
    return std::erase_if(of(host).requests, [id](const auto& it) { return it.id == id; }) != 0 ? ATLAS_OK
                                                                                               : ATLAS_E_GONE;
  };
  table.reply = [](const atlas_host* host, atlas_reply_to to, uint8_t type, atlas_bytes body) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.replies.find(to);
    if (found == self.replies.end()) return ATLAS_E_GONE;
    if (found->second.answered) return ATLAS_E_STATE;
    found->second = {true, type, bytes_of(body), 0, ""};
    return ATLAS_OK;
  };
  table.fail = [](const atlas_host* host, atlas_reply_to to, uint32_t code, atlas_text text) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.replies.find(to);
    if (found == self.replies.end()) return ATLAS_E_GONE;
    if (found->second.answered) return ATLAS_E_STATE;
    found->second = {true, 0xe0, {}, code, text_of(text)};
    return ATLAS_OK;
  };
}

inline void FakeHost::fill_peers() {
  atlas_ext_peers& table = tables.peers;
  table.struct_size = sizeof table;
  table.self = [](const atlas_host* host, void* arg, void (*each)(void*, const atlas_peer_info*)) -> atlas_status {
    const Info info(of(host).self);
    each(arg, &info.c);
    return ATLAS_OK;
  };
  table.info = [](const atlas_host* host, atlas_peer peer, void* arg,
                  void (*each)(void*, const atlas_peer_info*)) -> atlas_status {
    const auto found = of(host).peers.find(peer);
    if (found == of(host).peers.end()) return ATLAS_E_GONE;
    const Info info(found->second);
    each(arg, &info.c);
    return ATLAS_OK;
  };
  table.find = [](const atlas_host* host, atlas_text id, atlas_peer* out) -> atlas_status {
    *out = 0;
    for (const auto& [handle, peer] : of(host).peers) {
      if (peer.node_id == text_of(id)) *out = handle;
    }
    return *out != 0 ? ATLAS_OK : ATLAS_E_GONE;
  };
  table.list = [](const atlas_host* host, uint32_t which, void* arg,
                  atlas_status (*each)(void*, const atlas_peer_info*)) -> atlas_status {
    std::vector<FakePeer> rows;
    if (which == ATLAS_PEERS_LIVE) {
      for (const auto& [handle, peer] : of(host).peers) rows.push_back(peer);
    } else {
      rows = of(host).known;
    }
    for (const FakePeer& row : rows) {
      const Info info(row);
      if (each(arg, &info.c) < 0) break;
    }
    return ATLAS_OK;
  };
  table.connect = [](const atlas_host* host, atlas_text target, uint32_t timeout_ms, atlas_connected_fn done,
                     void* arg) -> atlas_status {
    FakeHost& self = of(host);
    if (self.connect_status < 0) return self.connect_status;
    self.dials.push_back({++self.last_id_, text_of(target), timeout_ms, done, arg});
    return ATLAS_OK;
  };
  table.disconnect = [](const atlas_host* host, atlas_peer peer, uint32_t reason, atlas_text note) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.peers.find(peer);
    if (found == self.peers.end()) return ATLAS_E_GONE;
    self.disconnects.push_back({peer, found->second.node_id, reason, text_of(note)});
    self.strand_.push_back([&self, peer, reason] { self.lose_peer(peer, reason); });
    return ATLAS_OK;
  };
  table.upsert = [](const atlas_host* host, const atlas_peer_info* info) -> atlas_status {
    FakePeer row;
    row.node_id = text_of(info->node_id);
    row.address = text_of(info->address);
    row.public_address = text_of(info->public_address);
    row.name = text_of(info->name);
    for (size_t i = 0; i < info->skill_count; ++i) row.skills.push_back(text_of(info->skills[i]));
    row.operator_username = text_of(info->operator_username);
    for (size_t i = 0; i < info->relay_count; ++i) row.relays.push_back(text_of(info->relays[i]));
    row.trust = info->trust;
    row.last_seen = info->last_seen;
    of(host).upserted.push_back(row);
    return ATLAS_OK;
  };
}

inline std::optional<std::uint64_t> FakeHost::millis_of(const FakeValue& value) {
  if (const auto* seconds = std::get_if<std::int64_t>(&value)) {
    return *seconds < 0 ? std::nullopt : std::optional<std::uint64_t>(*seconds * 1000);
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return std::nullopt;
  std::size_t used = 0;
  const unsigned long long number = std::stoull(*text, &used);
  const std::string unit = text->substr(used);
  if (unit == "ms") return number;
  if (unit == "s") return number * 1000;
  if (unit == "m") return number * 60'000;
  if (unit == "h") return number * 3'600'000;
  return std::nullopt;
}

inline void FakeHost::fill_config() {
  atlas_ext_config& table = tables.config;
  table.struct_size = sizeof table;
  table.boolean = [](const atlas_host* host, const char* key, uint32_t fallback, const char*,
                     uint32_t* out) -> atlas_status {
    of(host).asked[key] = std::string("boolean ") + (fallback ? "true" : "false");
    const bool* value = of(host).configured<bool>(key);
    *out = value != nullptr ? *value : fallback;
    return ATLAS_OK;
  };
  table.integer = [](const atlas_host* host, const char* key, int64_t fallback, int64_t min, int64_t max, const char*,
                     int64_t* out) -> atlas_status {
    of(host).asked[key] = "integer " + std::to_string(fallback) + " " + std::to_string(min) + " " + std::to_string(max);
    const std::int64_t* value = of(host).configured<std::int64_t>(key);
    *out = value != nullptr && *value >= min && *value <= max ? *value : fallback;
    if (value != nullptr && *out != *value) of(host).note(key, "out of range");
    return ATLAS_OK;
  };
  table.millis = [](const atlas_host* host, const char* key, uint64_t fallback, uint64_t min, uint64_t max, const char*,
                    uint64_t* out) -> atlas_status {
    FakeHost& self = of(host);
    self.asked[key] = "millis " + std::to_string(fallback) + " " + std::to_string(min) + " " + std::to_string(max);
    *out = fallback;
    const auto found = self.config.find(key);
    if (found == self.config.end()) return ATLAS_OK;
    const auto value = millis_of(found->second);
    if (!value || *value < min || *value > max) {
      self.note(key, "no duration in range");
    } else {
      *out = *value;
    }
    return ATLAS_OK;
  };
  table.text = [](const atlas_host* host, const char* key, atlas_text fallback, const char*,
                  atlas_text* out) -> atlas_status {
    of(host).asked[key] = "text " + text_of(fallback);
    const std::string* value = of(host).configured<std::string>(key);
    *out = value != nullptr ? text_to(*value) : fallback;
    return ATLAS_OK;
  };
  table.texts = [](const atlas_host* host, const char* key, const char*, void* arg,
                   void (*each)(void*, atlas_text)) -> atlas_status {
    of(host).asked[key] = "texts";
    const auto* values = of(host).configured<std::vector<std::string>>(key);
    if (values != nullptr) {
      for (const std::string& value : *values) each(arg, text_to(value));
    }
    return ATLAS_OK;
  };
  table.reject = [](const atlas_host* host, const char* key, atlas_text why) { of(host).note(key, text_of(why)); };
  table.node_key = [](const atlas_host* host, const char* key, void* arg,
                      void (*each)(void*, atlas_text)) -> atlas_status {
    const auto found = of(host).node_keys.find(key);
    if (found == of(host).node_keys.end()) return ATLAS_E_GONE;
    for (const std::string& value : found->second) each(arg, text_to(value));
    return ATLAS_OK;
  };
}

inline void FakeHost::fill_store() {
  atlas_ext_store& table = tables.store;
  table.struct_size = sizeof table;
  table.get = [](const atlas_host* host, atlas_bytes key, const atlas_sink* sink) -> atlas_status {
    const auto found = of(host).rows.find(bytes_of(key));
    return found == of(host).rows.end() ? ATLAS_E_GONE : sink->put(sink->ctx, bytes_to(found->second));
  };
  table.put = [](const atlas_host* host, atlas_bytes key, atlas_bytes value, atlas_durable_fn durable,
                 void* arg) -> atlas_status {
    FakeHost& self = of(host);
    if (self.store_status < 0) return self.store_status;
    if (key.size == 0 || key.size > 512) return ATLAS_E_ARG;
    if (self.commit_status >= 0) self.rows[bytes_of(key)] = bytes_of(value);
    if (durable != nullptr) self.strand_.push_back([&self, durable, arg] { durable(arg, self.commit_status); });
    return ATLAS_OK;
  };
  table.remove = [](const atlas_host* host, atlas_bytes key, atlas_durable_fn durable, void* arg) -> atlas_status {
    FakeHost& self = of(host);
    if (self.store_status < 0) return self.store_status;
    self.rows.erase(bytes_of(key));
    if (durable != nullptr) self.strand_.push_back([&self, durable, arg] { durable(arg, self.commit_status); });
    return ATLAS_OK;
  };
  table.scan = [](const atlas_host* host, atlas_bytes prefix, atlas_bytes after, void* arg,
                  atlas_status (*row)(void*, atlas_bytes, atlas_bytes)) -> atlas_status {
    const Bytes first = bytes_of(prefix), past = bytes_of(after);
    const std::map<Bytes, Bytes> snapshot = of(host).rows;
    for (const auto& [key, value] : snapshot) {
      if (!past.empty() && key <= past) continue;
      if (key.size() < first.size() || !std::equal(first.begin(), first.end(), key.begin())) continue;
      if (row(arg, bytes_to(key), bytes_to(value)) < 0) break;
    }
    return ATLAS_OK;
  };
}

inline void FakeHost::fill_cli() {
  atlas_ext_cli& table = tables.cli;
  table.struct_size = sizeof table;
  table.command = [](const atlas_host* host, const atlas_cli_command* command,
                     atlas_status (*run)(void*, const atlas_cli_run*),
                     void (*cancelled)(void*, atlas_call)) -> atlas_status {
    FakeHost& self = of(host);
    if (self.commands.contains(command->path)) return self.fail(ATLAS_E_CONFLICT, "this command exists");
    FakeCommand& it = self.commands[command->path];
    it.where = command->where;
    it.summary = command->summary;
    it.display = command->display != nullptr ? command->display : "";
    for (size_t i = 0; i < command->arg_count; ++i) it.args.emplace_back(command->args[i].name);
    it.run = run;
    it.cancelled = cancelled;
    return ATLAS_OK;
  };
  table.emit = [](const atlas_host* host, atlas_call call, uint32_t kind, atlas_text value) -> atlas_status {
    const auto found = of(host).calls.find(call);
    if (found == of(host).calls.end() || found->second.finished) return ATLAS_E_GONE;
    if (kind == ATLAS_EMIT_ROW) found->second.rows.push_back(text_of(value));
    if (kind == ATLAS_EMIT_PROGRESS) found->second.progress.push_back(text_of(value));
    if (kind == ATLAS_EMIT_RESULT) {
      if (found->second.result) return ATLAS_E_STATE;
      found->second.result = text_of(value);
    }
    return ATLAS_OK;
  };
  table.finish = [](const atlas_host* host, atlas_call call, atlas_status status, atlas_text error) -> atlas_status {
    const auto found = of(host).calls.find(call);
    if (found == of(host).calls.end() || found->second.finished) return ATLAS_E_GONE;
    found->second.finished = true;
    found->second.status = status;
    found->second.error = text_of(error);
    return ATLAS_OK;
  };
}

}  // namespace atlas::kit
