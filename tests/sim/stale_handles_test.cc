// Whatever a handle stands for ends between any two calls that use it: the later ones say GONE, and nothing else
// happens.
#include <atomic>
#include <thread>

#include "atlas/ext/bus.h"
#include "atlas/ext/identity.h"
#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

constexpr std::uint8_t kType = 0x90, kStreamType = 0x98;
const std::string kNode = "atlas_" + std::string(64, 'a');

class StaleHandles : public HostTest {
 public:
  using Handle = std::uint64_t;
  struct Call {
    const char* name;
    std::function<atlas_status(Handle)> run;
  };
  // Something that a handle stands for: how one comes to be, what may be done with it, and the ways in which it ends.
  struct Kind {
    const char* name;
    std::function<Handle()> make;
    std::vector<Call> calls;
    std::vector<std::function<void(Handle)>> ends;
    bool answered_once = false;  // every call is an answer, and behind one the handle says STATE
  };

 protected:
  StaleHandles() {
    network.add_peer(7, "atlas_" + std::string(64, '7'));
    script.init = [this] { return claim_everything(); };
    script.start = [this] {
      const atlas_bytes chain = bytes_of("certificate");
      return script.protocols().credentials(script.host, text_of("test/1"), &chain, 1, bytes_of("key"));
    };
    script.handler = [this](const atlas_message& message) {
      held = message.reply_to;
      return ATLAS_OK;
    };
    script.command = [this](const atlas_cli_run& run) {
      held = run.call;
      return ATLAS_OK;
    };
    script.cancelled = [](atlas_call) {};
    script.path_wanted = [this](const atlas_path_request& request) { held = request.reach; };
    script.stream_opened = [this](const atlas_stream_opened& opened) {
      held = opened.stream;
      return ATLAS_OK;
    };
    script.stream_event = [](const atlas_stream_event&) {};
    script.verify = [](const atlas_presented&, atlas_verdict&) { return ATLAS_OK; };
    script.connection_event = [this](const atlas_connection_event& event) { held = event.connection; };
    scripts[1].init = [] { return ATLAS_OK; };
  }
  void TearDown() override { host.reset(); }

  atlas_status claim_everything() {
    atlas_cli_command command{};
    command.struct_size = sizeof command;
    command.path = "hold";
    command.where = ATLAS_CLI_DAEMON;
    atlas_protocol protocol{};
    protocol.struct_size = sizeof protocol;
    protocol.flags = ATLAS_PROTOCOL_ACCEPTS;
    protocol.alpn = text_of("test/1");
    protocol.verify = verify;
    protocol.event = connection_event;
    protocol.stream = stream_event;
    for (const atlas_status status :
         {script.messages().handle(script.host, kType, ATLAS_HANDLE_ANSWERS, handle_message),
          script.streams().accept(script.host, kStreamType, stream_opened, stream_event),
          script.protocols().claim(script.host, &protocol), script.routes().provide(script.host, path_wanted),
          script.cli().command(script.host, &command, run_command, command_cancelled),
          bus(script).offer(script.host, text_of("plugin0/ask"),
                            [](void*self, const atlas_bus_request*request) -> atlas_status {
                              static_cast<Script*>(self)->calls.push_back(std::to_string(request->call));
                              return ATLAS_OK;
                            })}) {
      if (status < 0) return status;
    }
    return ATLAS_OK;
  }
  static const atlas_ext_bus& bus(const Script& of) { return *of.table<atlas_ext_bus>(ATLAS_EXT_BUS); }

  atlas_path path(atlas_peer via = 7) {
    atlas_path out{};
    out.struct_size = sizeof out;
    out.via = via;
    out.route[0] = out.peer_route[7] = 1;
    out.node_id = text_of(kNode);
    return out;
  }
  atlas_status route(atlas_peer a, atlas_peer b, atlas_route* out) {
    atlas_route_options options{};
    options.struct_size = sizeof options;
    options.idle_ms = 1000;
    atlas_route_prefixes prefixes;
    return script.routes().add(
        script.host, a, b, &options, [](void*, atlas_route, std::uint32_t, const atlas_route_counters*) {}, nullptr,
        out, &prefixes);
  }
  atlas_status open_stream(atlas_peer to, atlas_stream* out) {
    static constexpr std::uint8_t kEmptyMap[] = {0x80};
    return script.streams().open(script.host, to, kStreamType, {kEmptyMap, 1}, stream_event, nullptr, out);
  }
  // The handle that a callback was given during `begin`.
  Handle given(const std::function<void()>& begin) {
    held = 0;
    begin();
    settle();
    return held;
  }

