// Real sockets on loopback, through the loop.
#include "net/udp_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "net/udp_open.h"
#include "net/uv_loop.h"

namespace atlas::net {
namespace {

using testing::HasSubstr;

struct Arrived {
  SocketAddress remote, local;
  std::uint8_t ecn;
  std::string payload;  // one datagram
};

std::string pattern(std::size_t size, char first = 'a') {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(first + (i * 7 + i / 191) % 97);
  return out;
}

class UdpSocketTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    host = *IpAddress::parse(GetParam());
    if (!open_udp_socket({host, 0}, {})) GTEST_SKIP() << "this machine has no " << GetParam();
    receiver = open({.on_datagrams = [this](const ReceivedBatch& batch) { take(batch); },
                     .on_turn_end =
                         [this] {
                           ++turns;
                           if (arrived.size() >= expected) loop.stop();
                         }});
    sender = open({});
  }

  std::unique_ptr<UdpSocket> open(UdpEvents events, const UdpOptions& options = {}) {
    auto opened = loop.open_udp({host, 0}, options, std::move(events));
    EXPECT_TRUE(opened) << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
  }

  void take(const ReceivedBatch& batch) {
    ASSERT_GT(batch.segment, 0u);
    largest_batch = std::max(largest_batch, batch.data.size());
    for (std::size_t at = 0; at < batch.data.size(); at += batch.segment) {
      const auto one = batch.data.subspan(at, std::min(batch.segment, batch.data.size() - at));
      arrived.push_back({batch.remote, batch.local, batch.ecn, std::string(base::as_text(one))});
    }
  }

  SendBatch to_receiver(std::string_view data, std::size_t segment) const {
    return {.remote = receiver->local(), .local = {}, .data = base::as_bytes(data), .segment = segment};
  }

  void run_until(std::size_t datagrams) {
    expected = datagrams;
    if (arrived.size() < expected) loop.run();
  }

  base::SystemClock clock;
  UvLoop loop{clock};
  IpAddress host;
  std::vector<Arrived> arrived;
  std::size_t expected = 0, turns = 0, largest_batch = 0;
  std::unique_ptr<UdpSocket> receiver, sender;
};

INSTANTIATE_TEST_SUITE_P(Loopback, UdpSocketTest, testing::Values("127.0.0.1", "::1"),
                         [](const auto& host) { return std::string(host.param) == "::1" ? "v6" : "v4"; });

TEST_P(UdpSocketTest, OneDatagramWithItsAddresses) {
  EXPECT_NE(receiver->local().port, 0);
  EXPECT_EQ(receiver->local().ip, host);
  const std::string text = "hello";
  EXPECT_EQ(sender->send(std::vector{to_receiver(text, 0)}), 1u);
  run_until(1);
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(arrived[0].payload, text);
  EXPECT_EQ(arrived[0].remote, sender->local());
  EXPECT_EQ(arrived[0].local, receiver->local());
  EXPECT_EQ(arrived[0].ecn, 0);
  EXPECT_EQ(turns, 1u);
}

TEST_P(UdpSocketTest, SegmentedBatchesArriveIntactAndInOrder) {
  const std::string large = pattern(1200 * 40 + 333), small = pattern(1200 * 3, 'A');
  EXPECT_EQ(sender->send(std::vector{to_receiver(large, 1200), to_receiver(small, 1200)}), 2u);
  run_until(44);
  ASSERT_EQ(arrived.size(), 44u);
  std::string all;
  for (const Arrived& one : arrived) all += one.payload;
  EXPECT_EQ(all, large + small);
  EXPECT_EQ(arrived[0].payload.size(), 1200u);
  EXPECT_EQ(arrived[40].payload.size(), 333u);
  EXPECT_EQ(sender->counters().sent_datagrams, 44u);
  EXPECT_EQ(receiver->counters().received_datagrams, 44u);
  EXPECT_EQ(receiver->counters().received_bytes, all.size());
}

