// atlas.protocols/1 as a plugin sees it.
#include <gtest/gtest.h>

#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

class Protocols : public HostTest {
 protected:
  Protocols() {
    script.init = [this] { return claim("test/1"); };
    script.start = [this] { return credentials(); };
    script.verify = [this](const atlas_presented& presented, atlas_verdict& verdict) {
      chains.emplace_back();
      for (std::size_t i = 0; i < presented.chain_count; ++i) chains.back().push_back(string_of(presented.chain[i]));
      verdict.identity_size = identity_size;
      verdict.identity[0] = 'm';
      verdict.identity[1] = 'e';
      return verdict_status;
    };
    script.connection_event = [this](const atlas_connection_event& event) {
      events.push_back({event.what, event.connection, event.arg, string_of(event.identity), event.why, event.code,
                        event.stream, event.unidirectional != 0, event.dialled != 0, std::string(view(event.reason))});
    };
    script.stream_event = [this](const atlas_stream_event& event) { stream_events.push_back(event.what); };
  }
  void TearDown() override { host.reset(); }  // it tells of ends once more

  static atlas_text text(std::string_view words) { return {words.data(), words.size()}; }

  atlas_protocol protocol(std::string_view alpn) {
    atlas_protocol out{};
    out.struct_size = sizeof out;
    out.flags = ATLAS_PROTOCOL_ACCEPTS | ATLAS_PROTOCOL_CLIENT_CERT;
    out.alpn = text(alpn);
    out.verify = verify;
    out.event = connection_event;
    out.stream = stream_event;
    return out;
  }
  atlas_status claim(std::string_view alpn) {
    const atlas_protocol wanted = protocol(alpn);
    return script.protocols().claim(script.host, &wanted);
  }
  atlas_status credentials(std::string_view alpn = "test/1") {
    const atlas_bytes chain = bytes_of("certificate");
    return script.protocols().credentials(script.host, text(alpn), &chain, 1, bytes_of("key"));
  }
  atlas_status dial(atlas_connection* out, void* argument = nullptr) {
    return script.protocols().dial(script.host, text("test/1"), text("192.0.2.9:4433"), text("name"), 5000, argument,
                                   out);
  }
  // As if a peer had come that shows this.
  std::shared_ptr<ConnectionPipe> arrive(std::vector<base::Bytes> chain = {{'d', 'e', 'r'}}) {
    const auto pipe = host->deliver_connection(*host->protocols().at(0).first, "192.0.2.1:7");
    if (pipe) pipe->on_presented(std::move(chain));
    return pipe;
  }
  // One that is up; its events so far are forgotten.
  std::shared_ptr<ConnectionPipe> up() {
    const auto pipe = arrive();
    settle();
    pipe->on_streams_allowed(false, 2);
    pipe->on_streams_allowed(true, 1);
    pipe->on_up();
    settle();
    handle = events.back().connection;
    events.clear();
    return pipe;
  }

  struct Seen {
    std::uint32_t what;
    atlas_connection connection;
    void* argument;
    std::string identity;
    std::uint32_t why;
    std::uint64_t code;
    atlas_stream stream;
    bool unidirectional, dialled;
    std::string reason;
  };
  std::vector<std::vector<std::string>> chains;
  std::vector<Seen> events;
  std::vector<std::uint32_t> stream_events;
  atlas_status verdict_status = ATLAS_OK;
  std::uint32_t identity_size = 2;
  atlas_connection handle = 0;
};

TEST_F(Protocols, ClaimsAndTheirLimitsReachTheNetwork) {
  script.init = [this] {
    atlas_protocol_limits limits{};
    limits.struct_size = sizeof limits;
    limits.max_streams = 7;
    limits.idle_ms = 2000;
    limits.connection_window = 5000;
    atlas_protocol wanted = protocol("test/1");
    wanted.limits = &limits;
    wanted.flags = ATLAS_PROTOCOL_ACCEPTS;
    return script.protocols().claim(script.host, &wanted);
  };
  start();
  ASSERT_EQ(host->protocols().size(), 1u);
  const ProtocolClaim claim = host->protocols()[0].second;
  EXPECT_EQ(claim.alpn, "test/1");
  EXPECT_TRUE(claim.accepts);
  EXPECT_FALSE(claim.needs_client_certificate);
  EXPECT_EQ(claim.max_streams, 7u);
  EXPECT_EQ(claim.max_connections, 1024u);
  EXPECT_EQ(claim.max_unidirectional, 16u);
  EXPECT_EQ(claim.idle, 2 * base::kSecond);
  EXPECT_EQ(claim.handshake, 10 * base::kSecond);
  EXPECT_EQ(claim.stream_window, 64u << 10);
  EXPECT_EQ(claim.connection_window, 5000u);
  EXPECT_EQ(host->claims(), std::vector<std::string>{"protocol test/1: plugin0"});
  EXPECT_TRUE(network.credentials.contains("test/1"));
}

