// kill -9 of any of three nodes in the middle of their work: the others go on, and after a restart the network is whole
// again without a person; no database is damaged. ATLAS_KILL_LOOPS sets how often (the tests' default is small).
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <charconv>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::NodeProcess;

int loops() {
  const char* given = getenv("ATLAS_KILL_LOOPS");
  if (given == nullptr) return 3;
  const std::string_view text = given;
  int count = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), count);
  if (error == std::errc() && end == text.end() && count > 0) return count;
  throw std::runtime_error("ATLAS_KILL_LOOPS=" + std::string(text) + ": expected a whole number above 0");
}

// The text of SQLite's own check; "ok" when the file is sound.
std::string integrity(const std::filesystem::path& file) {
  sqlite3* database = nullptr;
  std::string out = "cannot be opened";
  if (sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, nullptr);
    if (sqlite3_step(statement) == SQLITE_ROW) out = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
  }
  sqlite3_close(database);
  return out;
}

class KillTest : public testing::Test {
 protected:
  KillTest() : bootstrap(home, "bootstrap"), alice(home, "alice"), bob(home, "bob") {
    bootstrap.write_config("[plugins]\nenabled = [\"bootstrap\", \"keepalive\"]\n[plugins.keepalive]\ninterval = 1\n");
    alice.write_config("[plugins.keepalive]\ninterval = 1\n[plugins.messaging]\nretry_first = \"100ms\"\n");
    bob.write_config("[plugins.keepalive]\ninterval = 1\n");
    bootstrap.start();
    alice.start({"--bootstrap", bootstrap.address()});
    bob.start({"--bootstrap", bootstrap.address()});
  }
  bool is_whole() {
    return kit::eventually(
        [&] {
          const auto registry = bootstrap.run({"net", "registry", "--json"});
          return registry.exit_code == 0 && registry.json().size() == 2;
        },
        std::chrono::seconds(90));
  }

  kit::TemporaryHome home;
  NodeProcess bootstrap, alice, bob;
};

TEST_F(KillTest, NetworkIsWholeAgainAndNoDatabaseIsDamaged) {
  ASSERT_TRUE(is_whole());
  NodeProcess* const nodes[] = {&bootstrap, &alice, &bob};
  int sent = 0;
  for (int loop = 0; loop < loops(); ++loop) {
    NodeProcess& victim = *nodes[loop % 3];
    // In the middle: a message is on its way while the victim dies.
    if (&victim != &alice &&
        alice.run({"net", "send", bob.address(), "message " + std::to_string(loop)}).exit_code == 0) {
      ++sent;
    }
    victim.kill();
    EXPECT_EQ(integrity(victim.root() / "state" / "peers.db"), "ok") << victim.name() << " in loop " << loop;
    for (NodeProcess* other : nodes) {
      if (other == &victim) continue;
      EXPECT_EQ(other->run({"net", "status"}).exit_code, 0) << other->name() << " in loop " << loop;
    }
    victim.start();
    ASSERT_TRUE(is_whole()) << "after " << victim.name() << " came back in loop " << loop << "\n" << alice.log();
  }
  EXPECT_TRUE(kit::eventually([&] {
    return bob.run({"net", "inbox", "--limit", "10000", "--json"}).json().size() >= static_cast<std::size_t>(sent);
  }));
  EXPECT_EQ(alice.stop(), 0);
  EXPECT_EQ(bob.stop(), 0);
  EXPECT_EQ(bootstrap.stop(), 0);
}

}  // namespace
}  // namespace atlas