TEST_P(UdpSocketTest, KernelMergesWhatItSegmented) {
  if (sender->counters().gso_refused != 0) GTEST_SKIP() << "this kernel does not segment";
  const std::string data = pattern(1200 * 20);
  EXPECT_EQ(sender->send(std::vector{to_receiver(data, 1200)}), 1u);
  run_until(20);
  if (sender->counters().gso_refused != 0) GTEST_SKIP() << "this kernel does not segment";
  EXPECT_GT(largest_batch, 1200u);
}

TEST_P(UdpSocketTest, EcnBitsPass) {
  const std::string text = "x";
  std::vector<SendBatch> batches;
  for (std::uint8_t ecn = 0; ecn < 4; ++ecn) {
    batches.push_back(to_receiver(text, 0));
    batches.back().ecn = ecn;
  }
  EXPECT_EQ(sender->send(batches), 4u);
  run_until(4);
  ASSERT_EQ(arrived.size(), 4u);
  for (std::uint8_t ecn = 0; ecn < 4; ++ecn) EXPECT_EQ(arrived[ecn].ecn, ecn);
}

TEST_P(UdpSocketTest, EmptyAndOneByteDatagramsDoNotStallTheLoop) {
  const std::string one = "1", last = "last";
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(sender->send(std::vector{to_receiver({}, 0), to_receiver(one, 1)}), 2u);
  }
  EXPECT_EQ(sender->send(std::vector{to_receiver(last, 0)}), 1u);
  bool other_work = false;
  loop.post([&] { other_work = true; });
  run_until(41);
  EXPECT_TRUE(other_work);
  EXPECT_EQ(receiver->counters().received_empty, 40u);
  EXPECT_EQ(receiver->counters().received_datagrams, 81u);
  EXPECT_EQ(arrived.back().payload, last);
}

// One socket takes four reads of 32 a turn and no more; the rest comes at the next.
TEST_P(UdpSocketTest, FloodIsServedInTurns) {
  const std::string payload = "flood";
  constexpr std::size_t kFlood = UdpReceiver::kBuffers * kReadsPerTurn + 40;
  for (std::size_t i = 0; i < kFlood; ++i) sender->send(std::vector{to_receiver(payload, 0)});
  run_until(kFlood);
  EXPECT_EQ(arrived.size(), kFlood);
  EXPECT_GE(turns, 2u);
}

TEST_P(UdpSocketTest, OversizeIsDroppedAndCounted) {
  const std::string too_large = pattern(65530), fits = "fits";
  EXPECT_EQ(sender->send(std::vector{to_receiver(too_large, 0), to_receiver(fits, 0)}), 2u);
  run_until(1);
  EXPECT_EQ(arrived[0].payload, fits);
  EXPECT_EQ(sender->counters().oversize, 1u);
  EXPECT_EQ(sender->counters().failed, 0u);
}

TEST_P(UdpSocketTest, BadDestinationIsCountedAndOthersGoOn) {
  const std::string data = pattern(2400);
  SendBatch nowhere = to_receiver(data, 1200);
  nowhere.remote.port = 0;
  SendBatch wrong_family = to_receiver(data, 1200);
  wrong_family.remote.ip = host.is_v4() ? IpAddress::v6({0x20, 1}) : IpAddress::v4({127, 0, 0, 1});
  EXPECT_EQ(sender->send(std::vector{nowhere, wrong_family, to_receiver(data, 1200)}), 3u);
  run_until(2);
  EXPECT_EQ(sender->counters().failed, 4u);
  EXPECT_EQ(sender->counters().gso_refused, 0u);
}

TEST_P(UdpSocketTest, ClosedPortLeavesTheSenderUsable) {
  const SocketAddress gone = open({})->local();
  const std::string text = "x";
  SendBatch lost = to_receiver(text, 0);
  lost.remote = gone;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sender->send(std::vector{lost}), 1u);
  EXPECT_EQ(sender->send(std::vector{to_receiver(text, 0)}), 1u);
  run_until(1);
  EXPECT_EQ(arrived.size(), 1u);
}

