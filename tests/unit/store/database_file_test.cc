// From path to database: made for the owner only, damaged files moved aside, files of others and places that cannot be
// written refused in words.
#include "store/database_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kRoom = 64u << 20;
constexpr std::int64_t kNow = 1'700'000'000;

// Permissions do not hold for root; somebody else takes the test's place while this lives.
class AsNobody {
 public:
  AsNobody() {
    if (geteuid() == 0) switched_ = seteuid(65534) == 0;
  }
  ~AsNobody() {
    if (switched_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }

 private:
  bool switched_ = false;
};

class DatabaseFileTest : public testing::Test {
 protected:
  base::Result<Connection> open(std::int64_t now = kNow) { return open_database(file, kRoom, now); }
  std::string refusal() {
    const auto opened = open();
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().text;
  }
  void make() {
    auto made = open();
    ASSERT_TRUE(made) << made.error().text;
    ASSERT_TRUE(made->exec("BEGIN").ok());
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(made->exec(("INSERT INTO plugin_rows (plugin, key, value) VALUES ('p', CAST('" + std::to_string(i) +
                              "' AS BLOB), zeroblob(200))")
                                 .c_str())
                      .ok());
    }
    ASSERT_TRUE(made->exec("COMMIT").ok());
  }
  void overwrite(std::size_t at, const std::string& with) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(pwrite(fd, with.data(), with.size(), static_cast<off_t>(at)), static_cast<ssize_t>(with.size()));
    ::close(fd);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }
  TempFolder folder;
  std::filesystem::path file = folder / "peers.db";
};

