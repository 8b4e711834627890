// What a peer had a hand in cannot forge, colour or flood a log (A51), and secrets do not show in it (A50).
#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace atlas::base {
namespace {

TEST(Escaped, ControlBytesAndBrokenTextShowAsHex) {
  EXPECT_EQ(escaped("plain text"), "plain text");
  EXPECT_EQ(escaped("a\nb\r\tc"), "a\\x0ab\\x0d\\x09c");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escaped("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
  EXPECT_EQ(escaped("caf\xc3\xa9 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(escaped("caf\xc3"), "caf\\xc3");
  EXPECT_EQ(escaped("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

// U+009B alone begins a terminal's command sequence.
TEST(Escaped, ControlCharactersAboveAsciiToo) {
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(escaped("\xc2\x80"), "\\xc2\\x80");
  EXPECT_EQ(escaped("\xc2\xa0"), "\xc2\xa0") << "a no-break space is none";
}

TEST(Escaped, EveryByteComesOutPrintableAndShort) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      const std::string out = escaped(text);
      ASSERT_TRUE(is_utf8(out)) << a << " " << b;
      for (const char c : out) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << a << " " << b;
    }
  }
}

TEST(Escaped, EndsAtItsLimitWithoutCuttingACharacter) {
  EXPECT_EQ(escaped("abcdef", 6), "abcdef");
  EXPECT_EQ(escaped("abcdef", 5), "ab...");
  EXPECT_EQ(escaped("a\xc3\xa9zzz", 5), "a...");
  EXPECT_EQ(escaped("a\xc3\xa9zzz", 6), "a\xc3\xa9zzz");
  EXPECT_EQ(escaped("a\n", 4), "a...");
  EXPECT_EQ(escaped(std::string(10'000, 'x')).size(), kMaxLogLine);
  EXPECT_EQ(escaped("xyz", 2), "..");
  EXPECT_EQ(escaped("x", 0), "");
  EXPECT_EQ(escaped("", 0), "");
}

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { configure_log(Level::kWarn, LogFormat::kText); }
  template <class Write>
  static std::string captured(Write&& write) {
    ::testing::internal::CaptureStderr();
    write();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  configure_log(Level::kWarn, LogFormat::kText);
  EXPECT_FALSE(log_enabled(Level::kInfo));
  EXPECT_EQ(captured([] { log(Level::kInfo, "quic", "hidden"); }), "");
  EXPECT_NE(captured([] { log(Level::kError, "quic", "shown {}", 7); }).find("error quic: shown 7\n"),
            std::string::npos);
  configure_log(Level::kOff, LogFormat::kText);
  EXPECT_EQ(captured([] { log(Level::kError, "quic", "hidden"); }), "");
  configure_log(Level::kDebug, LogFormat::kText);
  EXPECT_NE(captured([] { log(Level::kDebug, "quic", "shown"); }), "");
}

TEST_F(LogTest, OneCallIsOneLineWhateverThePeerSent) {
  configure_log(Level::kInfo, LogFormat::kText);
  const std::string name = "eve\n2030-01-01T00:00:00.000Z error core: forged {} %s";
  const std::string out = captured([&] { log(Level::kInfo, "session", "hello from {}", name); });
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  EXPECT_NE(out.find("eve\\x0a2030"), std::string::npos) << out;
  EXPECT_NE(out.find("forged {} %s"), std::string::npos) << out;
}

TEST_F(LogTest, JsonLinesParse) {
  configure_log(Level::kInfo, LogFormat::kJson);
  const std::string out = captured([] { log(Level::kWarn, "store", "a \"quoted\" \\ path\nand {}", "\xff"); });
  ASSERT_FALSE(out.empty());
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  const auto line = nlohmann::json::parse(out);
  EXPECT_EQ(line.at("level"), "warn");
  EXPECT_EQ(line.at("who"), "store");
  EXPECT_EQ(line.at("line"), "a \"quoted\" \\ path\\x0aand \\xff");
  EXPECT_EQ(line.at("time").get<std::string>().size(), std::string("2030-01-01T00:00:00.000Z").size());
}

// A pipe in the place of stderr, in a process of its own, that holds far less than what is logged.
class StalledStderr : public LogTest {
 protected:
  static constexpr int kLines = 500;

  StalledStderr() {
    EXPECT_EQ(::pipe2(pipe_, O_CLOEXEC), 0);
    EXPECT_GE(::fcntl(pipe_[1], F_SETPIPE_SZ, 4096), 4096);
    configure_log(Level::kInfo, LogFormat::kText);
  }
  ~StalledStderr() override {
    ::close(pipe_[0]);
    if (pipe_[1] >= 0) ::close(pipe_[1]);
  }
  static void log_all() {
    for (int i = 0; i < kLines; ++i) log(Level::kInfo, "quic", "line {:0>100}", i);
  }
  void close_writing_end() { ::close(std::exchange(pipe_[1], -1)); }
  // Until all lines have come, or the end.
  std::string read_all() {
    std::string text;
    char piece[4096];
    while (std::count(text.begin(), text.end(), '\n') < kLines) {
      const ssize_t got = ::read(pipe_[0], piece, sizeof piece);
      if (got <= 0) break;
      text.append(piece, static_cast<std::size_t>(got));
    }
    return text;
  }
  static void expect_all(const std::string& text) {
    std::size_t at = 0;
    for (int i = 0; i < kLines; ++i) {
      const std::size_t found = text.find(fmt::format("quic: line {:0>100}\n", i), at);
      ASSERT_NE(found, std::string::npos) << i;
      at = found;
    }
  }

  int pipe_[2] = {-1, -1};
};

TEST_F(StalledStderr, HoldsNobodyUpAndGetsAllBeforeTheProcessEnds) {
  int logged[2];
  ASSERT_EQ(::pipe2(logged, O_CLOEXEC), 0);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::dup2(pipe_[1], STDERR_FILENO);
    log_all();
    std::exit(::write(logged[1], "!", 1) == 1 ? 0 : 1);
  }
  close_writing_end();
  ::close(logged[1]);
  char byte = 0;
  EXPECT_EQ(::read(logged[0], &byte, 1), 1) << "nobody has read a line yet";
  ::close(logged[0]);
  expect_all(read_all());
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(StalledStderr, DoesNotKeepTheProcessFromEnding) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::dup2(pipe_[1], STDERR_FILENO);
    log_all();
    std::exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child) << "nobody reads";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(LogTest, SecretsShowAsStars) {
  EXPECT_EQ(fmt::format("key {}", Secret<std::string>{"hunter2"}), "key ***");
}

TEST(LogGate, PassesTheBurstThenCountsWhatItLeavesOut) {
  LogGate gate(3, 100);
  std::uint32_t left_out = 99;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gate.pass(1'000, &left_out));
    EXPECT_EQ(left_out, 0u);
  }
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(gate.pass(1'099));
  EXPECT_TRUE(gate.pass(1'100, &left_out)) << "a new period";
  EXPECT_EQ(left_out, 10u);
  EXPECT_TRUE(gate.pass(1'101, &left_out));
  EXPECT_EQ(left_out, 0u) << "told once";
  EXPECT_TRUE(gate.pass(1'102));
  EXPECT_FALSE(gate.pass(1'103));
}

TEST(LogGate, ThreadsShareOneBurst) {
  LogGate gate(50, 1'000'000);
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) passed += gate.pass(500) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(passed, 50);
}

}  // namespace
}  // namespace atlas::base
