// Threads of a plugin's own call every function that is open to any thread, of every table, as fast as they can, while
// hosts start, drain and stop: what is begun ends exactly once, and a sanitizer has nothing to say.
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "atlas/ext/bus.h"
#include "atlas/ext/identity.h"
#include "atlas/ext/listener.h"
#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

constexpr int kThreads = 3;
const std::string kNode = "atlas_" + std::string(64, 'a');

// Takes lines of any thread.
class CountedOutput final : public CommandOutput {
 public:
  void row(std::string_view) override { ++lines_; }
  void progress(std::string_view) override { ++lines_; }
  void result(std::string_view) override { ++lines_; }
  void finish(std::int32_t, std::string_view) override { EXPECT_EQ(++ends_, 1); }

 private:
  std::atomic<int> lines_{0}, ends_{0};
};

class ForeignThreads : public HostTest {
 protected:
  ForeignThreads() {
    network.add_peer(7, "atlas_" + std::string(64, '7'));
    network.add_peer(8, "atlas_" + std::string(64, '8'));
    script.init = [this] { return claim(); };
    script.start = [this] {
      const atlas_bytes chain = bytes_of("certificate");
      const auto status = script.protocols().credentials(script.host, text_of("t/1"), &chain, 1, bytes_of("key"));
      leaving = false;
      for (std::thread& thread : own) thread = std::thread([this] { hammer(); });
      return status;
    };
    script.stop = [this] {
      leaving = true;
      for (std::thread& thread : own) thread.join();
    };
    script.handler = [this](const atlas_message& message) {
      last_reply = message.reply_to;
      return ATLAS_OK;
    };
    script.command = [this](const atlas_cli_run& run) {
      last_command = run.call;
      return ATLAS_OK;
    };
    script.cancelled = [](atlas_call) {};
    script.path_wanted = [this](const atlas_path_request& request) { last_reach = request.reach; };
    script.stream_opened = [this](const atlas_stream_opened& opened) {
      last_stream = opened.stream;
      return ATLAS_OK;
    };
    script.stream_event = [](const atlas_stream_event&) {};
    script.verify = [](const atlas_presented&, atlas_verdict&) { return ATLAS_OK; };
    script.connection_event = [this](const atlas_connection_event& event) {
      if (event.what == ATLAS_CONNECTION_DOWN && event.dialled != 0) ++ended;
    };
  }

  template <class Table>
  const Table& table(const char* id) const {
    return *script.table<Table>(id);
  }
  const atlas_ext_bus& bus() const { return table<atlas_ext_bus>(ATLAS_EXT_BUS); }

  atlas_status claim() {
    atlas_cli_command command{};
    command.struct_size = sizeof command;
    command.path = "hold";
    command.where = ATLAS_CLI_DAEMON;
    atlas_protocol protocol{};
    protocol.struct_size = sizeof protocol;
    protocol.flags = ATLAS_PROTOCOL_ACCEPTS;
    protocol.alpn = text_of("t/1");
    protocol.verify = verify;
    protocol.event = connection_event;
    protocol.stream = stream_event;
    const auto serve = [](void* self, const atlas_bus_request* request) -> atlas_status {
      return of(self).bus().answer(of(self).script.host, request->call, {});
    };
    owner = this;
    for (const atlas_status status :
         {script.messages().handle(script.host, 0x90, ATLAS_HANDLE_ANSWERS, handle_message),
          script.streams().accept(script.host, 0x98, stream_opened, stream_event),
          script.protocols().claim(script.host, &protocol), script.routes().provide(script.host, path_wanted),
          script.cli().command(script.host, &command, run_command, command_cancelled),
          script.metrics().define(script.host, "rounds", ATLAS_METRIC_COUNTER, "Rounds.", &rounds),
          table<atlas_ext_listener>(ATLAS_EXT_LISTENER).watch(script.host, [](void*) {}),
          bus().subscribe(script.host, text_of("plugin0/news"), [](void*, const atlas_bus_event*) {}),
          bus().offer(script.host, text_of("plugin0/ask"), serve)}) {
      if (status < 0) return status;
    }
    return ATLAS_OK;
  }
  static ForeignThreads& of(void*) { return *owner; }
  static inline ForeignThreads* owner = nullptr;

  // A call that was accepted owes one callback.
  void owe(atlas_status status) {
    if (status == ATLAS_OK) ++begun;
  }
  template <class Result>
  static void done(void* argument, Result) {
    ++*static_cast<std::atomic<int>*>(argument);
  }