TEST_P(UdpSocketTest, AnswersInTheTurnReachTheAsker) {
  std::unique_ptr<UdpSocket> echo;
  std::vector<std::pair<SocketAddress, std::string>> answers;
  echo = open({.on_datagrams =
                   [&](const ReceivedBatch& batch) { answers.emplace_back(batch.remote, base::as_text(batch.data)); },
               .on_turn_end =
                   [&] {
                     for (const auto& [to, text] : answers) {
                       EXPECT_EQ(echo->send(std::vector<SendBatch>{
                                     {.remote = to, .local = echo->local(), .data = base::as_bytes(text)}}),
                                 1u);
                     }
                     answers.clear();
                   }});
  const std::string text = "ping";
  SendBatch ask = to_receiver(text, 0);
  ask.remote = echo->local();
  EXPECT_EQ(receiver->send(std::vector{ask}), 1u);
  run_until(1);
  EXPECT_EQ(arrived[0].remote, echo->local());
  EXPECT_EQ(arrived[0].payload, "ping");
}

TEST_P(UdpSocketTest, SocketMayBeDestroyedInItsCallbacks) {
  const std::string text = "x";
  for (const bool at_turn_end : {false, true}) {
    std::unique_ptr<UdpSocket> victim;
    std::string witness = "still here";
    const auto destroy = [&, copy = witness] {
      victim.reset();
      EXPECT_EQ(copy, "still here");
      loop.stop();
    };
    UdpEvents events;
    if (at_turn_end) {
      events.on_turn_end = destroy;
    } else {
      events.on_datagrams = [destroy](const ReceivedBatch&) { destroy(); };
    }
    victim = open(std::move(events));
    SendBatch batch = to_receiver(text, 0);
    batch.remote = victim->local();
    EXPECT_EQ(sender->send(std::vector{batch, batch, batch}), 3u);
    loop.run();
    EXPECT_EQ(victim, nullptr);
  }
}

