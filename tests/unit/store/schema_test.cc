// Migrations: each runs once and whole or not at all, and a file says whose it is.
#include "store/schema.h"

#include <gtest/gtest.h>

#include <fstream>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

class SchemaTest : public testing::Test {
 protected:
  Connection open() {
    if (!std::filesystem::exists(file)) std::ofstream{file};
    Connection connection;
    EXPECT_TRUE(Connection::open(file, Connection::Use::kWriter, connection).ok());
    return connection;
  }
  Owner owner() {
    Connection connection = open();
    Owner out{};
    EXPECT_TRUE(owner_of(connection, out, version).ok());
    return out;
  }
  TempFolder folder;
  std::filesystem::path file = folder / "peers.db";
  std::int64_t version = -1;
};

TEST_F(SchemaTest, EmptyFileBecomesOurs) {
  EXPECT_EQ(owner(), Owner::kEmpty);
  Connection connection = open();
  ASSERT_TRUE(migrate(connection).ok());
  connection.close();
  EXPECT_EQ(owner(), Owner::kOurs);
  EXPECT_EQ(version, static_cast<std::int64_t>(migrations().size()));
  EXPECT_EQ(ask(file, "PRAGMA application_id"), std::to_string(0x41544c53));
}

TEST_F(SchemaTest, TablesHaveEveryFieldOfThePublishedOnes) {
  Connection connection = open();
  ASSERT_TRUE(migrate(connection).ok());
  connection.close();
  Outsider person(file);
  person.ask(
      "SELECT node_id, address, public_address, name, skills, operator_username, trust_level, last_seen, "
      "last_failure, ban_until FROM peers");
  person.ask("SELECT node_id, address, protocol_version, connected_at, trust_level FROM sessions");
}

TEST_F(SchemaTest, LaterMigrationsKeepWhatIsThereAndRunOnce) {
  const char* const first[] = {"CREATE TABLE t (a INTEGER)"};
  const char* const both[] = {"CREATE TABLE t (a INTEGER)", "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'x'"};
  Connection connection = open();
  ASSERT_TRUE(migrate(connection, first).ok());
  ASSERT_TRUE(connection.exec("INSERT INTO t (a) VALUES (7)").ok());
  ASSERT_TRUE(migrate(connection, both).ok());
  ASSERT_TRUE(migrate(connection, both).ok());
  connection.close();
  EXPECT_EQ(ask(file, "SELECT a, b FROM t"), "7|x");
  EXPECT_EQ(ask(file, "PRAGMA user_version"), "2");
}

TEST_F(SchemaTest, MigrationThatFailsLeavesNothingOfItself) {
  const char* const broken[] = {"CREATE TABLE t (a INTEGER)", "CREATE TABLE u (a INTEGER); CREATE TABLE t (a INTEGER)"};
  Connection connection = open();
  EXPECT_FALSE(migrate(connection, broken).ok());
  EXPECT_FALSE(connection.in_transaction());
  connection.close();
  EXPECT_EQ(ask(file, "PRAGMA user_version"), "1");
  EXPECT_EQ(ask(file, "SELECT name FROM sqlite_schema"), "t");
}

TEST_F(SchemaTest, NewerSchemaIsSeen) {
  Connection connection = open();
  ASSERT_TRUE(migrate(connection).ok());
  connection.close();
  ask(file, "PRAGMA user_version=99");
  EXPECT_EQ(owner(), Owner::kOurNewer);
  EXPECT_EQ(version, 99);
}

TEST_F(SchemaTest, FilesOfOthersAreSeen) {
  ask(file, "CREATE TABLE notes (t TEXT)");
  EXPECT_EQ(owner(), Owner::kForeign);
  std::filesystem::remove(file);
  ask(file, "PRAGMA application_id=252006675; CREATE TABLE x (y)");
  EXPECT_EQ(owner(), Owner::kForeign);
  std::filesystem::remove(file);
  ask(file, "PRAGMA user_version=3");
  EXPECT_EQ(owner(), Owner::kForeign);
}

TEST_F(SchemaTest, ComparisonNamesWhatDiffers) {
  Connection connection = open();
  ASSERT_TRUE(migrate(connection).ok());
  const auto difference = [&] {
    std::string text;
    EXPECT_TRUE(compare_schema(connection, text).ok());
    return text;
  };
  EXPECT_EQ(difference(), "");
  ask(file, "CREATE TABLE my_notes (t TEXT); CREATE INDEX mine ON peers (name)");
  EXPECT_EQ(difference(), "");
  ask(file, "CREATE VIEW v AS SELECT 1");
  EXPECT_EQ(difference(), "it has a view 'v'");
  ask(file, "DROP VIEW v; CREATE TRIGGER g AFTER INSERT ON peers BEGIN DELETE FROM peers; END");
  EXPECT_EQ(difference(), "it has a trigger 'g'");
  ask(file, "DROP TRIGGER g; DROP INDEX peers_by_ban");
  EXPECT_EQ(difference(), "'peers_by_ban' is missing");
  ask(file, "CREATE INDEX peers_by_ban ON peers (name)");
  EXPECT_EQ(difference(), "'peers_by_ban' is not as Atlas makes it");
}

}  // namespace
}  // namespace atlas::store