  void hammer() {
    while (!leaving) {
      use_host();
      use_messages();
      use_the_rest();
      use_routes();
      use_streams();
      use_connections();
      script.metrics().add(script.host, rounds, 1);
      ++laps;
      // The queues are to be full at times, not all the time.
      std::this_thread::yield();
    }
  }
  void use_host() {
    std::uint8_t random[8];
    char error[32];
    script.host->now_ms(script.host);
    script.host->unix_ms(script.host);
    script.host->random(script.host, random, sizeof random);
    script.host->last_error(script.host, error, sizeof error);
    script.host->extension(script.host, ATLAS_EXT_BUS);
    script.host->post(
        script.host, [](void*) {}, nullptr);
    script.log().write(script.host, ATLAS_LOG_DEBUG, text_of("a line"));
  }
  void use_messages() {
    const atlas_host* host_of = script.host;
    const auto& messages = script.messages();
    messages.send(host_of, 7, 0x90, bytes_of("body"));
    owe(messages.request(host_of, 7, 0x90, bytes_of("body"), 1000, done<const atlas_answer*>, &ended, nullptr));
    atlas_request request = 0;
    if (messages.request(host_of, 7, 0x90, {}, 1000, done<const atlas_answer*>, &ended, &request) == ATLAS_OK) {
      if (messages.cancel(host_of, request) != ATLAS_OK) ++begun;  // its answer was faster
    }
    messages.reply(host_of, last_reply, 0x91, {});
    messages.fail(host_of, last_reply, ATLAS_ERROR_REJECTED, text_of("no"));
  }
  void use_the_rest() {
    const atlas_host* host_of = script.host;
    atlas_timer timer = 0;
    script.timers().start(
        host_of, 0, 5, [](void*) {}, nullptr, &timer);
    script.timers().cancel(host_of, timer);
    owe(script.store().put(host_of, bytes_of("key"), bytes_of("value"), done<atlas_status>, &ended));
    owe(script.store().remove(host_of, bytes_of("key"), done<atlas_status>, &ended));
    owe(script.peers().connect(host_of, text_of("192.0.2.1:1"), 1000, done<const atlas_connected*>, &ended));
    const auto ignore = [](void*, const atlas_peer_info*) {};
    atlas_peer found = 0;
    script.peers().self(host_of, nullptr, ignore);
    script.peers().info(host_of, 7, nullptr, ignore);
    script.peers().find(host_of, text_of(kNode), &found);
    script.peers().list(host_of, ATLAS_PEERS_LIVE, nullptr,
                        [](void*, const atlas_peer_info*) -> atlas_status { return ATLAS_OK; });
    script.cli().emit(host_of, last_command, ATLAS_EMIT_PROGRESS, text_of("…"));
    script.cli().finish(host_of, last_command, ATLAS_OK, {});
    bus().publish(host_of, text_of("plugin0/news"), bytes_of("n"), nullptr);
    owe(bus().request(host_of, text_of("plugin0/ask"), {}, 1000, done<const atlas_bus_answer*>, &ended));
    bus().fail(host_of, 77, ATLAS_E_DENIED, {});
    table<atlas_ext_listener>(ATLAS_EXT_LISTENER).info(host_of, nullptr, [](void*, const atlas_listener_info*) {});
    atlas_public_key key{};
    table<atlas_ext_identity>(ATLAS_EXT_IDENTITY).peer(host_of, 7, &key);
  }
  void use_routes() {
    const atlas_host* host_of = script.host;
    atlas_route_options options{};
    options.struct_size = sizeof options;
    options.idle_ms = 1000;
    atlas_route route = 0;
    atlas_route_prefixes prefixes;
    const auto over = [](void* argument, atlas_route, std::uint32_t, const atlas_route_counters*) {
      ++*static_cast<std::atomic<int>*>(argument);
    };
    owe(script.routes().add(host_of, 7, 8, &options, over, &ended, &route, &prefixes));
    atlas_route_counters counters{};
    counters.struct_size = sizeof counters;
    script.routes().counters(host_of, route, &counters);
    script.routes().remove(host_of, route);
    atlas_path path{};
    path.struct_size = sizeof path;
    path.via = 7;
    path.route[0] = path.peer_route[1] = 1;
    path.node_id = text_of(kNode);
    script.routes().found(host_of, last_reach, &path);
    script.routes().not_found(host_of, last_reach, ATLAS_E_DENIED, text_of("none"));
    script.routes().expect(host_of, &path);
  }
  void use_streams() {
    const atlas_host* host_of = script.host;
    const auto& streams = script.streams();
    static constexpr std::uint8_t kEmptyMap[] = {0x80};
    const auto closed = [](void*, const atlas_stream_event* event) {
      if (event->what == ATLAS_STREAM_CLOSED) ++*static_cast<std::atomic<int>*>(event->arg);
    };
    atlas_stream stream = 0;
    owe(streams.open(host_of, 7, 0x98, {kEmptyMap, 1}, closed, &ended, &stream));
    for (const atlas_stream one : {stream, last_stream.load()}) {
      if (one == stream) streams.set_arg(host_of, one, &ended);
      streams.write(host_of, one, bytes_of("some bytes"));
      streams.credit(host_of, one, 0);
      streams.finish(host_of, one);
      streams.stop(host_of, one, 1);
      streams.reset(host_of, one, 1);
    }
  }
  void use_connections() {
    const atlas_host* host_of = script.host;
    const auto& protocols = script.protocols();
    const atlas_bytes chain = bytes_of("certificate");
    protocols.credentials(host_of, text_of("t/1"), &chain, 1, bytes_of("key"));
    atlas_connection connection = 0;
    atlas_stream stream = 0;
    owe(protocols.dial(host_of, text_of("t/1"), text_of("192.0.2.9:1"), {}, 1000, nullptr, &connection));
    protocols.open(host_of, connection, 0, nullptr, &stream);
    protocols.close(host_of, connection, 0, {});
  }

