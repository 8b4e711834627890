// Whoever logs never waits for the one who reads (A51): pipes that nobody empties, and what comes out when somebody
// does.
#include "base/line_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

namespace atlas::base {
namespace {

constexpr std::chrono::milliseconds kLong{60'000};
constexpr int kPipeBytes = 4096;

// Reads what a writer writes. The writing end stays open, as the writer does.
class LineWriterTest : public ::testing::Test {
 protected:
  ~LineWriterTest() override {
    if (read_end_ >= 0) ::close(read_end_);
  }
  // Lives as long as the process.
  LineWriter& on_pipe(std::size_t most, int bytes = kPipeBytes) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_GE(::fcntl(ends[1], F_SETPIPE_SZ, bytes), bytes);
    return on(ends, most);
  }
  LineWriter& on_socket(std::size_t most) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return on(ends, most);
  }
  std::string read_line() {
    for (;;) {
      const std::size_t end = read_.find('\n');
      if (end != std::string::npos) {
        const std::string line = read_.substr(0, end);
        read_.erase(0, end + 1);
        return line;
      }
      char piece[1024];
      const ssize_t got = ::read(read_end_, piece, sizeof piece);
      if (got <= 0) return "the end";
      read_.append(piece, static_cast<std::size_t>(got));
    }
  }
  // A writer lives as long as the process, for its thread may hang in a write; the leak checker is to see that it is
  // kept.
  static LineWriter& kept(LineWriter* writer) {
    static auto& all = *new std::vector<LineWriter*>;
    return *all.emplace_back(writer);
  }
  // A hundred bytes with its newline.
  static std::string line(int number) { return fmt::format("{:0>99}\n", number); }

 private:
  LineWriter& on(const int (&ends)[2], std::size_t most) {
    if (read_end_ >= 0) ::close(read_end_);
    read_end_ = ends[0];
    return kept(new LineWriter(ends[1], most, [](std::uint64_t count) { return fmt::format("left out {}\n", count); }));
  }

  int read_end_ = -1;
  std::string read_;
};

TEST_F(LineWriterTest, WhatIsTakenAtOnceIsThereWhenWriteReturns) {
  LineWriter& writer = on_pipe(4, 16 * kPipeBytes);
  writer.write("one\n");
  writer.write("two\n");
  EXPECT_TRUE(writer.flush(std::chrono::milliseconds(0)));
  EXPECT_EQ(read_line(), "one");
  EXPECT_EQ(read_line(), "two");
}

TEST_F(LineWriterTest, LinesKeepTheirOrderThroughTheQueue) {
  for (const bool socket : {false, true}) {
    LineWriter& writer = socket ? on_socket(100'000) : on_pipe(100'000);
    const int lines = socket ? 20'000 : 500;
    for (int i = 0; i < lines; ++i) writer.write(line(i));
    EXPECT_FALSE(writer.flush(std::chrono::milliseconds(0))) << "more than the kernel holds";
    for (int i = 0; i < lines; ++i) ASSERT_EQ(read_line() + '\n', line(i)) << socket;
    EXPECT_TRUE(writer.flush(kLong));
    writer.write("at once again\n");
    EXPECT_EQ(read_line(), "at once again");
  }
}

TEST_F(LineWriterTest, LinesThatNobodyReadsAreBounded) {
  constexpr int kMost = 8, kWritten = 1'000;
  LineWriter& writer = on_pipe(kMost);
  for (int i = 0; i < kWritten; ++i) writer.write(line(i));
  int next = 0, kept = 0;
  while (next < kWritten) {
    const std::string text = read_line();
    if (int left_out = 0; std::sscanf(text.c_str(), "left out %d", &left_out) == 1) {
      ASSERT_GT(left_out, 0);
      next += left_out;
    } else {
      ASSERT_EQ(text + '\n', line(next)) << "the notice stands where lines are missing";
      ++next;
      ++kept;
    }
  }
  EXPECT_EQ(next, kWritten);
  EXPECT_LE(kept, kPipeBytes / 100 + 1 + kMost);
  writer.write("room again\n");
  EXPECT_EQ(read_line(), "room again") << "told once";
}

TEST_F(LineWriterTest, ALineLongerThanThePipeComesWhole) {
  LineWriter& writer = on_pipe(4);
  const std::string text(5 * kPipeBytes, 'x');
  writer.write(text + '\n');
  writer.write("behind\n");
  EXPECT_EQ(read_line(), text);
  EXPECT_EQ(read_line(), "behind");
}

TEST_F(LineWriterTest, AClosedDescriptorHoldsNothingUp) {
  LineWriter& writer = kept(new LineWriter(-1, 4, [](std::uint64_t) { return std::string("\n"); }));
  for (int i = 0; i < 10; ++i) writer.write("nobody\n");
  EXPECT_TRUE(writer.flush(std::chrono::milliseconds(0)));
}

}  // namespace
}  // namespace atlas::base