TEST_F(Protocols, WrongClaimsAreRefused) {
  script.init = [this] {
    EXPECT_EQ(script.protocols().claim(script.host, nullptr), ATLAS_E_ARG);
    EXPECT_EQ(claim(""), ATLAS_E_ARG);
    EXPECT_EQ(claim(std::string(32, 'x')), ATLAS_E_ARG);
    EXPECT_EQ(claim("atlas/2"), ATLAS_E_DENIED);
    atlas_protocol wanted = protocol("test/1");
    wanted.verify = nullptr;
    EXPECT_EQ(script.protocols().claim(script.host, &wanted), ATLAS_E_ARG);
    wanted = protocol("test/1");
    wanted.flags = 4;
    EXPECT_EQ(script.protocols().claim(script.host, &wanted), ATLAS_E_ARG);
    for (const std::size_t field :
         {offsetof(atlas_protocol_limits, max_connections), offsetof(atlas_protocol_limits, max_streams),
          offsetof(atlas_protocol_limits, max_unidirectional)}) {
      atlas_protocol_limits limits{};
      limits.struct_size = sizeof limits;
      const std::uint32_t much = 100'001;
      std::memcpy(reinterpret_cast<char*>(&limits) + field, &much, sizeof much);
      wanted = protocol("test/1");
      wanted.limits = &limits;
      EXPECT_EQ(script.protocols().claim(script.host, &wanted), ATLAS_E_ARG) << field;
    }
    EXPECT_EQ(claim("test/1"), ATLAS_OK);
    EXPECT_EQ(claim("test/1"), ATLAS_E_CONFLICT);
    return ATLAS_E_STATE;
  };
  EXPECT_FALSE(load().empty());
  EXPECT_TRUE(host->claims().empty());
  EXPECT_TRUE(host->protocols().empty());
}

TEST_F(Protocols, ANodeHasSevenBesideItsOwn) {
  script.init = [this] {
    for (int i = 0; i < 7; ++i) EXPECT_EQ(claim("test/" + std::to_string(i)), ATLAS_OK);
    EXPECT_EQ(claim("test/7"), ATLAS_E_FULL);
    EXPECT_EQ(claim("test/0"), ATLAS_E_CONFLICT);
    return ATLAS_OK;
  };
  EXPECT_EQ(load().size(), 1u);
}

TEST_F(Protocols, TwoPluginsCannotHaveTheSame) {
  scripts[1].init = [this] {
    atlas_protocol wanted = protocol("test/1");
    return scripts[1].protocols().claim(scripts[1].host, &wanted);
  };
  const auto problems = load(2);
  ASSERT_FALSE(problems.empty());
  EXPECT_NE(problems[0].to_string().find("plugin0 (linked)"), std::string::npos) << problems[0].to_string();
  EXPECT_NE(problems[0].to_string().find("plugin1 (linked)"), std::string::npos);
}

TEST_F(Protocols, AnAcceptedPeerIsUpWithItsIdentity) {
  start();
  const auto pipe = arrive({{'a'}, {'b', 'c'}});
  settle();
  EXPECT_EQ(chains, (std::vector<std::vector<std::string>>{{"a", "bc"}}));
  EXPECT_EQ(network.verdicts, (std::vector<std::pair<std::uint64_t, bool>>{{pipe->tag(), true}}));
  EXPECT_TRUE(events.empty()) << "not before the network says so";
  pipe->on_up();
  settle();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(ATLAS_CONNECTION_UP));
  EXPECT_EQ(events[0].identity, "me");
  EXPECT_FALSE(events[0].dialled);
  pipe->on_down(ATLAS_CLOSED_PEER, 3, "bye");
  settle();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].why, static_cast<std::uint32_t>(ATLAS_CLOSED_PEER));
  EXPECT_EQ(events[1].reason, "bye");
  EXPECT_EQ(script.protocols().close(script.host, events[0].connection, 0, {}), ATLAS_E_GONE);
}

TEST_F(Protocols, OfARefusedPeerNothingIsHeardAgain) {
  start();
  for (const bool too_long : {false, true}) {
    verdict_status = too_long ? ATLAS_OK : ATLAS_E_DENIED;
    identity_size = too_long ? 65 : 0;
    const auto pipe = arrive();
    settle();
    EXPECT_EQ(network.verdicts.back(), std::pair(pipe->tag(), false));
    pipe->on_down(ATLAS_CLOSED_REFUSED, 0x12a, "");
    settle();
  }
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(metric("atlas_plugin0_connections"), 0);
}

