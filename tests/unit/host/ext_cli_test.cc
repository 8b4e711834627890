#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class Cli : public HostTest {
 protected:
  Cli() {
    args = {arg("target", ATLAS_ARG_TEXT, true), arg("--count", ATLAS_ARG_INTEGER), arg("--follow", ATLAS_ARG_FLAG)};
    script.init = [this] { return define(); };
    script.command = [this](const atlas_cli_run& run) {
      call = run.call;
      given.clear();
      for (std::size_t i = 0; i < run.count; ++i) {
        given.push_back(std::string(view(run.names[i])) + "=" + std::string(view(run.values[i])));
      }
      return status;
    };
    script.cancelled = [this](atlas_call gone) { cancelled.push_back(gone); };
  }
  static atlas_cli_arg arg(const char* name, std::uint32_t kind, bool required = false) {
    return {sizeof(atlas_cli_arg), name, kind, required ? 1u : 0u, "what it is"};
  }
  atlas_status define() {
    atlas_cli_command command{};
    command.struct_size = sizeof command;
    command.path = path;
    command.where = where;
    command.summary = "Pings.";
    command.args = args.data();
    command.arg_count = args.size();
    command.display = "node_id:id=Node";
    return script.cli().command(script.host, &command, run_command, command_cancelled);
  }
  std::uint64_t run(const std::map<std::string, std::string>& values = {{"target", "x"}}) {
    return host->run_command("ping", values, output);
  }
  atlas_status emit(std::uint32_t kind, std::string_view text) {
    return script.cli().emit(script.host, call, kind, text_of(text));
  }

  const char* path = "ping";
  std::uint32_t where = ATLAS_CLI_DAEMON;
  std::vector<atlas_cli_arg> args;
  atlas_call call = 0;
  atlas_status status = ATLAS_OK;
  std::vector<std::string> given;
  std::vector<atlas_call> cancelled;
  std::shared_ptr<RecordedOutput> output = std::make_shared<RecordedOutput>();
};

TEST_F(Cli, RunsEmitsAndFinishesOnce) {
  start();
  ASSERT_EQ(host->commands().size(), 1u);
  EXPECT_EQ(host->commands()[0].plugin, "plugin0");
  EXPECT_EQ(host->commands()[0].args[1].name, "--count");
  const auto token = run({{"target", "atlas_x"}, {"--count", "4"}, {"--follow", "true"}});
  EXPECT_NE(token, 0u);
  settle();
  EXPECT_EQ(call, token);
  EXPECT_THAT(given, ElementsAre("target=atlas_x", "--count=4", "--follow=true"));
  EXPECT_EQ(emit(ATLAS_EMIT_PROGRESS, "pinging"), ATLAS_OK);
  EXPECT_EQ(emit(ATLAS_EMIT_ROW, "{}"), ATLAS_OK);
  EXPECT_EQ(emit(ATLAS_EMIT_RESULT, "{\"ok\":1}"), ATLAS_OK);
  EXPECT_EQ(emit(ATLAS_EMIT_RESULT, "{}"), ATLAS_E_STATE);
  EXPECT_EQ(emit(9, "{}"), ATLAS_E_ARG);
  EXPECT_EQ(emit(ATLAS_EMIT_ROW, "\xff"), ATLAS_E_ARG);
  EXPECT_EQ(script.cli().finish(script.host, call, ATLAS_OK, {}), ATLAS_OK);
  EXPECT_EQ(script.cli().finish(script.host, call, ATLAS_OK, {}), ATLAS_E_GONE);
  EXPECT_EQ(emit(ATLAS_EMIT_ROW, "{}"), ATLAS_E_GONE);
  EXPECT_THAT(output->said, ElementsAre("pinging"));
  EXPECT_THAT(output->rows, ElementsAre("{}"));
  EXPECT_THAT(output->results, ElementsAre("{\"ok\":1}"));
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_OK, "")));
}

TEST_F(Cli, BadArgumentsNeverReachThePlugin) {
  start();
  const std::pair<std::map<std::string, std::string>, const char*> kBad[] = {
      {{}, "target is missing"},
      {{{"target", "x"}, {"--cout", "4"}}, "unknown argument --cout; did you mean --count?"},
      {{{"target", "x"}, {"--count", "four"}}, "--count = four, expected an integer"},
      {{{"target", "x"}, {"--follow", "maybe"}}, "--follow takes no value"},
      {{{"target", "\xff"}}, "target is not UTF-8"},
  };
  for (const auto& [values, text] : kBad) {
    output = std::make_shared<RecordedOutput>();
    EXPECT_NE(run(values), 0u);
    settle();
    ASSERT_EQ(output->ended.size(), 1u) << text;
    EXPECT_EQ(output->ended[0].first, ATLAS_E_ARG);
    EXPECT_THAT(output->ended[0].second, HasSubstr(text));
  }
  EXPECT_EQ(call, 0u);
  output = std::make_shared<RecordedOutput>();
  EXPECT_EQ(host->run_command("pong", {}, output), 0u);
  EXPECT_THAT(output->ended, IsEmpty());
}

