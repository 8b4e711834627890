// The other ends of streams and connections in a trial: each manner ends what it begins, and nothing is told twice.
#include "trial/far_ends.h"

#include <gtest/gtest.h>

#include "trial/machine.h"

namespace atlas::trial {
namespace {

class FarEndsTest : public testing::Test {
 protected:
  FarEnds::Pipe stream() {
    auto pipe = std::make_shared<host::StreamPipe>(host::StreamPipe::Setup{
        .tag = ++tags_, .wake_strand = [] {}, .wake_network = [this, tag = tags_] { ends_.serve(tag); }, .held = {}});
    return pipe;
  }
  FarEnds::Carrier connection() {
    return std::make_shared<host::ConnectionPipe>(
        host::ConnectionPipe::Setup{
            .tag = ++tags_, .wake_strand = [] {}, .arrived = [this](bool) { return arrived_.emplace_back(stream()); }},
        "192.0.2.1:5");
  }
  void run() {
    for (int i = 0; i < 1000 && ends_.turn(); ++i) {
    }
    EXPECT_FALSE(ends_.turn()) << "it comes to rest";
  }
  void pass(base::MonoNs span) {
    clock_.move_to(clock_.mono_ns() + span);
    run();
  }
  // All that the plugin would be told; the last of it is the end.
  static std::vector<host::StreamPipe::Event> all(const FarEnds::Pipe& pipe) {
    std::vector<host::StreamPipe::Event> out;
    while (auto event = pipe->take()) out.push_back(std::move(*event));
    return out;
  }
  static atlas_status end_of(const FarEnds::Pipe& pipe) {
    const auto events = all(pipe);
    if (events.empty() || events.back().what != ATLAS_STREAM_CLOSED) return 1;
    return events.back().status;
  }
  // Up to the verdict, which accepts.
  bool judged(const FarEnds::Carrier& carrier) {
    run();
    const auto event = carrier->take();
    if (!event || event->what != host::ConnectionPipe::Event::What::kVerify) return false;
    ends_.judge(carrier->tag(), true);
    run();
    return true;
  }

  VirtualClock clock_;
  FarEnds ends_{clock_};
  std::uint64_t tags_ = 0;
  std::vector<FarEnds::Pipe> arrived_;
};

TEST_F(FarEndsTest, OneThatRefusesSaysNothingElse) {
  const auto pipe = stream();
  ends_.open(pipe, {FarEnds::kInSession, 1});
  EXPECT_FALSE(pipe->take()) << "nothing is told inside the call";
  run();
  EXPECT_EQ(end_of(pipe), ATLAS_E_DENIED);
  EXPECT_EQ(ends_.next_deadline(), base::kNever);
}

TEST_F(FarEndsTest, NonsenseIsSaidInEveryWayAndEndsWithTheRolesOwnEnd) {
  ends_.behave(Manner::kTalksNonsense);
  ends_.teach({{1, 2, 3}});
  for (int i = 0; i < 3; ++i) {
    const auto pipe = stream();
    pipe->write(base::Bytes(1000, 'x'));
    ends_.open(pipe, {FarEnds::kInSession, 1});
    run();
    pipe->finish();
    pipe->reset(1);
    run();
    const auto events = all(pipe);
    ASSERT_GE(events.size(), 3u);
    EXPECT_EQ(events.front().what, std::uint32_t{ATLAS_STREAM_DATA});
    EXPECT_EQ(events.front().data.front(), 1);
    EXPECT_EQ(events.back().what, std::uint32_t{ATLAS_STREAM_CLOSED});
  }
}

TEST_F(FarEndsTest, OneThatIsSilentTakesNothingUntilItIsIdle) {
  ends_.behave(Manner::kSilent);
  const auto pipe = stream();
  EXPECT_EQ(pipe->write(base::Bytes(host::StreamPipe::kSendBudget, 'x')), host::StreamPipe::Outcome::kDone);
  ends_.open(pipe, {FarEnds::kInSession, 1});
  run();
  pass(59 * base::kSecond);
  EXPECT_FALSE(pipe->take());
  EXPECT_EQ(pipe->write(base::Bytes(1, 'y')), host::StreamPipe::Outcome::kFull);
  pass(base::kSecond);
  EXPECT_EQ(end_of(pipe), ATLAS_E_TIMEOUT);
}

TEST_F(FarEndsTest, StreamsEndWithWhatTheyBelongTo) {
  ends_.behave(Manner::kSilent);
  const auto ours = stream(), theirs = stream(), other = stream();
  ends_.open(ours, {FarEnds::kInSession, 1});
  ends_.adopt(theirs, {FarEnds::kInSession, 1});
  ends_.adopt(other, {FarEnds::kInConnection, 1});
  run();
  ends_.end({FarEnds::kInSession, 1});
  EXPECT_EQ(end_of(ours), ATLAS_E_GONE);
  EXPECT_EQ(end_of(theirs), ATLAS_E_GONE);
  EXPECT_EQ(end_of(other), 1);
  ends_.over(other->tag(), true, true);
  run();
  EXPECT_EQ(end_of(other), ATLAS_OK);
}

TEST_F(FarEndsTest, DialsEndInEveryManner) {
  using What = host::ConnectionPipe::Event::What;
  const auto refused = connection(), silent = connection(), closed = connection();
  ends_.dial({.alpn = "x", .remote = {}, .server_name = "", .timeout = 5 * base::kSecond, .pipe = refused});
  run();
  EXPECT_EQ(refused->take()->why, std::uint32_t{ATLAS_CLOSED_TRANSPORT});
  ends_.behave(Manner::kSilent);
  ends_.dial({.alpn = "x", .remote = {}, .server_name = "", .timeout = 5 * base::kSecond, .pipe = silent});
  ends_.dial({.alpn = "x", .remote = {}, .server_name = "", .timeout = 5 * base::kSecond, .pipe = closed});
  ends_.close(closed->tag(), 7, "enough");
  run();
  EXPECT_EQ(closed->take()->why, std::uint32_t{ATLAS_CLOSED_LOCAL});
  EXPECT_FALSE(silent->take());
  pass(5 * base::kSecond);
  EXPECT_EQ(silent->take()->why, std::uint32_t{ATLAS_CLOSED_IDLE});

  ends_.behave(Manner::kTalksNonsense);
  const auto spoken = connection();
  ends_.dial({.alpn = "x", .remote = {}, .server_name = "", .timeout = 5 * base::kSecond, .pipe = spoken});
  ASSERT_TRUE(judged(spoken));
  EXPECT_EQ(spoken->take()->what, What::kUp);
  EXPECT_EQ(arrived_.size(), 2u) << "of both kinds";
  EXPECT_FALSE(spoken->take()) << "their ends come first";
  for (const auto& pipe : arrived_) {
    EXPECT_NE(end_of(pipe), 1);
    spoken->stream_over();
  }
  EXPECT_EQ(spoken->take()->what, What::kDown);
}

}  // namespace
}  // namespace atlas::trial