  Kind peers();
  Kind requests();
  Kind replies();
  Kind timers();
  Kind opened_streams();
  Kind arrived_streams();
  Kind connections();
  Kind routes();
  Kind reaches();
  Kind commands();
  Kind bus_calls();
  std::vector<Call> stream_calls();
  std::vector<Kind> kinds() {
    return {peers(),       requests(), replies(), timers(),   opened_streams(), arrived_streams(),
            connections(), routes(),   reaches(), commands(), bus_calls()};
  }
  // A thing of that kind, and what the calls say when it ends after the first `before` of them.
  void end_after(const Kind& kind, const std::vector<Call>& calls, std::size_t before,
                 const std::function<void(Handle)>& end) {
    const Handle handle = kind.make();
    ASSERT_NE(handle, 0u) << kind.name;
    for (std::size_t i = 0; i < before; ++i) {
      EXPECT_EQ(calls[i].run(handle), ATLAS_OK) << kind.name << ": " << calls[i].name << ": " << script.last_error();
    }
    end(handle);
    for (std::size_t i = before; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i].run(handle), ATLAS_E_GONE)
          << kind.name << ": " << calls[i].name << ": " << script.last_error();
    }
  }

  Handle held = 0;
  std::uint64_t next = 1'000;
  std::vector<std::shared_ptr<StreamPipe>> arrived;
};

