// A role that does what no role should, where its configuration or a command says so. On the bare ABI: nothing of it
// catches an exception.
#include <atlas/ext/bus.h>
#include <atlas/ext/cli.h>
#include <atlas/ext/config.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/peers.h>
#include <atlas/ext/store.h>
#include <atlas/ext/timers.h>
#include <poll.h>
#include <stdio.h>

#include <stdexcept>
#include <string>

namespace {

constexpr uint8_t kAsk = 0x90, kAnswer = 0x91;
constexpr uint8_t kEmptyMap[] = {0x80};

struct Ill {
  const atlas_host* host = nullptr;
  std::string where, what;  // the entry that does it, and what it does
  int block_ms = 0;
  atlas_call asked = 0;  // the command "ill ask" that waits

  template <class Table>
  const Table& table(const char* id) const {
    return *static_cast<const Table*>(host->extension(host, id));
  }
  const atlas_ext_messages& messages() const { return table<atlas_ext_messages>(ATLAS_EXT_MESSAGES); }
  const atlas_ext_cli& cli() const { return table<atlas_ext_cli>(ATLAS_EXT_CLI); }
  const atlas_ext_bus& bus() const { return table<atlas_ext_bus>(ATLAS_EXT_BUS); }
} g_ill;

atlas_text text(const std::string& from) {
  return {from.data(), from.size()};
}
atlas_bytes body() {
  return {kEmptyMap, sizeof kEmptyMap};
}

// What an entry begins with.
void act(const char* where) {
  if (g_ill.where != where) return;
  if (g_ill.what == "throw") throw std::runtime_error(std::string("ill in ") + where);
  if (g_ill.what == "null") {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
  // Interrupted waits begin anew, so that no signal ends them early.
  while (g_ill.what == "block" && poll(nullptr, 0, g_ill.block_ms) < 0) {
  }
  while (g_ill.what == "hang") poll(nullptr, 0, -1);
}

atlas_status on_message(void*, const atlas_message* message) {
  act("message");
  return g_ill.messages().reply(g_ill.host, message->reply_to, kAnswer, body());
}

// --- `atlas net ill ask TARGET`: a request to the same role of another node ---

void finish_ask(atlas_status status, uint32_t code, atlas_text error) {
  char json[512];
  snprintf(json, sizeof json, R"({"status":%d,"error_code":%u,"error":"%.*s"})", status, code,
           static_cast<int>(error.size), error.data == nullptr ? "" : error.data);
  g_ill.cli().emit(g_ill.host, g_ill.asked, ATLAS_EMIT_RESULT, text(json));
  g_ill.cli().finish(g_ill.host, g_ill.asked, ATLAS_OK, {});
}

void on_answer(void*, const atlas_answer* answer) {
  act("answer");
  finish_ask(answer->status, answer->error_code, answer->error_text);
}

void on_connected(void*, const atlas_connected* result) {
  atlas_status status = result->status;
  if (status >= 0) {
    status = g_ill.messages().request(g_ill.host, result->peer, kAsk, body(), 30'000, on_answer, nullptr, nullptr);
  }
  if (status < 0) finish_ask(status, 0, result->error);
}

atlas_status run_ask(void*, const atlas_cli_run* run) {
  act("command");
  g_ill.asked = run->call;
  return g_ill.table<atlas_ext_peers>(ATLAS_EXT_PEERS)
      .connect(g_ill.host, run->values[0], 10'000, on_connected, nullptr);
}

// --- `atlas net ill go`: every callback that needs nobody else ---

void on_timer(void*) {
  act("timer");
}
void on_post(void*) {
  act("post");
}
void on_durable(void*, atlas_status) {
  act("store");
}
void on_event(void*, const atlas_bus_event*) {
  act("bus event");
}
atlas_status on_service(void*, const atlas_bus_request* request) {
  act("bus request");
  return g_ill.bus().answer(g_ill.host, request->call, body());
}
void on_bus_answer(void*, const atlas_bus_answer*) {
  act("bus answer");
}

atlas_status run_go(void*, const atlas_cli_run* run) {
  act("command");
  const atlas_host* host = g_ill.host;
  g_ill.table<atlas_ext_timers>(ATLAS_EXT_TIMERS).start(host, 1, 0, on_timer, nullptr, nullptr);
  g_ill.table<atlas_ext_store>(ATLAS_EXT_STORE).put(host, body(), body(), on_durable, nullptr);
  host->post(host, on_post, nullptr);
  g_ill.bus().publish(host, text("ill/topic"), body(), nullptr);
  g_ill.bus().request(host, text("ill/service"), body(), 1000, on_bus_answer, nullptr);
  g_ill.cli().emit(host, run->call, ATLAS_EMIT_RESULT, text("{}"));
  return g_ill.cli().finish(host, run->call, ATLAS_OK, {});
}

// --- `atlas net ill flood KIND [PEER]`: more and more of something, until the host has had enough ---

atlas_status one_more(const std::string& kind, atlas_peer peer, int number) {
  const atlas_host* host = g_ill.host;
  if (kind == "timers") {
    return g_ill.table<atlas_ext_timers>(ATLAS_EXT_TIMERS).start(host, 3'600'000, 0, on_timer, nullptr, nullptr);
  }
  if (kind == "posts") return host->post(host, on_post, nullptr);
  if (kind == "rows") {
    static const std::string value(1 << 20, 'x');
    const std::string key = std::to_string(number);
    const auto bytes = [](const std::string& of) {
      return atlas_bytes{reinterpret_cast<const uint8_t*>(of.data()), of.size()};
    };
    return g_ill.table<atlas_ext_store>(ATLAS_EXT_STORE).put(host, bytes(key), bytes(value), nullptr, nullptr);
  }
  if (kind == "sends") return g_ill.messages().send(host, peer, kAsk, body());
  return g_ill.messages().request(
      host, peer, kAsk, body(), 600'000, [](void*, const atlas_answer*) {}, nullptr, nullptr);
}

atlas_status run_flood(void*, const atlas_cli_run* run) {
  const std::string kind(run->values[0].data, run->values[0].size);
  atlas_peer peer = 0;
  if (run->count > 1) g_ill.table<atlas_ext_peers>(ATLAS_EXT_PEERS).find(g_ill.host, run->values[1], &peer);
  int number = 0;
  atlas_status status = ATLAS_OK;
  while (status == ATLAS_OK && number < 1'000'000) {
    status = one_more(kind, peer, number);
    if (status == ATLAS_OK) ++number;
  }
  char json[64];
  snprintf(json, sizeof json, R"({"accepted":%d,"status":%d})", number, status);
  g_ill.cli().emit(g_ill.host, run->call, ATLAS_EMIT_RESULT, text(json));
  return g_ill.cli().finish(g_ill.host, run->call, ATLAS_OK, {});
}

// --- life cycle ---

atlas_status init(const atlas_host* host, void** self) {
  g_ill.host = host;
  *self = &g_ill;
  const auto& config = g_ill.table<atlas_ext_config>(ATLAS_EXT_CONFIG);
  atlas_text where{}, what{};
  int64_t block_ms = 0;
  config.text(host, "where", {}, "The entry that does it.", &where);
  const std::string usual = "throw";  // out may be a view of it
  config.text(host, "what", text(usual), "throw, block, hang or null.", &what);
  config.integer(host, "block_ms", 10'000, 1, 60'000, "How long it blocks.", &block_ms);
  g_ill.where.assign(where.data, where.size);
  g_ill.what.assign(what.data, what.size);
  g_ill.block_ms = static_cast<int>(block_ms);
  act("init");
  const atlas_cli_arg target = {sizeof(atlas_cli_arg), "target", ATLAS_ARG_TEXT, 1, "another node"};
  const atlas_cli_arg what_of_it[] = {
      {sizeof(atlas_cli_arg), "kind", ATLAS_ARG_TEXT, 1, "sends, requests, timers, posts, rows"},
      {sizeof(atlas_cli_arg), "peer", ATLAS_ARG_TEXT, 0, "node id of whom it is sent to"}};
  const atlas_cli_command ask = {
      sizeof ask, "ill ask", ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT, "Asks the same role of another node.", &target,
      1,          nullptr};
  const atlas_cli_command go = {sizeof go, "ill go", ATLAS_CLI_DAEMON, "Begins what calls back.", nullptr, 0, nullptr};
  const atlas_cli_command flood = {sizeof flood, "ill flood", ATLAS_CLI_DAEMON, "Goes on until it is refused.",
                                   what_of_it,   2,           nullptr};
  atlas_status status = g_ill.messages().handle(host, kAsk, ATLAS_HANDLE_ANSWERS, on_message);
  if (status >= 0) status = g_ill.bus().subscribe(host, text("ill/topic"), on_event);
  if (status >= 0) status = g_ill.bus().offer(host, text("ill/service"), on_service);
  if (status >= 0) status = g_ill.cli().command(host, &ask, run_ask, nullptr);
  if (status >= 0) status = g_ill.cli().command(host, &go, run_go, nullptr);
  if (status >= 0) status = g_ill.cli().command(host, &flood, run_flood, nullptr);
  return status;
}

atlas_status start(void*) {
  act("start");
  return ATLAS_OK;
}
void drain(void*, uint32_t) {
  act("drain");
}
void stop(void*) {
  act("stop");
}
void peer_event(void*, const atlas_peer_event*) {
  act("peer event");
}

}  // namespace

extern "C" const atlas_plugin atlas_plugin_v1 = {sizeof(atlas_plugin),
                                                 ATLAS_ABI_MAJOR,
                                                 0,
                                                 "ill",
                                                 "1.0",
                                                 "Does what no role should.",
                                                 nullptr,
                                                 init,
                                                 start,
                                                 drain,
                                                 stop,
                                                 peer_event};
