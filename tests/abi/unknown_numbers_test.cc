// Numbers that a later minor may bring: from plugins this host refuses what it does not know, whatever else is right.
#include "abi/every_fixture.h"

namespace atlas::host::test {
namespace {

constexpr std::uint32_t kUnknown = 1u << 20;

class UnknownNumbers : public EveryTest {
 protected:
  template <class Table>
  const Table& of(const char* id) const {
    return *script.table<Table>(id);
  }
  void in_init(const std::function<void(const atlas_host*)>& calls) {
    bool ran = false;
    script.init = [&] {
      calls(script.host);
      ran = true;
      return ATLAS_OK;
    };
    load_with({});
    EXPECT_TRUE(ran);
  }
};

TEST_F(UnknownNumbers, InClaims) {
  in_init([&](const atlas_host* c) {
    EXPECT_EQ(script.messages().handle(c, 0x91, kUnknown, handle_message), ATLAS_E_ARG);
    EXPECT_EQ(script.messages().handle(c, 0x91, kUnknown | ATLAS_HANDLE_ANSWERS, handle_message), ATLAS_E_ARG);
    EXPECT_EQ(script.messages().handle(c, 0x91, ATLAS_HANDLE_ANSWERS, handle_message), ATLAS_OK);
    atlas_metric metric = 0;
    EXPECT_EQ(script.metrics().define(c, "things", 3, "", &metric), ATLAS_E_ARG);
    EXPECT_EQ(script.metrics().define(c, "things", ATLAS_METRIC_GAUGE, "", &metric), ATLAS_OK);
  });
}

TEST_F(UnknownNumbers, InCommands) {
  in_init([&](const atlas_host* c) {
    atlas_cli_arg arg{sizeof arg, "what", ATLAS_ARG_REST + 1, 0, ""};
    atlas_cli_command command{sizeof command, "thing", ATLAS_CLI_DAEMON, "", &arg, 1, nullptr};
    const auto claim = [&] { return script.cli().command(c, &command, run_command, nullptr); };
    EXPECT_EQ(claim(), ATLAS_E_ARG);
    arg.kind = ATLAS_ARG_TEXT;
    command.where = 0;
    EXPECT_EQ(claim(), ATLAS_E_ARG);
    command.where = ATLAS_CLI_DAEMON | kUnknown;
    EXPECT_EQ(claim(), ATLAS_E_ARG);
    command.where = ATLAS_CLI_DAEMON;
    EXPECT_EQ(claim(), ATLAS_OK);
  });
}

TEST_F(UnknownNumbers, InProtocols) {
  in_init([&](const atlas_host* c) {
    atlas_protocol protocol{sizeof protocol, kUnknown, {"x/1", 3}, nullptr, verify, connection_event, stream_event};
    EXPECT_EQ(script.protocols().claim(c, &protocol), ATLAS_E_ARG);
    protocol.flags = ATLAS_PROTOCOL_ACCEPTS | kUnknown;
    EXPECT_EQ(script.protocols().claim(c, &protocol), ATLAS_E_ARG);
    protocol.flags = ATLAS_PROTOCOL_ACCEPTS;
    EXPECT_EQ(script.protocols().claim(c, &protocol), ATLAS_OK);
  });
}

TEST_F(UnknownNumbers, OfARunningPlugin) {
  script.init = [&] {
    const atlas_cli_command command{sizeof command, "thing", ATLAS_CLI_DAEMON, "", nullptr, 0, nullptr};
    return script.cli().command(script.host, &command, run_command, nullptr);
  };
  script.command = [&](const atlas_cli_run& run) {
    EXPECT_EQ(script.cli().emit(script.host, run.call, ATLAS_EMIT_PROGRESS + 1, {"1", 1}), ATLAS_E_ARG);
    const auto each = [](void*, const atlas_peer_info*) -> atlas_status { return ATLAS_OK; };
    EXPECT_EQ(script.peers().list(script.host, ATLAS_PEERS_KNOWN + 1, nullptr, each), ATLAS_E_ARG);
    script.log().write(script.host, kUnknown, {"shown as an error", 17});
    return script.cli().finish(script.host, run.call, ATLAS_OK, {"", 0});
  };
  ASSERT_TRUE(load_with({}).empty());
  host->begin_start();
  settle();
  const auto output = std::make_shared<RecordedOutput>();
  EXPECT_NE(host->run_command("thing", {}, output), 0u);
  settle();
  ASSERT_EQ(output->ended.size(), 1u);
  EXPECT_EQ(output->ended[0].first, ATLAS_OK);
  EXPECT_TRUE(output->results.empty());
  EXPECT_EQ(row("neighbour").state, "running");
}

}  // namespace
}  // namespace atlas::host::test
