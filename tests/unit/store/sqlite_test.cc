#include "store/sqlite.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "unit/store/support.h"

namespace atlas::store {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto file = folder / "peers.db";
    ask(file, "CREATE TABLE rows (cell BLOB)");
    ASSERT_TRUE(Connection::open(file, Connection::Use::kWriter, db).ok());
  }
  bool runs(const std::string& sql) { return db.exec(sql.c_str()).ok(); }

  TempFolder folder;
  Connection db;
};

// `count` times the text.
std::string times(std::uint64_t count, const char* text) {
  std::string out;
  for (std::uint64_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST_F(SqliteTest, CellsAreBounded) {
  EXPECT_TRUE(runs("SELECT zeroblob(" + std::to_string(base::limits::store_cell_bytes) + ")"));
  EXPECT_FALSE(runs("SELECT zeroblob(" + std::to_string(base::limits::store_cell_bytes + 1) + ")"));
}

TEST_F(SqliteTest, StatementsAreBounded) {
  const std::string sql = "SELECT 1";
  const std::size_t most = base::limits::store_statement_bytes;
  EXPECT_TRUE(runs(sql + std::string(most - sql.size(), ' ')));
  EXPECT_FALSE(runs(sql + std::string(most - sql.size() + 1, ' ')));
}

TEST_F(SqliteTest, ColumnsAreBounded) {
  EXPECT_TRUE(runs("SELECT 1" + times(base::limits::store_columns - 1, ",1")));
  EXPECT_FALSE(runs("SELECT 1" + times(base::limits::store_columns, ",1")));
}

TEST_F(SqliteTest, ExpressionsAreBounded) {
  EXPECT_TRUE(runs("SELECT 1" + times(base::limits::store_expression_depth - 1, "+1")));
  EXPECT_FALSE(runs("SELECT 1" + times(base::limits::store_expression_depth, "+1")));
}

}  // namespace
}  // namespace atlas::store
