#include "cli/id_commands.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "cli/config_commands.h"
#include "cli/exit_codes.h"
#include "identity/node_key.h"
#include "support.h"

namespace atlas::cli::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using IdCommands = CommandTest;

TEST_F(IdCommands, InitMakesAKeyAndPrintsItsId) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk) << err.str();
  const auto key = identity::NodeKey::load(layout.key);
  ASSERT_TRUE(key);
  EXPECT_EQ(take(out), key->node_id() + '\n');
  struct stat status;
  ASSERT_EQ(::stat(layout.key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(IdCommands, InitPrintsJson) {
  ASSERT_EQ(id_init(layout, true, out, err), kOk);
  const auto document = nlohmann::json::parse(take(out));
  EXPECT_EQ(document, (nlohmann::json{{"node_id", identity::NodeKey::load(layout.key)->node_id()}}));
}

TEST_F(IdCommands, InitNeverReplacesAKey) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  const std::string id = take(out);
  EXPECT_EQ(id_init(layout, false, out, err), kBusy);
  EXPECT_THAT(take(out), IsEmpty());
  EXPECT_THAT(take(err), HasSubstr("node-key.pem exists already"));
  EXPECT_EQ(identity::NodeKey::load(layout.key)->node_id() + '\n', id);
  // Also not one that a link points nowhere from.
  std::filesystem::remove(layout.key);
  std::filesystem::create_symlink("nowhere", layout.key);
  EXPECT_EQ(id_init(layout, false, out, err), kBusy);
}

TEST_F(IdCommands, ShowWithoutAKeySaysHowToMakeOne) {
  EXPECT_EQ(id_show(layout, false, out, err), kNotFound);
  EXPECT_THAT(take(err), HasSubstr("make one with `atlas id init`"));
}

TEST_F(IdCommands, ShowRefusesAKeyThatOthersCanRead) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  ASSERT_EQ(::chmod(layout.key.c_str(), 0644), 0);
  EXPECT_EQ(id_show(layout, false, out, err), kFailure) << "as `net listen`";
  EXPECT_THAT(take(err), HasSubstr("node-key.pem"));
}

TEST_F(IdCommands, ShowPrintsTheDocumentedKeys) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  ASSERT_EQ(id_set_name(layout, "alice", out, err), kOk);
  ASSERT_EQ(id_set_bio(layout, "two\nlines", out, err), kOk);
  ASSERT_EQ(id_add_skill(layout, "translate", out, err), kOk);
  take(out);
  ASSERT_EQ(id_show(layout, true, out, err), kOk) << err.str();
  const auto key = identity::NodeKey::load(layout.key);
  ASSERT_TRUE(key);
  EXPECT_EQ(take(out), nlohmann::ordered_json({{"node_id", key->node_id()},
                                               {"name", "alice"},
                                               {"bio", "two\nlines"},
                                               {"skills", {"translate"}},
                                               {"public_key", base::to_hex(key->public_key())}})
                               .dump() +
                           '\n');
  ASSERT_EQ(id_show(layout, false, out, err), kOk);
  const std::string text = take(out);
  EXPECT_THAT(text, HasSubstr("name        alice\n"));
  EXPECT_THAT(text, HasSubstr("skills      translate\n"));
}

TEST_F(IdCommands, SetChangesNothingElseInTheFile) {
  write_config("# mine\n[network]\nport = 1 # p\n");
  ASSERT_EQ(id_set_name(layout, "bob", out, err), kOk) << err.str();
  EXPECT_EQ(config_text(), "# mine\n[network]\nport = 1 # p\n\n[identity]\nname = \"bob\"\n");
}

TEST_F(IdCommands, RefusesALongName) {
  EXPECT_EQ(id_set_name(layout, std::string(64, 'x'), out, err), kOk);
  EXPECT_EQ(id_set_name(layout, std::string(65, 'x'), out, err), kUsage);
  EXPECT_THAT(take(err), HasSubstr("identity.name: \"xxx"));
  EXPECT_THAT(config_text(), HasSubstr("\"" + std::string(64, 'x') + "\""));
}

TEST_F(IdCommands, RefusesALongBio) {
  EXPECT_EQ(id_set_bio(layout, std::string(512, 'x'), out, err), kOk);
  EXPECT_EQ(id_set_bio(layout, std::string(513, 'x'), out, err), kUsage);
  EXPECT_THAT(take(err), HasSubstr("has 513 bytes; at most 512 are allowed"));
}