StaleHandles::Kind StaleHandles::peers() {
  const auto ignore_info = [](void*, const atlas_peer_info*) {};
  return {"peer",
          [this] {
            ++next;
            network.add_peer(next, "atlas_" + std::string(58, '0') + std::to_string(100'000 + next));
            return next;
          },
          {{"send", [this](Handle peer) { return script.messages().send(script.host, peer, kType, {}); }},
           {"request",
            [this](Handle peer) {
              return script.messages().request(
                  script.host, peer, kType, {}, 1000, [](void*, const atlas_answer*) {}, nullptr, nullptr);
            }},
           {"info", [=, this](Handle peer) { return script.peers().info(script.host, peer, nullptr, ignore_info); }},
           {"open a stream",
            [this](Handle peer) {
              atlas_stream out = 0;
              return open_stream(peer, &out);
            }},
           {"add a route from",
            [this](Handle peer) {
              atlas_route out = 0;
              return route(peer, 7, &out);
            }},
           {"add a route to",
            [this](Handle peer) {
              atlas_route out = 0;
              return route(7, peer, &out);
            }},
           {"expect",
            [this](Handle peer) {
              const atlas_path at = path(peer);
              return script.routes().expect(script.host, &at);
            }},
           {"disconnect", [this](Handle peer) { return script.peers().disconnect(script.host, peer, 0, {}); }}},
          {[this](Handle peer) {
            network.live_peers.erase(peer);
            host->peer_event({ATLAS_PEER_DOWN, peer, "atlas_x", 0, false});
            settle();
          }}};
}

StaleHandles::Kind StaleHandles::requests() {
  return {"request",
          [this] {
            atlas_request out = 0;
            script.messages().request(
                script.host, 7, kType, {}, 1000, [](void*, const atlas_answer*) {}, nullptr, &out);
            return out;
          },
          {{"cancel", [this](Handle request) { return script.messages().cancel(script.host, request); }}},
          {[this](Handle) {
             network.answer_everything();
             settle();
           },
           [this](Handle request) { script.messages().cancel(script.host, request); }}};
}

StaleHandles::Kind StaleHandles::replies() {
  return {"request of a peer",
          [this] { return given([this] {
                     host->deliver({kType, 7, ++next, base::as_bytes("payload")});
                   }); },
          {{"reply", [this](Handle to) { return script.messages().reply(script.host, to, kType, {}); }},
           {"fail", [this](Handle to) { return script.messages().fail(script.host, to, 2003, text_of("no")); }}},
          {[this](Handle) {
            host->peer_event({ATLAS_PEER_DOWN, 7, "atlas_x", 0, false});
          }},
          true};
}

StaleHandles::Kind StaleHandles::timers() {
  return {
      "timer",
      [this] {
        atlas_timer out = 0;
        script.timers().start(
            script.host, 1000, 0, [](void*) {}, nullptr, &out);
        return out;
      },
      {{"cancel", [this](Handle timer) { return script.timers().cancel(script.host, timer); }}},
      {[this](Handle) { pass(base::kSecond); }, [this](Handle timer) { script.timers().cancel(script.host, timer); }}};
}

std::vector<StaleHandles::Call> StaleHandles::stream_calls() {
  const auto& streams = script.streams();
  return {{"set_arg", [&, this](Handle stream) { return streams.set_arg(script.host, stream, this); }},
          {"credit", [&, this](Handle stream) { return streams.credit(script.host, stream, 1); }},
          {"write", [&, this](Handle stream) { return streams.write(script.host, stream, bytes_of("x")); }},
          {"finish", [&, this](Handle stream) { return streams.finish(script.host, stream); }},
          {"stop", [&, this](Handle stream) { return streams.stop(script.host, stream, 1); }},
          {"reset", [&, this](Handle stream) { return streams.reset(script.host, stream, 1); }}};
}

StaleHandles::Kind StaleHandles::opened_streams() {
  return {"stream",
          [this] {
            atlas_stream out = 0;
            open_stream(7, &out);
            network.streams.back().pipe->on_data(base::as_bytes("ten bytes."), false);
            settle();
            return out;
          },
          stream_calls(),
          {[this](Handle) {
             network.streams.back().pipe->on_closed(ATLAS_E_GONE, 0);
             settle();
           },
           [this](Handle) {
             network.streams.back().pipe->on_closed(ATLAS_OK, 0);
             settle();
           }}};
}

StaleHandles::Kind StaleHandles::arrived_streams() {
  return {"stream of a peer",
          [this] {
            return given([this] {
              arrived.push_back(host->deliver_stream(kStreamType, 7, {}));
              arrived.back()->on_data(base::as_bytes("ten bytes."), false);
            });
          },
          stream_calls(),
          {[this](Handle) {
            arrived.back()->on_closed(ATLAS_E_GONE, 0);
            settle();
          }}};
}

StaleHandles::Kind StaleHandles::connections() {
  return {"connection",
          [this] {
            atlas_connection out = 0;
            script.protocols().dial(script.host, text_of("test/1"), text_of("192.0.2.1:1"), {}, 5000, nullptr, &out);
            const auto& pipe = network.protocol_dials.back().pipe;
            pipe->on_presented({{1}});
            settle();
            pipe->on_streams_allowed(false, 9);
            pipe->on_up();
            settle();
            return out;
          },
          {{"open a stream",
            [this](Handle connection) {
              atlas_stream out = 0;
              const auto status = script.protocols().open(script.host, connection, 0, nullptr, &out);
              if (status == ATLAS_OK) network.connection_streams.back().pipe->on_closed(ATLAS_E_GONE, 0);
              settle();
              return status;
            }},
           {"close", [this](Handle connection) { return script.protocols().close(script.host, connection, 0, {}); }}},
          {[this](Handle) {
            network.protocol_dials.back().pipe->on_down(ATLAS_CLOSED_PEER, 0, "");
            settle();
          }}};
}

StaleHandles::Kind StaleHandles::routes() {
  return {"route",
          [this] {
            atlas_route out = 0;
            route(7, 8, &out);
            return out;
          },
          {{"counters",
            [this](Handle of) {
              atlas_route_counters counters{};
              counters.struct_size = sizeof counters;
              return script.routes().counters(script.host, of, &counters);
            }},
           {"remove", [this](Handle of) { return script.routes().remove(script.host, of); }}},
          {[this](Handle) {
             network.routes.back().ended(ATLAS_ROUTE_PEER_GONE);
             settle();
           },
           [this](Handle) { network.routes.back().ended(ATLAS_ROUTE_IDLE); }}};  // not told yet
}

StaleHandles::Kind StaleHandles::reaches() {
  return {"search for a path",
          [this] { return given([this] { host->want_path(++next, kNode, "203.0.113.9:4433"); }); },
          {{"found",
            [this](Handle reach) {
              const atlas_path at = path();
              return script.routes().found(script.host, reach, &at);
            }},
           {"not_found",
            [this](Handle reach) {
              return script.routes().not_found(script.host, reach, ATLAS_E_UNREACHABLE, text_of("none"));
            }}},
          {[this](Handle reach) { host->forget_path(reach); }, [this](Handle) { pass(6 * base::kSecond); }}};
}

StaleHandles::Kind StaleHandles::commands() {
  return {"command",
          [this] { return given([this] { host->run_command("hold", {}, std::make_shared<RecordedOutput>()); }); },
          {{"emit",
            [this](Handle call) { return script.cli().emit(script.host, call, ATLAS_EMIT_PROGRESS, text_of("…")); }},
           {"finish", [this](Handle call) { return script.cli().finish(script.host, call, ATLAS_OK, {}); }}},
          {[this](Handle call) {
            host->cancel_command(call);
            settle();
          }}};
}

StaleHandles::Kind StaleHandles::bus_calls() {
  return {
      "request of a plugin",
      [this] {
        bus(scripts[1])
            .request(
                scripts[1].host, text_of("plugin0/ask"), {}, 1000, [](void*, const atlas_bus_answer*) {}, nullptr);
        settle();
        return std::stoull(script.calls.back());
      },
      {{"answer", [this](Handle call) { return bus(script).answer(script.host, call, {}); }},
       {"fail", [this](Handle call) { return bus(script).fail(script.host, call, ATLAS_E_DENIED, text_of("no")); }}},
      {[this](Handle) { pass(base::kSecond); }}};
}

// In every order of two, with the end before the first, between them and, where the first is no end itself, behind.
TEST_F(StaleHandles, EndBetweenEveryPairOfCalls) {
  network.add_peer(8, "atlas_" + std::string(64, '8'));
  start(2);
  int histories = 0;
  for (const Kind& kind : kinds()) {
    for (const auto& end : kind.ends) {
      for (const Call& first : kind.calls) {
        for (const Call& second : kind.calls) {
          end_after(kind, {first, second}, 0, end);
          if (!kind.answered_once) end_after(kind, {first, second}, 1, end);
          histories += 2;
        }
      }
    }
  }
  EXPECT_GT(histories, 250);
  EXPECT_EQ(row().state, "running");
}

// The one thing that is not GONE: by contract a request that was answered, by the plugin or for it, says so.
TEST_F(StaleHandles, AnsweredRequestSaysSo) {
  start(2);
  const Kind kind = replies();
  for (const Call& first : kind.calls) {
    for (const Call& second : kind.calls) {
      const Handle handle = kind.make();
      EXPECT_EQ(first.run(handle), ATLAS_OK);
      EXPECT_EQ(second.run(handle), ATLAS_E_STATE);
      const Handle late = kind.make();
      pass(10 * base::kSecond);
      EXPECT_EQ(second.run(late), ATLAS_E_STATE);
    }
  }
}

TEST_F(StaleHandles, EndAtEveryPlaceInAWholeSequence) {
  network.add_peer(8, "atlas_" + std::string(64, '8'));
  start(2);
  for (const Kind& kind : kinds()) {
    if (kind.answered_once) continue;
    for (const auto& end : kind.ends) {
      // The last call may end it; those before do not.
      for (std::size_t before = 0; before < kind.calls.size(); ++before) end_after(kind, kind.calls, before, end);
    }
  }
}

TEST_F(StaleHandles, MadeUpOnesAreGone) {
  network.add_peer(8, "atlas_" + std::string(64, '8'));
  start(2);
  for (const Kind& kind : kinds()) {
    const Handle real = kind.make();
    for (const Handle made_up :
         {real ^ (Handle{1} << 32), real ^ (Handle{1} << 63), real + 77, UINT64_MAX, Handle{0}}) {
      for (const Call& call : kind.calls) {
        EXPECT_EQ(call.run(made_up), ATLAS_E_GONE) << kind.name << ": " << call.name << " of " << made_up;
      }
    }
  }
}

// When the plugin itself has ended, nothing is begun with what is left in its hands.
TEST_F(StaleHandles, NothingWorksAfterTheEndOfThePlugin) {
  network.add_peer(8, "atlas_" + std::string(64, '8'));
  start(2);
  std::vector<std::pair<Kind, Handle>> left;
  for (Kind& kind : kinds()) {
    const Handle handle = kind.make();
    left.emplace_back(std::move(kind), handle);
  }
  const std::size_t asked = network.sent.size() + network.streams.size() + network.routes.size();
  stop();
  for (const auto& [kind, handle] : left) {
    for (const Call& call : kind.calls) {
      const atlas_status status = call.run(handle);
      // STATE: the host answered for it.
      EXPECT_TRUE(status == ATLAS_E_GONE || status == ATLAS_E_STOPPING || status == ATLAS_E_STATE)
          << kind.name << ": " << call.name << ": " << status;
    }
  }
  EXPECT_EQ(network.sent.size() + network.streams.size() + network.routes.size(), asked);
}

// The same without an order: one thread ends things while others use them. What a call says is OK or GONE; under a
// sanitizer that is all there is to see.
class StaleHandlesOnThreads : public StaleHandles {
 protected:
  void TearDown() override {
    host.reset();
    pool.reset();
  }
  void start_on_threads() {
    HostSetup with = setup();
    with.executor = pool.get();
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(scripts[0]);
    descriptors[1] = Scripted<1>::descriptor(scripts[1]);
    for (int i = 0; i < 2; ++i) host->add_linked(&descriptors[i]);
    ASSERT_TRUE(host->load({}).empty());
    host->start();
  }

  std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>(2);
};

TEST_F(StaleHandlesOnThreads, EndWhileTheyAreUsed) {
  network.add_peer(8, "atlas_" + std::string(64, '8'));
  start_on_threads();
  constexpr int kRounds = 300;
  std::atomic<Handle> stream{0}, timer{0}, routed{0}, peer{0};
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0}, used{0};
  const auto allowed = [&](atlas_status status) {
    ++used;
    // FULL: the send buffer. STATE: another thread had finished the stream.
    if (status != ATLAS_OK && status != ATLAS_E_GONE && status != ATLAS_E_FULL && status != ATLAS_E_STATE) ++wrong;
  };
  const auto use = [&] {
    const auto calls = stream_calls();
    while (!over) {
      for (const Call& call : calls) {
        if (std::string_view(call.name) != "credit") allowed(call.run(stream));
      }
      allowed(script.timers().cancel(script.host, timer));
      allowed(script.messages().send(script.host, peer, kType, {}));
      atlas_route_counters counters{};
      counters.struct_size = sizeof counters;
      allowed(script.routes().counters(script.host, routed, &counters));
      allowed(script.routes().remove(script.host, routed));
    }
  };
  std::thread users[] = {std::thread(use), std::thread(use)};
  for (int round = 0; round < kRounds; ++round) {
    network.add_peer(9, "atlas_" + std::string(64, '9'));
    peer = 9;
    atlas_stream opened = 0;
    ASSERT_EQ(open_stream(9, &opened), ATLAS_OK);
    stream = opened;
    atlas_timer begun = 0;
    ASSERT_EQ(script.timers().start(
                  script.host, 0, 0, [](void*) {}, nullptr, &begun),
              ATLAS_OK);
    timer = begun;
    atlas_route added = 0;
    ASSERT_EQ(route(7, 8, &added), ATLAS_OK);
    routed = added;
    // They use these now, and what of them ends below.
    for (const int before = used; used < before + 20;) std::this_thread::yield();
    loop.run_once();
    const auto pipe = network.streams.back().pipe;
    pipe->on_data(base::as_bytes("some"), false);
    pipe->take_orders();
    pipe->on_closed(ATLAS_E_GONE, 0);
    network.answer_everything();
    host->peer_event({ATLAS_PEER_DOWN, 9, "atlas_x", 0, false});
    clock.advance(base::kMillisecond);
    loop.run_once();
  }
  over = true;
  for (std::thread& user : users) user.join();
  while (!pool->idle()) std::this_thread::yield();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(used, kRounds);
  EXPECT_EQ(row().state, "running");
}

}  // namespace
}  // namespace atlas::host::test