TEST_F(Cli, ArgumentsAreBounded) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= base::limits::plugins_command_args; ++i) names.push_back("--a" + std::to_string(i));
  atlas_status defined = ATLAS_OK;
  script.init = [&] {
    for (const std::size_t count : {base::limits::plugins_command_args + 1, base::limits::plugins_command_args}) {
      args.clear();
      for (std::size_t i = 0; i < count; ++i) args.push_back(arg(names[i].c_str(), ATLAS_ARG_TEXT));
      defined = define();
      EXPECT_EQ(defined, count > base::limits::plugins_command_args ? ATLAS_E_ARG : ATLAS_OK);
    }
    return defined;
  };
  start();
  ASSERT_EQ(host->commands().size(), 1u);
  EXPECT_EQ(host->commands()[0].args.size(), base::limits::plugins_command_args);
}

TEST_F(Cli, NegativeStatusFinishesTheCommand) {
  status = ATLAS_E_UNREACHABLE;
  start();
  run();
  settle();
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_E_UNREACHABLE, "unreachable")));
}

TEST_F(Cli, LeavingPersonCancels) {
  start();
  const auto token = run();
  settle();
  host->cancel_command(token);
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_E_GONE, "cancelled")));
  settle();
  EXPECT_THAT(cancelled, ElementsAre(token));
  EXPECT_EQ(emit(ATLAS_EMIT_ROW, "{}"), ATLAS_E_GONE);
  host->cancel_command(token);
  settle();
  EXPECT_EQ(cancelled.size(), 1u);
}

TEST_F(Cli, CommandThatHasNotBegunIsCancelledUnseen) {
  start();
  host->cancel_command(run());
  settle();
  EXPECT_EQ(call, 0u);
  EXPECT_THAT(cancelled, IsEmpty());
  EXPECT_EQ(output->ended.size(), 1u);
}

TEST_F(Cli, StopAndFaultFinishWhatRuns) {
  start();
  run();
  settle();
  stop();
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_E_STOPPING, "the node is shutting down")));
  EXPECT_EQ(run(), 0u);

  output = std::make_shared<RecordedOutput>();
  script.command = [](const atlas_cli_run&) -> atlas_status { throw 1; };
  start();
  run();
  settle();
  ASSERT_EQ(output->ended.size(), 1u);
  EXPECT_EQ(output->ended[0].first, ATLAS_E_INTERNAL);
}

TEST_F(Cli, ClientRunsOnlyWhatIsMadeForIt) {
  load(1, Mode::kClient);
  host->begin_start();
  settle();
  run();
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_E_STATE, "ping needs a running daemon")));
  host.reset();
  where = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT;
  output = std::make_shared<RecordedOutput>();
  load(1, Mode::kClient);
  host->begin_start();
  settle();
  run();
  settle();
  EXPECT_NE(call, 0u);
}

TEST_F(Cli, RunningCommandsAreBounded) {
  start();
  for (std::size_t i = 0; i < 256; ++i) run();
  EXPECT_THAT(output->ended, IsEmpty());
  run();
  EXPECT_THAT(output->ended, ElementsAre(Pair(ATLAS_E_FULL, "too many commands are running")));
}

TEST_F(Cli, CommandsOfOthersCannotBeFinished) {
  start(2);
  run();
  settle();
  EXPECT_EQ(scripts[1].cli().finish(scripts[1].host, call, ATLAS_OK, {}), ATLAS_E_GONE);
  EXPECT_EQ(scripts[1].cli().emit(scripts[1].host, call, ATLAS_EMIT_ROW, text_of("{}")), ATLAS_E_GONE);
  EXPECT_THAT(output->ended, IsEmpty());
}

TEST_F(Cli, BadDefinitionsAreRefused) {
  const auto refused = [&] {
    atlas_status out = ATLAS_OK;
    script.init = [&] {
      out = define();
      return ATLAS_OK;
    };
    load();
    return out;
  };
  for (const char* bad : {"", " ping", "ping ", "Ping", "ping  it", "ping/it"}) {
    path = bad;
    EXPECT_EQ(refused(), ATLAS_E_ARG) << bad;
  }
  path = "status";
  EXPECT_EQ(refused(), ATLAS_E_CONFLICT);
  path = "ping";
  where = 0;
  EXPECT_EQ(refused(), ATLAS_E_ARG);
  where = ATLAS_CLI_DAEMON;
  const std::vector<std::vector<atlas_cli_arg>> kBad = {
      {arg("follow", ATLAS_ARG_FLAG)},
      {arg("--x", 9)},
      {arg("--", ATLAS_ARG_TEXT)},
      {arg("a", ATLAS_ARG_TEXT), arg("a", ATLAS_ARG_TEXT)},
      {arg("words", ATLAS_ARG_REST), arg("more", ATLAS_ARG_TEXT)},
      std::vector<atlas_cli_arg>(33, arg("x", ATLAS_ARG_TEXT)),
  };
  for (const auto& bad : kBad) {
    args = bad;
    EXPECT_EQ(refused(), ATLAS_E_ARG);
  }
  args = {arg("--last", ATLAS_ARG_TEXT), arg("words", ATLAS_ARG_REST)};
  EXPECT_EQ(refused(), ATLAS_OK);
}

}  // namespace
}  // namespace atlas::host::test
