// A plugin in Rust whose entries panic, each in turn: the panic ends in the plugin as a status, and the node goes on.
#include <filesystem>

#include "abi/every_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RustPanic : public EveryTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ABI_PLUGIN_DIR "/panics.so")) GTEST_SKIP() << "there was no rustc when this was built";
  }
  std::vector<config::Problem> load_panicking(const std::string& entry) {
    auto& table = config.plugin_tables["panics"];
    table["panic"] = {entry, 1, 1};
    table["names"] = {std::vector<std::string>{"a", "b"}, 2, 1};
    return load_with({}, {"panics"});
  }
  std::uint32_t answer_to_message(ReplyHandle handle) {
    deliver(0xa0, handle, "hello");
    settle();
    if (network.replies.empty()) return 0;
    const auto reply = network.replies.back();
    return reply.to != handle ? 0 : reply.type == 0xa1 ? 200 : reply.error_code();
  }
  // What the command came to.
  std::int32_t command() {
    const auto output = std::make_shared<RecordedOutput>();
    const std::uint64_t token = host->run_command("panics", {}, output);
    settle();
    host->cancel_command(token);
    settle();
    return output->ended.size() == 1 ? output->ended[0].first : 1;
  }
  // Calls every entry that a running plugin has.
  void poke() {
    for (auto& request : network.requests) request.done(Answer{});
    for (auto& dial : network.dials) dial.done(Connected{});
    store.commit();
    pass(base::kSecond);
    host->peer_event({ATLAS_PEER_UP, 7, kPeer, 0, false});
    settle();
  }
};

TEST_P(RustPanic, BecomesAStatus) {
  const std::string& entry = GetParam();
  const auto problems = load_panicking(entry);
  if (entry == "init") {
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].to_string(), ABI_PLUGIN_DIR "/panics.so: init failed: internal error");
    EXPECT_EQ(row("neighbour").state, "ready");
    return;
  }
  ASSERT_THAT(problems, IsEmpty()) << problems.front().to_string();
  host->begin_start();
  settle();
  if (entry == "start") {
    EXPECT_EQ(row("panics").state, "faulted");
    EXPECT_EQ(row("panics").reason, "start failed: internal error");
    EXPECT_EQ(row("neighbour").state, "running");
    return;
  }
  poke();
  EXPECT_EQ(answer_to_message(1), entry == "message" ? 5001u : 200u);
  EXPECT_EQ(command(), entry == "command" ? ATLAS_E_INTERNAL : ATLAS_E_GONE);
  EXPECT_EQ(answer_to_message(2), entry == "message" ? 5001u : 200u) << "it goes on";
  EXPECT_EQ(row("panics").state, "running") << row("panics").reason;
  EXPECT_GE(metric("atlas_panics_calls"), 13) << "an entry was not entered";
  host->drain(base::after(clock.mono_ns(), base::kSecond));
  settle();
  stop();
  EXPECT_EQ(row("panics").state, "stopped");
  EXPECT_EQ(row("panics").faults, 0u);
  EXPECT_EQ(row("neighbour").state, "stopped");
}

INSTANTIATE_TEST_SUITE_P(Entries, RustPanic,
                         ::testing::Values("none", "init", "start", "drain", "stop", "peer_event", "message", "text",
                                           "timer", "post", "durable", "answer", "connected", "command", "cancelled"),
                         [](const auto& entry) { return entry.param; });

}  // namespace
}  // namespace atlas::host::test
