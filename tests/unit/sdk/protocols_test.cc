// The C++ wrapper of other protocols: who comes is judged first, each connection and each stream has its handler, and
// both are freed with their end.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "atlas/plugin.hpp"
#include "kit/fake_host.h"

namespace {

using namespace std::chrono_literals;
using atlas::kit::Bytes;
using atlas::kit::FakeHost;

Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}
std::string text(atlas::Bytes of) {
  return {of.begin(), of.end()};
}

// Speaks greet/1, where whoever shows a certificate is welcome but "mallory", and dials with both/1 and greet/1.
class Greeter {
 public:
  explicit Greeter(atlas::Setup& setup) : host_(setup.host()) {
    last = this;
    setup.claim({.alpn = "greet/1", .max_streams = 7, .idle = 2s, .connection_window = 5000}, &Greeter::verify,
                &Greeter::accepted);
    setup.claim({.alpn = "dials/1", .accepts = false, .client_certificate = false}, &Greeter::verify_other);
  }
  ~Greeter() { last = nullptr; }

  atlas::Verdict verify(const atlas::Presented& presented) {
    remotes.emplace_back(presented.remote);
    const std::string name = text(presented.certificate());
    if (name == "throw") throw std::runtime_error("no certificate");
    if (name == "mallory") return atlas::Verdict::refuse();
    if (name == "long") return atlas::Verdict::accept(std::string(65, 'x'));
    return atlas::Verdict::accept(name);
  }
  atlas::Verdict verify_other(const atlas::Presented& presented) {
    return atlas::Verdict::accept(atlas::concat("other ", presented.chain.size()));
  }
  atlas::ConnectionHandler accepted(const atlas::ConnectionEvent& up) {
    if (up.identity_text() == "unlucky") throw std::runtime_error("a bug");
    return handler();
  }
  atlas::ConnectionHandler handler() {
    return {.event = [this, held = alive](const atlas::ConnectionEvent& event) { note(event); },
            .stream = [this, held = alive](const atlas::PeerStream& stream) { return take(stream); }};
  }
  void note(const atlas::ConnectionEvent& event) {
    heard += event.is_up() ? atlas::concat("up ", event.identity_text(), event.dialled ? " dialled;" : ";")
                           : atlas::concat("down ", event.why, ' ', event.code, ' ', event.reason, ';');
  }
  atlas::StreamHandler take(const atlas::PeerStream& stream) {
    heard += stream.unidirectional ? "one way;" : "both ways;";
    if (refuses_streams) return {};
    return [this, held = alive](const atlas::StreamEvent& event) {
      heard += event.is_closed() ? atlas::concat("closed ", -event.status.code, ';') : text(event.data) + ";";
    };
  }

  static inline Greeter* last = nullptr;
  atlas::Host& host_;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::string heard;
  std::vector<std::string> remotes;
  bool refuses_streams = false;
};
using Entry = atlas::detail::Entry<Greeter>;
const atlas_plugin kGreeter = {sizeof(atlas_plugin),
                               ATLAS_ABI_MAJOR,
                               0,
                               "greeter",
                               "1.0.0",
                               "Greets.",
                               nullptr,
                               &Entry::init,
                               &Entry::start,
                               &Entry::drain,
                               &Entry::stop,
                               &Entry::peer_event};

class ProtocolWrappers : public testing::Test {
 protected:
  ProtocolWrappers() {
    fake.run();
    const Bytes certificate = bytes("certificate"), key = bytes("key");
    for (const char* alpn : {"greet/1", "dials/1"}) {
      EXPECT_TRUE(role().host_.protocols().credentials(alpn, certificate, key).ok());
    }
  }
  Greeter& role() { return *Greeter::last; }
  atlas::Protocols protocols() { return role().host_.protocols(); }
  atlas_connection present(std::string_view name) { return fake.present("greet/1", "192.0.2.1:7", {bytes(name)}); }

  FakeHost fake{kGreeter};
};

TEST_F(ProtocolWrappers, AClaimReachesTheHost) {
  ASSERT_EQ(fake.protocols.size(), 2u);
  const auto& greet = fake.protocols.at("greet/1");
  EXPECT_EQ(greet.flags, static_cast<std::uint32_t>(ATLAS_PROTOCOL_ACCEPTS | ATLAS_PROTOCOL_CLIENT_CERT));
  EXPECT_EQ(greet.limits.max_streams, 7u);
  EXPECT_EQ(greet.limits.idle_ms, 2000u);
  EXPECT_EQ(greet.limits.connection_window, 5000u);
  EXPECT_EQ(greet.limits.max_connections, 0u);
  EXPECT_EQ(fake.protocols.at("dials/1").flags, 0u);
  EXPECT_EQ(greet.chain, std::vector<Bytes>{bytes("certificate")});
  EXPECT_EQ(greet.key, bytes("key"));
}

TEST_F(ProtocolWrappers, WhoIsAcceptedHasAHandlerUntilDown) {
  const atlas_connection connection = present("alice");
  ASSERT_NE(connection, 0u);
  EXPECT_EQ(role().alive.use_count(), 3);
  fake.connection_down(connection, ATLAS_CLOSED_PEER, 7, "bye");
  EXPECT_EQ(role().heard, "up alice;down 2 7 bye;");
  EXPECT_EQ(role().alive.use_count(), 1);
  EXPECT_EQ(role().remotes, std::vector<std::string>{"192.0.2.1:7"});
}

TEST_F(ProtocolWrappers, OfOneWhoIsRefusedNothingIsHeard) {
  EXPECT_EQ(present("mallory"), 0u);
  EXPECT_EQ(present("long"), 0u) << "an identity of 65 bytes";
  EXPECT_EQ(present("throw"), 0u);
  EXPECT_TRUE(fake.logged("a verdict on a peer failed: no certificate"));
  EXPECT_EQ(role().heard, "");
}

