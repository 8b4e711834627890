#include "cli/command.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "cli/display.h"
#include "cli/help.h"

namespace atlas::cli {
namespace {

std::string reference_file() {
  std::ifstream file(ATLAS_SOURCE_DIR "/docs/reference/cli.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(CommandTable, EveryPathIsThereOnce) {
  std::set<std::string> seen;
  for (const Command& command : fixed_commands()) EXPECT_TRUE(seen.insert(command.path).second) << command.path;
  for (const char* path : {"id init", "config check", "net listen", "net peers", "plugin list"}) {
    EXPECT_TRUE(seen.contains(path)) << path;
  }
}

TEST(CommandTable, TheReferenceSaysWhatTheProgramDoes) {
  const std::string text = reference_file();
  for (const Command& command : fixed_commands()) {
    EXPECT_NE(text.find(reference_of(command)), std::string::npos)
        << "docs/reference/cli.md lacks, or says otherwise:\n"
        << reference_of(command);
  }
  EXPECT_NE(text.find(reference_of_globals()), std::string::npos) << reference_of_globals();
  EXPECT_NE(text.find(reference_of_exit_codes()), std::string::npos) << reference_of_exit_codes();
}

TEST(CommandTable, TheReferenceHasNoFixedCommandThatIsGone) {
  std::istringstream lines(reference_file());
  for (std::string line; std::getline(lines, line);) {
    for (const std::string group : {"id", "config", "plugin"}) {
      const std::string start = "### `atlas " + group + " ";
      if (!line.starts_with(start)) continue;
      const std::string verb = line.substr(start.size(), line.find_first_of(" `", start.size()) - start.size());
      EXPECT_NE(find_command(fixed_commands(), group + " " + verb), nullptr) << line;
    }
  }
}

TEST(CommandTable, ReadsTheListOfANode) {
  const auto commands = commands_from_json(R"([
      {"path":"ping","summary":"s","display":"node_id:id","where":3,"plugin":"keepalive",
       "args":[{"name":"target","kind":1,"required":true,"help":"h"},{"name":"--count","kind":2,"required":false}]},
      {"path":"relay status"}])");
  ASSERT_TRUE(commands) << commands.error().text;
  ASSERT_EQ(commands->size(), 2u);
  const Command& ping = commands->front();
  EXPECT_EQ(ping.path, "net ping");
  EXPECT_EQ(ping.where, kWhereDaemon | kWhereClient);
  ASSERT_EQ(ping.args.size(), 2u);
  EXPECT_TRUE(ping.args[0].required);
  EXPECT_EQ(ping.args[1].kind, ArgumentKind::kInteger);
  EXPECT_EQ(usage_line(ping), "atlas net ping TARGET [--count N]");
  EXPECT_EQ((*commands)[1].path, "net relay status");
  EXPECT_EQ((*commands)[1].where, kWhereDaemon);
}

TEST(CommandTable, LeavesOutWhatIsNoCommand) {
  EXPECT_FALSE(commands_from_json("{}"));
  EXPECT_FALSE(commands_from_json("not json"));
  const auto commands = commands_from_json(
      R"([1,{"summary":"no path"},{"path":7},{"path":"x","where":"y","args":[2,{"name":""},{"name":"a","kind":99}]}])");
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 1u);
  EXPECT_EQ(commands->front().where, kWhereDaemon);
  ASSERT_EQ(commands->front().args.size(), 1u);
  EXPECT_EQ(commands->front().args[0].kind, ArgumentKind::kText);
}

TEST(CommandTable, UsageShowsWhatIsOptional) {
  const Command* init = find_command(fixed_commands(), "config init");
  ASSERT_NE(init, nullptr);
  EXPECT_EQ(usage_line(*init), "atlas config init --role ROLE [--force]");
  const Command* bio = find_command(fixed_commands(), "id set-bio");
  ASSERT_NE(bio, nullptr);
  EXPECT_EQ(usage_line(*bio), "atlas id set-bio TEXT...");
}

}  // namespace
}  // namespace atlas::cli