TEST_F(Protocols, ADialIsOwedUpOrDown) {
  start();
  int mark = 0;
  atlas_connection connection = 0;
  EXPECT_EQ(dial(&connection, &mark), ATLAS_OK);
  ASSERT_EQ(network.protocol_dials.size(), 1u);
  EXPECT_EQ(network.protocol_dials[0].remote.text(), "192.0.2.9:4433");
  EXPECT_EQ(network.protocol_dials[0].server_name, "name");
  EXPECT_EQ(network.protocol_dials[0].timeout, 5 * base::kSecond);
  network.protocol_dials[0].pipe->on_down(ATLAS_CLOSED_IDLE, 0, "no answer");
  settle();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(ATLAS_CONNECTION_DOWN));
  EXPECT_EQ(events[0].connection, connection);
  EXPECT_EQ(events[0].argument, &mark);
  EXPECT_TRUE(events[0].dialled);
  EXPECT_TRUE(chains.empty());

  verdict_status = ATLAS_E_DENIED;  // the listener is not whom we wanted
  EXPECT_EQ(dial(&connection), ATLAS_OK);
  const auto pipe = network.protocol_dials[1].pipe;
  pipe->on_presented({{'x'}});
  settle();
  EXPECT_EQ(network.verdicts.back(), std::pair(pipe->tag(), false));
  pipe->on_down(ATLAS_CLOSED_REFUSED, 0x12a, "");
  settle();
  EXPECT_EQ(events.back().why, static_cast<std::uint32_t>(ATLAS_CLOSED_REFUSED));
}