TEST_F(DatabaseFileTest, MadeForTheOwnerOnlyWhateverTheMask) {
  const mode_t before = umask(0);
  auto made = open();
  umask(before);
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_TRUE(made->exec("INSERT INTO plugin_rows (plugin, key, value) VALUES ('p', x'01', x'02')").ok());
  for (const char* name : {"peers.db", "peers.db-wal", "peers.db-shm"}) {
    struct stat found {};
    ASSERT_EQ(stat((folder / name).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 07777, 0600u) << name;
  }
}

TEST_F(DatabaseFileTest, FileThatOthersMayReadKeepsItsModeWithAWarning) {
  make();
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  testing::internal::CaptureStderr();
  const auto opened = open();
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(opened);
  EXPECT_THAT(log, HasSubstr("can be read by others (mode 0644); run: chmod 600 " + file.string()));
  struct stat found {};
  ASSERT_EQ(stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0644u);
}

TEST_F(DatabaseFileTest, FileThatOthersMayWriteIsRefusedAndLeftAsItIs) {
  make();
  ASSERT_EQ(chmod(file.c_str(), 0666), 0);
  EXPECT_THAT(refusal(), HasSubstr("can be written by others (mode 0666); run: chmod go-w " + file.string()));
  struct stat found {};
  ASSERT_EQ(stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0666u);
}

TEST_F(DatabaseFileTest, RunsInWriteAheadLogWithItsDefences) {
  auto made = open();
  ASSERT_TRUE(made);
  const auto pragma = [&](const char* name) {
    Query query(*made, name);
    return query.next() ? std::string(query.text(0)) : std::string("none");
  };
  EXPECT_EQ(pragma("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(pragma("PRAGMA trusted_schema"), "0");
  EXPECT_EQ(pragma("PRAGMA cell_size_check"), "1");
  EXPECT_EQ(pragma("PRAGMA mmap_size"), "0");
  EXPECT_EQ(pragma("PRAGMA busy_timeout"), "5000");
  EXPECT_EQ(pragma("PRAGMA journal_size_limit"), "4194304");
  EXPECT_EQ(pragma("PRAGMA wal_autocheckpoint"), "1000");
  EXPECT_EQ(pragma("PRAGMA max_page_count"), std::to_string(kRoom / 4096));
  EXPECT_FALSE(made->exec("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema").ok());
  EXPECT_FALSE(made->exec("SELECT load_extension('x')").ok());
}

TEST_F(DatabaseFileTest, SecondOpenFindsTheRows) {
  make();
  auto again = open();
  ASSERT_TRUE(again);
  std::int64_t rows = 0;
  ASSERT_TRUE(again->integer("SELECT count(*) FROM plugin_rows", rows).ok());
  EXPECT_EQ(rows, 500);
}

TEST_F(DatabaseFileTest, DamagedPageMovesTheFileAside) {
  make();
  overwrite(8 * 4096, std::string(4096, '\xff'));
  auto fresh = open();
  ASSERT_TRUE(fresh) << fresh.error().text;
  std::int64_t rows = -1;
  ASSERT_TRUE(fresh->integer("SELECT count(*) FROM plugin_rows", rows).ok());
  EXPECT_EQ(rows, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "peers.db.damaged-1700000000"));
}

TEST_F(DatabaseFileTest, EveryKindOfDamageIsSurvived) {
  const std::function<void()> damages[] = {
      [&] { overwrite(0, "this is no database at all"); },
      [&] { overwrite(0, std::string(100, '\0')); },
      [&] { std::filesystem::resize_file(file, 5000); },
      [&] { std::filesystem::resize_file(file, 100); },
      [&] { overwrite(100, std::string(300, '\xff')); },  // the schema's own page
      [&] { overwrite(2 * 4096 + 1, std::string(50, 'Z')); },
      [&] { std::ofstream(folder / "peers.db-wal", std::ios::binary) << std::string(9000, 'w'); },
  };
  std::int64_t now = kNow;
  for (std::size_t i = 0; i < std::size(damages); ++i) {
    std::filesystem::remove(file);
    make();
    damages[i]();
    auto opened = open(++now);
    ASSERT_TRUE(opened) << i << ": " << opened.error().text;
    ASSERT_TRUE(opened->exec("INSERT INTO plugin_rows (plugin, key, value) VALUES ('q', x'01', x'02')").ok()) << i;
  }
}

TEST_F(DatabaseFileTest, DamagedFilesDoNotPileUp) {
  for (int i = 0; i < 6; ++i) {
    std::ofstream(file) << std::string(8192, 'x');
    ASSERT_TRUE(open(kNow + i));
  }
  // The same second twice, and copies beyond the bound gone, the oldest first.
  std::ofstream(file) << std::string(8192, 'x');
  ASSERT_TRUE(open(kNow + 5));
  EXPECT_THAT(names(), testing::ElementsAre("peers.db", "peers.db.damaged-1700000004", "peers.db.damaged-1700000005",
                                            "peers.db.damaged-1700000006"));
}

TEST_F(DatabaseFileTest, DatabaseOfAnotherProgramIsLeftAlone) {
  ask(file, "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')");
  EXPECT_THAT(refusal(), HasSubstr("another program"));
  EXPECT_EQ(ask(file, "SELECT url FROM bookmarks"), "x");
  EXPECT_EQ(ask(file, "PRAGMA journal_mode"), "delete");
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(DatabaseFileTest, NewerSchemaIsLeftAlone) {
  make();
  ask(file, "PRAGMA user_version=99");
  EXPECT_THAT(refusal(), HasSubstr("newer Atlas"));
}

TEST_F(DatabaseFileTest, TriggersAndViewsOfAHostileFileAreRefused) {
  make();
  ask(file, "CREATE TRIGGER t AFTER INSERT ON peers BEGIN DELETE FROM peers; END");
  EXPECT_THAT(refusal(), HasSubstr("trigger 't'"));
  ask(file, "DROP TRIGGER t; DROP TABLE sessions; CREATE VIEW sessions AS SELECT * FROM peers");
  EXPECT_THAT(refusal(), HasSubstr("peer database: the tables of"));
}

TEST_F(DatabaseFileTest, FolderThatCannotBeWrittenSaysSo) {
  ASSERT_EQ(chmod(folder.path().c_str(), 0555), 0);
  {
    AsNobody nobody;
    const std::string text = refusal();
    EXPECT_THAT(text, HasSubstr("cannot write in " + folder.path().string()));
    EXPECT_THAT(text, HasSubstr("Permission denied"));
    EXPECT_THAT(text, HasSubstr("--root"));
  }
  chmod(folder.path().c_str(), 0755);
}

TEST_F(DatabaseFileTest, FileThatCannotBeWrittenSaysSo) {
  make();
  ASSERT_EQ(chmod(folder.path().c_str(), 0777), 0);
  ASSERT_EQ(chmod(file.c_str(), 0444), 0);
  AsNobody nobody;
  EXPECT_THAT(refusal(), HasSubstr("cannot write " + file.string()));
}

TEST_F(DatabaseFileTest, FolderThatIsNotThereSaysSo) {
  file = folder / "no/such/peers.db";
  EXPECT_THAT(refusal(), HasSubstr("No such file or directory"));
}

TEST_F(DatabaseFileTest, LinksAndFoldersAreNoDatabase) {
  std::ofstream(folder / "target") << "precious";
  std::filesystem::create_symlink(folder / "target", file);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  std::filesystem::remove(file);
  std::filesystem::create_symlink(folder / "nowhere", file);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  EXPECT_FALSE(std::filesystem::exists(folder / "nowhere"));
}

}  // namespace
}  // namespace atlas::store
