// kill -9 in the middle of writing, again and again, on one and the same database: each time it must be whole, with
// every row there that was acknowledged. ATLAS_KILL_LOOPS sets how often.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

// The writer removes rows 3 000 behind the one it writes, of which some are not acknowledged yet.
constexpr std::uint64_t kSurelyKept = 2'500;

struct Child {
  pid_t pid = -1;
  int output = -1;
};

Child start(const std::filesystem::path& file, std::uint64_t after) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const std::string number = std::to_string(after);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(ATLAS_STORE_KILL_WRITER, ATLAS_STORE_KILL_WRITER, file.c_str(), number.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

// Reads acknowledgements until `enough` bytes of them have come, kills, and reads what was still in the pipe.
std::uint64_t kill_after(const Child& child, std::size_t enough, std::uint64_t last, bool* early) {
  std::string text;
  char piece[4096];
  ssize_t got;
  bool killed = false;
  while ((got = read(child.output, piece, sizeof piece)) > 0) {
    text.append(piece, static_cast<std::size_t>(got));
    if (!killed && text.size() >= enough) {
      EXPECT_EQ(kill(child.pid, SIGKILL), 0);
      killed = true;
    }
  }
  close(child.output);
  int status = 0;
  EXPECT_EQ(waitpid(child.pid, &status, 0), child.pid);
  *early = !killed;
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the writer ended by itself, status " << status;
  text.resize(text.find_last_of('\n') + 1);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::uint64_t number = 0;
    std::from_chars(text.data() + at, text.data() + end, number);
    EXPECT_EQ(number, last + 1) << "acknowledged out of order";
    last = number;
    at = end + 1;
  }
  return last;
}

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
  const char* set = std::getenv(variable);
  return set ? std::strtoull(set, nullptr, 10) : otherwise;
}

std::uint64_t loops() {
  return number_of("ATLAS_KILL_LOOPS", 20);
}

void expect_whole(const std::filesystem::path& file, std::uint64_t last) {
  Outsider reader(file);
  EXPECT_EQ(reader.ask("PRAGMA integrity_check"), "ok");
  const std::uint64_t first = last > kSurelyKept ? last - kSurelyKept + 1 : 1;
  EXPECT_EQ(reader.ask("SELECT count(*) FROM plugin_rows WHERE CAST(CAST(key AS TEXT) AS INTEGER) BETWEEN " +
                       std::to_string(first) + " AND " + std::to_string(last)),
            std::to_string(last - first + 1));
  EXPECT_EQ(reader.ask("SELECT count(*) FROM plugin_rows WHERE length(value) <> 1 + CAST(CAST(key AS TEXT) AS INTEGER) "
                       "* 37 % 3000"),
            "0");
  EXPECT_EQ(reader.ask("SELECT count(*) > 500 FROM peers"), "0");
}

TEST(StoreKill, EveryAcknowledgedRowIsThereAndTheFileIsWhole) {
  TempFolder folder;
  const auto file = folder / "peers.db";
  const std::uint64_t seed = number_of("ATLAS_KILL_SEED", static_cast<std::uint64_t>(getpid()));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uint64_t last = 0;
  for (std::uint64_t loop = 0; loop < loops(); ++loop) {
    const Child child = start(file, last);
    bool early = false;
    const std::uint64_t acknowledged = kill_after(child, 1 + random() % 12'000, last, &early);
    ASSERT_FALSE(early) << "loop " << loop;
    ASSERT_GT(acknowledged, last) << "loop " << loop;
    last = acknowledged;
    expect_whole(file, last);
    ASSERT_FALSE(HasFailure()) << "loop " << loop << ", last acknowledged " << last;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().string().find("damaged"), std::string::npos) << entry.path();
  }
  std::printf("%llu kills, %llu rows acknowledged, none lost\n", static_cast<unsigned long long>(loops()),
              static_cast<unsigned long long>(last));
}

}  // namespace
}  // namespace atlas::store