TEST_P(UdpSocketTest, TakenPortIsAConflict) {
  const auto second = loop.open_udp(receiver->local(), {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_THAT(second.error().text, HasSubstr(receiver->local().text()));
  EXPECT_TRUE(loop.open_udp({host, 0}, {.reuse_port = true}, {}));
}

TEST_P(UdpSocketTest, LocalAddressIsToldOnAWildcardSocket) {
  const IpAddress any = host.is_v4() ? IpAddress::v4({}) : IpAddress::v6({});
  SocketAddress seen;
  auto wildcard = loop.open_udp({any, 0}, {}, {.on_datagrams = [&](const ReceivedBatch& batch) {
                                  seen = batch.local;
                                  loop.stop();
                                }});
  ASSERT_TRUE(wildcard);
  const std::string text = "x";
  SendBatch batch = to_receiver(text, 0);
  batch.remote = {host, (*wildcard)->local().port};
  EXPECT_EQ(sender->send(std::vector{batch}), 1u);
  loop.run();
  EXPECT_EQ(seen, batch.remote);
}

TEST(UdpSocket, SourceAddressIsTheOneAskedFor) {
  base::SystemClock clock;
  UvLoop loop(clock);
  SocketAddress seen;
  auto receiver = loop.open_udp(*SocketAddress::parse("127.0.0.1:0"), {}, {.on_datagrams = [&](const auto& batch) {
    seen = batch.remote;
    loop.stop();
  }});
  auto sender = loop.open_udp(*SocketAddress::parse("0.0.0.0:0"), {}, {});
  ASSERT_TRUE(receiver && sender);
  const std::string text = "x";
  const SocketAddress source = *SocketAddress::parse("127.0.0.77:9");
  EXPECT_EQ((*sender)->send(std::vector<SendBatch>{
                {.remote = (*receiver)->local(), .local = source, .data = base::as_bytes(text)}}),
            1u);
  loop.run();
  EXPECT_EQ(seen, (SocketAddress{source.ip, (*sender)->local().port}));
}

TEST(UdpSocket, DualStackSocketSpeaksBoth) {
  base::SystemClock clock;
  UvLoop loop(clock);
  std::vector<Arrived> arrived;
  UdpEvents events{.on_datagrams = [&](const ReceivedBatch& batch) {
    arrived.push_back({batch.remote, batch.local, batch.ecn, std::string(base::as_text(batch.data))});
    loop.stop();
  }};
  auto both = loop.open_udp(*SocketAddress::parse("[::]:0"), {.v6_only = false}, events);
  if (!both) GTEST_SKIP() << "this machine has no IPv6: " << both.error().text;
  auto v4 = loop.open_udp(*SocketAddress::parse("127.0.0.1:0"), {}, events);
  ASSERT_TRUE(v4);
  const std::string text = "x";
  const SocketAddress target{IpAddress::v4({127, 0, 0, 1}), (*both)->local().port};
  (*v4)->send(std::vector<SendBatch>{{.remote = target, .local = {}, .ecn = 1, .data = base::as_bytes(text)}});
  loop.run();
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(arrived[0].remote, (*v4)->local());
  EXPECT_EQ(arrived[0].local, target);
  EXPECT_EQ(arrived[0].ecn, 1);
  (*both)->send(
      std::vector<SendBatch>{{.remote = (*v4)->local(), .local = target, .ecn = 2, .data = base::as_bytes(text)}});
  loop.run();
  ASSERT_EQ(arrived.size(), 2u);
  EXPECT_EQ(arrived[1].remote, target);
  EXPECT_EQ(arrived[1].ecn, 2);
}

TEST(UdpSocket, RefusalsSayWhatAndWhere) {
  base::SystemClock clock;
  UvLoop loop(clock);
  const auto none = loop.open_udp({}, {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().fault, base::Fault::kArgument);
  const auto foreign = loop.open_udp(*SocketAddress::parse("192.0.2.1:0"), {}, {});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().fault, base::Fault::kArgument);
  EXPECT_THAT(foreign.error().text, HasSubstr("192.0.2.1:0"));
}

// A loopback device never fills a send buffer, so here the kernel's answer is ours and the rest is real.
TEST(UdpSocket, FullBufferEndsWithOnWritableOnce) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  UdpReceiver arena;
  int refusals = 2, writable = 0;
  const SendMessages call = [&](int fd, mmsghdr* messages, unsigned count, int flags) {
    if (refusals > 0) {
      --refusals;
      errno = EAGAIN;
      return -1;
    }
    return system_sendmmsg(fd, messages, count, flags);
  };
  const std::string text = "x";
  std::string seen;
  std::unique_ptr<UdpSocket> socket, target;
  const auto send = [&] {
    return socket->send(std::vector<SendBatch>{{.remote = target->local(), .local = {}, .data = base::as_bytes(text)}});
  };
  target = *open_uv_udp(loop, arena, *SocketAddress::parse("127.0.0.1:0"), {},
                        {.on_datagrams = [&](const ReceivedBatch& batch) { seen += base::as_text(batch.data); }});
  socket = *open_uv_udp(loop, arena, *SocketAddress::parse("127.0.0.1:0"), {},
                        {.on_writable =
                             [&] {
                               ++writable;
                               send();
                             }},
                        call);
  EXPECT_EQ(send(), 0u);
  while (seen.empty()) uv_run(&loop, UV_RUN_ONCE);
  for (int i = 0; i < 5; ++i) uv_run(&loop, UV_RUN_NOWAIT);
  EXPECT_EQ(writable, 2) << "once for each send that was refused";
  EXPECT_EQ(socket->counters().blocked, 2u);
  EXPECT_EQ(seen, "x");
  socket.reset();
  target.reset();
  while (uv_loop_close(&loop) == UV_EBUSY) uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(UdpSocket, ManySocketsComeAndGo) {
  base::SystemClock clock;
  UvLoop loop(clock);
  int last_fd = -1;
  for (int i = 0; i < 100; ++i) {
    auto socket = loop.open_udp(*SocketAddress::parse("127.0.0.1:0"), {}, {});
    ASSERT_TRUE(socket);
    const int next = ::dup(0);
    ::close(next);
    if (i == 0) last_fd = next;
    EXPECT_EQ(next, last_fd) << "descriptors leak";
  }
}

}  // namespace
}  // namespace atlas::net