TEST_F(ProtocolWrappers, AConnectionThatTheRoleFailsToTakeIsClosed) {
  const atlas_connection connection = present("unlucky");
  EXPECT_FALSE(fake.connections.contains(connection)) << "closed, and its end told";
  EXPECT_EQ(role().heard, "");
  EXPECT_EQ(role().alive.use_count(), 1);
}

TEST_F(ProtocolWrappers, ADialHasItsHandler) {
  const auto first = protocols().dial("greet/1", "192.0.2.9:4433", "name", 5s, role().handler());
  const auto second = protocols().dial("dials/1", "192.0.2.9:4433", "", 5s, role().handler());
  const auto third = protocols().dial("greet/1", "192.0.2.9:4433", "", 5s, role().handler());
  ASSERT_TRUE(first.status.ok() && second.status.ok() && third.status.ok());
  EXPECT_EQ(fake.connections.at(first.connection).server_name, "name");
  EXPECT_EQ(role().alive.use_count(), 7);
  EXPECT_TRUE(fake.answer_protocol_dial(first.connection, {bytes("bob")}));
  EXPECT_TRUE(fake.answer_protocol_dial(second.connection, {bytes("a"), bytes("b")}));
  EXPECT_FALSE(fake.answer_protocol_dial(third.connection, {bytes("mallory")}));
  EXPECT_EQ(role().heard, "up bob dialled;up other 2 dialled;down 5 298 the certificate was refused;");
  EXPECT_TRUE(protocols().close(first.connection, 3, "enough").ok());
  fake.settle();
  EXPECT_EQ(role().alive.use_count(), 3) << "the second is there still";
  EXPECT_TRUE(role().heard.ends_with("down 1 3 enough;")) << role().heard;
}

TEST_F(ProtocolWrappers, ADialThatIsNotBegunKeepsNothing) {
  fake.protocol_status = ATLAS_E_FULL;
  EXPECT_EQ(protocols().dial("greet/1", "192.0.2.9:4433", "", 5s, role().handler()).status.code, ATLAS_E_FULL);
  EXPECT_EQ(protocols().dial("none/1", "192.0.2.9:4433", "", 5s, role().handler()).status.code, ATLAS_E_ARG);
  EXPECT_EQ(role().alive.use_count(), 1);
  EXPECT_EQ(protocols().close(99, 0, "").code, ATLAS_E_GONE);
}

TEST_F(ProtocolWrappers, StreamsOfTheirsAndOurs) {
  const atlas_connection connection = present("alice");
  const atlas_stream theirs = fake.open_connection_stream(connection, true);
  fake.stream_data(theirs, bytes("hello"), true);
  fake.stream_closed(theirs);
  const auto ours = protocols().open(connection, [&](const atlas::StreamEvent& event) {
    if (event.is_closed()) role().heard += "ours closed;";
  });
  ASSERT_TRUE(ours.status.ok());
  EXPECT_TRUE(role().host_.streams().write(ours.stream, "hi").ok());
  EXPECT_EQ(fake.streams.at(ours.stream).written, bytes("hi"));
  fake.connection_down(connection, ATLAS_CLOSED_IDLE);
  EXPECT_EQ(role().heard, "up alice;one way;hello;closed 0;ours closed;down 4 0 ;");
  EXPECT_EQ(protocols().open(connection, {}).status.code, ATLAS_E_GONE);
  EXPECT_EQ(role().alive.use_count(), 1);
}

TEST_F(ProtocolWrappers, AStreamThatNobodyTakesIsGivenUp) {
  const atlas_connection connection = present("alice");
  role().refuses_streams = true;
  const atlas_stream both = fake.open_connection_stream(connection),
                     one = fake.open_connection_stream(connection, true);
  EXPECT_EQ(fake.streams.at(both).stopped, 0u);
  EXPECT_EQ(fake.streams.at(both).reset, 0u);
  EXPECT_EQ(fake.streams.at(one).stopped, 0u);
  EXPECT_FALSE(fake.streams.at(one).reset);
  fake.stream_closed(both, ATLAS_E_DENIED);
  fake.stream_closed(one, ATLAS_E_DENIED);
  EXPECT_EQ(role().heard, "up alice;both ways;one way;");
}

TEST_F(ProtocolWrappers, AStopEndsWhatIsOpenAndFreesIt) {
  const atlas_connection connection = present("alice");
  fake.open_connection_stream(connection);
  const auto dialled = protocols().dial("dials/1", "192.0.2.9:4433", "", 5s, role().handler());
  EXPECT_TRUE(dialled.status.ok());
  const auto alive = role().alive;
  EXPECT_GT(alive.use_count(), 2);
  fake.stop();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(ProtocolWrappersAlone, WithoutTheTableEveryCallFails) {
  FakeHost fake(kGreeter);
  fake.missing.insert(ATLAS_EXT_PROTOCOLS);
  EXPECT_EQ(fake.init(), ATLAS_E_STATE);
  atlas::Host host(fake.c_host());
  const atlas::Protocols protocols = host.protocols();
  EXPECT_EQ(protocols.dial("greet/1", "192.0.2.1:1", "", 1s, {}).status.code, ATLAS_E_STATE);
  EXPECT_EQ(protocols.open(1, {}).status.code, ATLAS_E_STATE);
  EXPECT_EQ(protocols.close(1, 0, "").code, ATLAS_E_STATE);
  EXPECT_EQ(protocols.credentials("greet/1", atlas::Bytes(), atlas::Bytes()).code, ATLAS_E_STATE);
}

}  // namespace