TEST_F(IdCommands, SkillsAreASetOfAtMost32) {
  for (int i = 0; i < 32; ++i) ASSERT_EQ(id_add_skill(layout, "s" + std::to_string(i), out, err), kOk) << err.str();
  EXPECT_EQ(id_add_skill(layout, "s0", out, err), kOk) << "it has that one already";
  EXPECT_EQ(id_add_skill(layout, "one more", out, err), kUsage);
  EXPECT_THAT(take(err), HasSubstr("at most 32 are allowed"));
  EXPECT_EQ(id_remove_skill(layout, "s0", out, err), kOk);
  EXPECT_EQ(id_add_skill(layout, "one more", out, err), kOk);
  EXPECT_EQ(id_add_skill(layout, std::string(65, 'x'), out, err), kUsage);
  EXPECT_EQ(id_remove_skill(layout, "never had", out, err), kNotFound);
}

TEST_F(IdCommands, ABadConfigIsShownAndKept) {
  write_config("[network]\nprot = 1\n");
  EXPECT_EQ(id_add_skill(layout, "x", out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr("config.toml:2:1: network.prot: unknown key"));
  EXPECT_EQ(config_text(), "[network]\nprot = 1\n");
}

TEST_F(IdCommands, ShowOfAFileThatIsNoKeyIsAFailure) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  std::ofstream(layout.key) << "no key at all\n";
  EXPECT_EQ(id_show(layout, false, out, err), kFailure);
  EXPECT_THAT(take(err), HasSubstr("node-key.pem"));
}

TEST_F(IdCommands, ChangesAtTheSameTimeAllArrive) {
  constexpr int kWriters = 10;
  std::vector<std::thread> writers;
  std::vector<int> codes(kWriters, -1);
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([&, i] {
      std::ostringstream said, wrong;
      codes[static_cast<std::size_t>(i)] = id_add_skill(layout, "skill-" + std::to_string(i), said, wrong);
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_THAT(codes, testing::Each(int{kOk}));
  config::Config config;
  ASSERT_EQ(load_config(layout, config, err), kOk) << err.str();
  EXPECT_EQ(config.identity.skills.size(), static_cast<std::size_t>(kWriters));
}

TEST_F(IdCommands, NothingInATextSteersTheTerminal) {
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  take(out);
  ASSERT_EQ(id_set_name(layout, "a\u202eb", out, err), kOk) << err.str();
  EXPECT_EQ(take(out), "name: a\\u202eb\n");
  ASSERT_EQ(id_add_skill(layout, "c\u200bd", out, err), kOk) << err.str();
  EXPECT_EQ(take(out), "skills: c\\u200bd\n");
  ASSERT_EQ(id_show(layout, false, out, err), kOk) << err.str();
  const std::string text = take(out);
  EXPECT_THAT(text, HasSubstr("name        a\\u202eb\n"));
  EXPECT_THAT(text, HasSubstr("skills      c\\u200bd\n"));
  // A program gets the text as it is.
  ASSERT_EQ(id_show(layout, true, out, err), kOk) << err.str();
  EXPECT_EQ(nlohmann::json::parse(take(out))["name"], "a\u202eb");
}

TEST_F(IdCommands, ConfigThatIsADirectoryIsAFailure) {
  ASSERT_TRUE(create_directories(layout));
  std::filesystem::create_directory(layout.config);
  EXPECT_EQ(id_set_name(layout, "x", out, err), kFailure);
  EXPECT_THAT(take(err), HasSubstr("config.toml: is no regular file; nothing was changed\n"));
}

TEST_F(IdCommands, KeysThatOthersCanReplaceAreRefused) {
  ASSERT_TRUE(create_directories(layout));
  std::filesystem::permissions(layout.keys, std::filesystem::perms(0777));
  EXPECT_EQ(id_init(layout, false, out, err), kFailure);
  EXPECT_THAT(take(err), HasSubstr("run: chmod go-w " + layout.keys.string()));
  EXPECT_FALSE(std::filesystem::exists(layout.key));
  std::filesystem::permissions(layout.keys, std::filesystem::perms(0700));
  ASSERT_EQ(id_init(layout, false, out, err), kOk);
  std::filesystem::permissions(layout.keys, std::filesystem::perms(0770));
  EXPECT_EQ(id_show(layout, false, out, err), kFailure);
  EXPECT_THAT(take(err), HasSubstr("can be written by others (mode 0770)"));
}

}  // namespace
}  // namespace atlas::cli::test