  // What the network, the disk and people do meanwhile.
  void one_turn_of_the_node(int turn) {
    for (const int before = laps; laps == before;) std::this_thread::yield();
    clock.advance(base::kMillisecond);
    loop.run_once();
    network.answer_everything();
    network.end_everything();
    store.commit();
    host->deliver({0x90, 7, static_cast<ReplyHandle>(turn + 1), base::as_bytes("payload")});
    host->want_path(static_cast<std::uint64_t>(turn + 1), kNode, "203.0.113.9:1");
    host->listener_changed();
    host->peer_event(
        {turn % 2 == 0 ? std::uint32_t{ATLAS_PEER_UP} : std::uint32_t{ATLAS_PEER_DOWN}, 9, kNode, 0, false});
    if (const auto pipe = host->deliver_stream(0x98, 7, {})) {
      pipe->on_data(base::as_bytes("data"), true);
      pipe->on_closed(ATLAS_OK, 0);
    }
    const auto token = host->run_command("hold", {}, std::make_shared<CountedOutput>());
    if (turn % 3 == 0 && token != 0) host->cancel_command(token);
    host->plugins();
    host->metrics();
  }
  void one_life(ThreadPool& pool, int turns) {
    HostSetup with = setup();
    with.executor = &pool;
    with.random = &system_random;
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(script);
    host->add_linked(&descriptors[0]);
    ASSERT_TRUE(host->load({}).empty());
    host->start();
    for (int turn = 0; turn < turns; ++turn) one_turn_of_the_node(turn);
    host->drain(clock.mono_ns());
    host->stop();
    EXPECT_EQ(ended, begun);
    EXPECT_EQ(row().state, "stopped");
    EXPECT_GT(metric("atlas_plugin0_rounds"), 0);
    EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 0);
    // What comes too late finds nobody.
    network.answer_everything();
    network.end_everything();
    store.commit();
    loop.run_once();
    host.reset();
  }

  base::SystemRandom system_random;
  std::thread own[kThreads];
  std::atomic<bool> leaving{false};
  std::atomic<int> begun{0}, ended{0}, laps{0};
  std::atomic<std::uint64_t> last_reply{0}, last_command{0}, last_reach{0}, last_stream{0};
  atlas_metric rounds = 0;
};

TEST_F(ForeignThreads, EveryFunctionWhileHostsComeAndGo) {
  const char* given = std::getenv("ATLAS_THREAD_LIVES");
  int lives = 6;
  if (given != nullptr) std::from_chars(given, given + std::strlen(given), lives);
  ThreadPool pool(2);
  for (int life = 0; life < lives && !HasFailure(); ++life) one_life(pool, 40);
  EXPECT_GT(begun, 0);
}

}  // namespace
}  // namespace atlas::host::test