TEST_F(Protocols, WrongDialsAreRefused) {
  script.start = nullptr;
  start();
  atlas_connection out = 1;
  EXPECT_EQ(dial(&out), ATLAS_E_STATE) << "no credentials yet";
  EXPECT_EQ(out, 0u);
  EXPECT_EQ(credentials("test/2"), ATLAS_E_ARG);
  EXPECT_EQ(script.protocols().credentials(script.host, text("test/1"), nullptr, 0, bytes_of("key")), ATLAS_E_ARG);
  EXPECT_EQ(credentials(), ATLAS_OK);
  const atlas_ext_protocols& table = script.protocols();
  EXPECT_EQ(table.dial(script.host, text("test/2"), text("192.0.2.9:1"), {}, 1000, nullptr, &out), ATLAS_E_ARG);
  EXPECT_EQ(table.dial(script.host, text("test/1"), text("nowhere"), {}, 1000, nullptr, &out), ATLAS_E_ARG);
  EXPECT_EQ(table.dial(script.host, text("test/1"), text("192.0.2.9:1"), {}, 0, nullptr, &out), ATLAS_E_ARG);
  EXPECT_EQ(table.dial(script.host, text("test/1"), text("192.0.2.9:1"), {}, 60'001, nullptr, &out), ATLAS_E_ARG);
  network.full = true;
  EXPECT_EQ(dial(&out), ATLAS_E_FULL);
  EXPECT_EQ(metric("atlas_plugin0_connections"), 0);
}

TEST_F(Protocols, ConnectionsOfAProtocolAreBounded) {
  script.init = [this] {
    atlas_protocol_limits limits{};
    limits.struct_size = sizeof limits;
    limits.max_connections = 2;
    atlas_protocol wanted = protocol("test/1");
    wanted.limits = &limits;
    return script.protocols().claim(script.host, &wanted);
  };
  start();
  atlas_connection out = 0;
  EXPECT_EQ(dial(&out), ATLAS_OK);
  const auto pipe = arrive();
  ASSERT_TRUE(pipe);
  EXPECT_EQ(dial(&out), ATLAS_E_FULL);
  EXPECT_EQ(arrive(), nullptr);
  network.protocol_dials[0].pipe->on_down(ATLAS_CLOSED_IDLE, 0, "");
  settle();
  EXPECT_EQ(dial(&out), ATLAS_OK);
}

TEST_F(Protocols, StreamsGoBothWaysAndDownComesBehindTheirEnds) {
  start();
  const auto pipe = up();
  const auto theirs = pipe->arrived_stream(true);
  ASSERT_TRUE(theirs);
  theirs->on_data(base::as_bytes("hi"), true);
  settle();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(ATLAS_CONNECTION_STREAM));
  EXPECT_TRUE(events[0].unidirectional);
  EXPECT_EQ(stream_events, std::vector<std::uint32_t>{ATLAS_STREAM_DATA});
  EXPECT_EQ(script.streams().write(script.host, events[0].stream, bytes_of("x")), ATLAS_E_STATE);

  atlas_stream ours = 0;
  EXPECT_EQ(script.protocols().open(script.host, handle, 0, nullptr, &ours), ATLAS_OK);
  ASSERT_EQ(network.connection_streams.size(), 1u);
  EXPECT_EQ(network.connection_streams[0].connection, pipe->tag());
  EXPECT_EQ(script.streams().write(script.host, ours, bytes_of("x")), ATLAS_OK);
  atlas_stream more = 0;
  EXPECT_EQ(script.protocols().open(script.host, handle, 0, nullptr, &more), ATLAS_OK);
  EXPECT_EQ(script.protocols().open(script.host, handle, 0, nullptr, &more), ATLAS_E_FULL);
  EXPECT_EQ(more, 0u);

  pipe->on_down(ATLAS_CLOSED_PEER, 0, "");
  settle();
  EXPECT_EQ(events.size(), 1u) << "streams are open still";
  theirs->on_closed(ATLAS_E_GONE, 0);
  for (const auto& order : network.connection_streams) order.pipe->on_closed(ATLAS_E_GONE, 0);
  settle();
  EXPECT_EQ(events.back().what, static_cast<std::uint32_t>(ATLAS_CONNECTION_DOWN));
  EXPECT_EQ(script.protocols().open(script.host, handle, 0, nullptr, &more), ATLAS_E_GONE);
}

TEST_F(Protocols, OpenNeedsAConnectionThatIsUp) {
  start();
  atlas_connection connection = 0;
  dial(&connection);
  atlas_stream stream = 1;
  EXPECT_EQ(script.protocols().open(script.host, connection, 0, nullptr, &stream), ATLAS_E_STATE);
  EXPECT_EQ(stream, 0u);
  EXPECT_EQ(script.protocols().open(script.host, connection, 0, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(script.protocols().open(script.host, 12345, 0, nullptr, &stream), ATLAS_E_GONE);
}

TEST_F(Protocols, CloseIsAskedForOnce) {
  start();
  const auto pipe = up();
  EXPECT_EQ(script.protocols().close(script.host, handle, std::uint64_t{1} << 62, {}), ATLAS_E_ARG);
  EXPECT_EQ(script.protocols().close(script.host, handle, 42, text("enough")), ATLAS_OK);
  EXPECT_EQ(script.protocols().close(script.host, handle, 43, {}), ATLAS_OK);
  ASSERT_EQ(network.closed_connections.size(), 1u);
  EXPECT_EQ(network.closed_connections[0].tag, pipe->tag());
  EXPECT_EQ(network.closed_connections[0].code, 42u);
  EXPECT_EQ(network.closed_connections[0].reason, "enough");
}

TEST_F(Protocols, AStopEndsEveryConnectionAndTakesTheCertificateBack) {
  start();
  const auto pipe = up();
  atlas_connection dialled = 0;
  dial(&dialled);
  const auto unjudged = arrive();
  const auto stream = pipe->arrived_stream(false);
  settle();
  events.clear();
  verdict_status = ATLAS_OK;
  stop();
  ASSERT_EQ(stream_events.back(), static_cast<std::uint32_t>(ATLAS_STREAM_CLOSED));
  ASSERT_EQ(events.size(), 3u);  // the third was accepted meanwhile
  for (const auto& event : events) {
    EXPECT_EQ(event.what, static_cast<std::uint32_t>(ATLAS_CONNECTION_DOWN));
    EXPECT_EQ(event.why, static_cast<std::uint32_t>(ATLAS_CLOSED_LOCAL));
  }
  EXPECT_EQ(network.closed_connections.size(), 3u);
  EXPECT_TRUE(network.credentials.empty());
  EXPECT_EQ(arrive(), nullptr);
}

TEST_F(Protocols, OneThatIsOnlyDescribedNeedsNoNetwork) {
  HostSetup bare;
  bare.mode = Mode::kDescribe;
  bare.clock = &clock;
  host = std::make_unique<host::Host>(std::move(bare));
  descriptors[0] = Scripted<0>::descriptor(script);
  host->add_linked(&descriptors[0]);
  EXPECT_TRUE(host->load({}).empty());
  EXPECT_EQ(host->protocols().size(), 1u);
  host->stop();
}

TEST_F(Protocols, AFaultInTheVerdictRefusesAndEndsAll) {
  start();
  const auto first = up();
  script.verify = [](const atlas_presented&, atlas_verdict&) -> atlas_status { throw std::runtime_error("a bug"); };
  const auto pipe = arrive();
  settle();
  EXPECT_EQ(row().state, "faulted");
  EXPECT_EQ(network.verdicts.back(), std::pair(pipe->tag(), false));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].connection, handle);
}

}  // namespace
}  // namespace atlas::host::test
