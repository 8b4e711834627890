#include "control/server.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"
#include "unit/control/control_fixture.h"

namespace atlas::control {
namespace {

using ControlServer = ControlFixture;

constexpr std::string_view kRequest = "{\"id\":7,\"path\":\"status\"}\n";

// Calls that a handler took and keeps open.
class Kept {
 public:
  Server::Handler handler() {
    return [this](const Request&, std::shared_ptr<Call> call) {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
      changed_.notify_all();
    };
  }
  std::shared_ptr<Call> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !calls_.empty(); });
    auto call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Call>> calls_;
};

TEST_F(ControlServer, AnswersInOrderAndShowsTheIdAgain) {
  start_or_fail([](const Request& request, const std::shared_ptr<Call>& call) {
    EXPECT_EQ(request.path, "relay status");
    EXPECT_EQ(request.args.at("--count"), "4");
    EXPECT_TRUE(call->row("{ \"a\" : 1 }"));
    EXPECT_TRUE(call->progress("half \"way\"\n"));
    EXPECT_TRUE(call->result("[1,\n 2]"));
    EXPECT_TRUE(call->finish(4, "nobody there"));
    EXPECT_FALSE(call->row("2"));
    EXPECT_FALSE(call->finish(0, ""));
  });
  RawClient client(socket_);
  ASSERT_TRUE(client.say("{\"id\":9,\"path\":\"relay status\",\"args\":{\"--count\":\"4\"}}\n"));
  EXPECT_EQ(client.hear_all(),
            "{\"id\":9,\"row\":{\"a\":1}}\n"
            "{\"id\":9,\"progress\":\"half \\\"way\\\"\\n\"}\n"
            "{\"id\":9,\"result\":[1,2]}\n"
            "{\"id\":9,\"done\":4,\"error\":\"nobody there\"}\n");
}

TEST_F(ControlServer, AnswersFromAnotherThreadLater) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  std::thread([&] {
    call->row("1");
    call->finish(0, "");
  }).join();
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"row\":1}\n{\"id\":7,\"done\":0}\n");
}

TEST_F(ControlServer, TwoClientsDoNotMix) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient first(socket_), second(socket_);
  ASSERT_TRUE(first.say("{\"id\":1,\"path\":\"a\"}\n"));
  const auto first_call = kept.next();
  ASSERT_TRUE(second.say("{\"id\":2,\"path\":\"b\"}\n"));
  const auto second_call = kept.next();
  second_call->row("\"two\"");
  second_call->finish(0, "");
  EXPECT_EQ(second.hear_all(), "{\"id\":2,\"row\":\"two\"}\n{\"id\":2,\"done\":0}\n");
  first_call->row("\"one\"");
  first_call->finish(0, "");
  EXPECT_EQ(first.hear_all(), "{\"id\":1,\"row\":\"one\"}\n{\"id\":1,\"done\":0}\n");
}

TEST_F(ControlServer, TellsWhenTheClientLeaves) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  std::promise<void> gone;
  call->on_gone([&] { gone.set_value(); });
  EXPECT_TRUE(call->row("1"));
  client.close();
  gone.get_future().wait();
  EXPECT_FALSE(call->row("2"));
  EXPECT_FALSE(call->finish(0, ""));
}

TEST_F(ControlServer, TellsOneThatAsksAfterTheClientHasLeft) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  std::promise<void> first, second;
  call->on_gone([&] { first.set_value(); });
  client.close();
  first.get_future().wait();
  call->on_gone([&] { second.set_value(); });
  second.get_future().wait();
}

TEST_F(ControlServer, DoesNotTellAfterTheLastAnswer) {
  bool told = false;
  start_or_fail([&](const Request&, const std::shared_ptr<Call>& call) {
    call->on_gone([&] { told = true; });
    call->finish(0, "");
  });
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"done\":0}\n");
  client.close();
  server_.reset();
  EXPECT_FALSE(told);
}

TEST_F(ControlServer, AClientMayCloseItsWritingHalf) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  client.close_writing_half();
  const auto call = kept.next();
  EXPECT_TRUE(call->row("1"));
  EXPECT_TRUE(call->finish(0, ""));
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"row\":1}\n{\"id\":7,\"done\":0}\n");
}

TEST_F(ControlServer, AForgottenCallEndsAsAFailure) {
  start_or_fail([](const Request&, const std::shared_ptr<Call>&) {});
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"done\":1,\"error\":\"the command ended without an answer\"}\n");
}

TEST_F(ControlServer, RefusesTooManyClients) {
  Kept kept;
  start_or_fail(kept.handler());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kMaxClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(socket_));
    ASSERT_TRUE(clients.back()->say(kRequest));
  }
  std::vector<std::shared_ptr<Call>> calls;
  for (std::size_t i = 0; i < kMaxClients; ++i) calls.push_back(kept.next());

  RawClient refused(socket_);
  EXPECT_EQ(refused.hear_all(),
            "{\"id\":0,\"done\":5,\"error\":\"the node serves 32 control clients already; end one and try again\"}\n");

  // One that leaves makes room for another.
  std::promise<void> gone;
  calls.front()->on_gone([&] { gone.set_value(); });
  clients.front()->close();
  gone.get_future().wait();
  RawClient admitted(socket_);
  ASSERT_TRUE(admitted.say(kRequest));
  kept.next()->finish(0, "");
  EXPECT_EQ(admitted.hear_all(), "{\"id\":7,\"done\":0}\n");
}

TEST_F(ControlServer, RefusesALongLine) {
  start_echo();
  RawClient client(socket_);
  // The server stops to listen at the limit; it may close before it has taken all.
  client.say("{\"id\":7,\"path\":\"" + std::string(kMaxLine, 'x'));
  EXPECT_EQ(client.hear_all(), "{\"id\":0,\"done\":5,\"error\":\"the request line is longer than 8388608 bytes\"}\n");
}

TEST_F(ControlServer, TakesALineAtTheLimit) {
  start_or_fail([](const Request& request, const std::shared_ptr<Call>& call) {
    call->result(std::to_string(request.path.size()));
    call->finish(0, "");
  });
  const std::string start = "{\"id\":7,\"path\":\"", end = "\"}";
  RawClient client(socket_);
  const std::size_t path_size = kMaxLine - start.size() - end.size();
  ASSERT_TRUE(client.say(start + std::string(path_size, 'x') + end + "\n"));
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"result\":" + std::to_string(path_size) + "}\n{\"id\":7,\"done\":0}\n");
}

TEST_F(ControlServer, CutsOffASlowReader) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  std::promise<void> gone;
  call->on_gone([&] { gone.set_value(); });

  const std::string row = '"' + std::string(1 << 20, 'x') + '"';
  std::size_t accepted = 0;
  while (call->row(row)) ++accepted;
  // What the kernel's buffer holds comes on top of our bound.
  EXPECT_GE(accepted * row.size(), kMaxBacklog - row.size());
  EXPECT_LE(accepted * row.size(), kMaxBacklog + (4u << 20));
  gone.get_future().wait();

  const std::string heard = client.hear_all();
  const std::string last =
      "{\"id\":7,\"done\":5,\"error\":\"cut off: more than 16 MiB waited to be read by this terminal\"}\n";
  ASSERT_GE(heard.size(), last.size());
  EXPECT_EQ(heard.substr(heard.size() - last.size()), last);
  EXPECT_LT(heard.size(), kMaxBacklog);
}

TEST_F(ControlServer, AQuickReaderGetsMoreThanTheBacklog) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  const std::string row = '"' + std::string(1 << 20, 'x') + '"';
  for (int i = 0; i < 24; ++i) {
    ASSERT_TRUE(call->row(row));
    ASSERT_EQ(client.hear_line().size(), row.size() + std::string_view("{\"id\":7,\"row\":}").size());
  }
  call->finish(0, "");
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"done\":0}\n");
}

TEST_F(ControlServer, RefusesAnAnswerThatDoesNotFitALine) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  EXPECT_FALSE(call->result('"' + std::string(kMaxLine, 'x') + '"'));
  EXPECT_EQ(
      client.hear_all(),
      "{\"id\":7,\"done\":5,\"error\":\"the answer has 8388610 bytes, 8388352 is the most that the control socket "
      "carries in one piece\"}\n");
}

TEST_F(ControlServer, ABrokenAnswerEndsTheCallAndSaysWhy) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  std::promise<void> gone;
  call->on_gone([&] { gone.set_value(); });
  call->row("1}\n{\"id\":7,\"done\":0");
  gone.get_future().wait();
  EXPECT_EQ(client.hear_all(),
            "{\"id\":7,\"done\":1,\"error\":\"the command gave a broken answer: text is not one JSON value\"}\n");
}

TEST_F(ControlServer, RefusesWhatIsNoRequest) {
  start_echo();
  const std::pair<std::string, std::string> cases[] = {
      {"hello\n", "the line is not a JSON object"},
      {"[]\n", "the line is not a JSON object"},
      {"{\"path\":3}\n", "\\\"path\\\" is not a non-empty string"},
      {"{\"path\":\"\"}\n", "\\\"path\\\" is not a non-empty string"},
      {"{\"path\":\"a\",\"id\":-1}\n", "\\\"id\\\" is not an unsigned integer"},
      {"{\"path\":\"a\",\"args\":[]}\n", "\\\"args\\\" is not an object"},
      {"{\"path\":\"a\",\"args\":{\"n\":4}}\n", "a value in \\\"args\\\" is not a string"},
      {std::string(100'000, '[') + "\n", "the line is not a JSON object"},
  };
  for (const auto& [line, why] : cases) {
    RawClient client(socket_);
    ASSERT_TRUE(client.say(line));
    EXPECT_EQ(client.hear_all(), "{\"id\":0,\"done\":2,\"error\":\"control request refused: " + why + "\"}\n");
  }
}

TEST_F(ControlServer, OneRequestAConnection) {
  start_echo();
  RawClient client(socket_);
  ASSERT_TRUE(client.say("{\"path\":\"a\"}\n{\"path\":\"b\"}\n"));
  EXPECT_EQ(client.hear_all(), "{\"id\":0,\"done\":2,\"error\":\"one request a connection\"}\n");
}

TEST_F(ControlServer, LongWordsAreCut) {
  const std::string more(base::limits::control_words_bytes + 1, 'x');
  start_or_fail([&](const Request&, const std::shared_ptr<Call>& call) {
    EXPECT_TRUE(call->progress(more));
    EXPECT_TRUE(call->finish(1, more));
  });
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const std::string cut = more.substr(1);
  EXPECT_EQ(client.hear_all(),
            "{\"id\":7,\"progress\":\"" + cut + "\"}\n{\"id\":7,\"done\":1,\"error\":\"" + cut + "\"}\n");
}

TEST_F(ControlServer, RefusedClientsThatStayAreBounded) {
  Kept kept;
  start_or_fail(kept.handler());
  const std::string row =
      '"' + std::string(1 << 20, 'x') + '"';  // more than the kernel takes for one who reads nothing
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < base::limits::control_leaving + 1; ++i) {
    RawClient& client = *clients.emplace_back(std::make_unique<RawClient>(socket_));
    ASSERT_TRUE(client.say(kRequest));
    const auto call = kept.next();
    std::promise<void> gone;
    call->on_gone([&] { gone.set_value(); });
    ASSERT_TRUE(call->row(row));
    ASSERT_TRUE(client.hear_something());
    ASSERT_TRUE(client.say("again\n"));
    gone.get_future().wait();
  }
  constexpr std::string_view kWhy = "one request a connection";
  EXPECT_EQ(clients[0]->hear_all().find(kWhy), std::string::npos) << "the oldest had to go";
  for (std::size_t i = 1; i < clients.size(); ++i) EXPECT_NE(clients[i]->hear_all().find(kWhy), std::string::npos) << i;
}

TEST_F(ControlServer, ClosesWithLastWordsAndRemovesTheSocket) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  const auto call = kept.next();
  bool told = false;
  call->on_gone([&] { told = true; });
  call->row("1");
  server_.reset();
  EXPECT_TRUE(told);
  EXPECT_FALSE(call->row("2"));
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"row\":1}\n{\"id\":7,\"done\":1,\"error\":\"the node is shutting down\"}\n");
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

TEST_F(ControlServer, WhatWasFinishedBeforeTheCloseArrives) {
  Kept kept;
  start_or_fail(kept.handler());
  RawClient client(socket_);
  ASSERT_TRUE(client.say(kRequest));
  kept.next()->finish(0, "");
  server_.reset();
  EXPECT_EQ(client.hear_all(), "{\"id\":7,\"done\":0}\n");
}

// What goes to stderr while it lives. Lines of the log are written by a thread of their own, in their order.
class CapturedLog {
 public:
  CapturedLog() : file_(::memfd_create("log", MFD_CLOEXEC)), before_(::dup(STDERR_FILENO)) {
    ::dup2(file_, STDERR_FILENO);
  }
  ~CapturedLog() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }
  // All that was logged before this call.
  std::string text() const {
    base::log(base::Level::kWarn, "test", "this is the end");
    std::string out;
    while (out.find("this is the end") == std::string::npos) {
      std::this_thread::yield();
      out.resize(1 << 16);
      out.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(file_, out.data(), out.size(), 0))));
    }
    return out;
  }

 private:
  const int file_, before_;
};

// Lets the process open one descriptor more, as long as this lives.
class OneDescriptorLeft {
 public:
  OneDescriptorLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::fcntl(STDIN_FILENO, F_DUPFD, 0);
    ::close(lowest_free);
    const rlimit one{static_cast<rlim_t>(lowest_free) + 1, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &one);
  }
  ~OneDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ControlServer, SaysOnceThatNoDescriptorIsLeft) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer needs descriptors of its own";
#endif
  Kept kept;
  start_or_fail(kept.handler());
  RawClient served(socket_);
  ASSERT_TRUE(served.say(kRequest));
  const auto call = kept.next();
  const CapturedLog captured;
  auto one_left = std::make_unique<OneDescriptorLeft>();
  RawClient waits(socket_);  // takes it: there is none to accept it with
  ASSERT_TRUE(waits.connected());
  const auto turn = [&] {
    call->row("1");
    EXPECT_EQ(served.hear_line(), "{\"id\":7,\"row\":1}");
  };
  // An answer may be under way before the server's thread has looked at the newcomer.
  while (captured.text().find("no descriptor left") == std::string::npos) turn();
  // Each answer is a turn of that thread; it tries to accept in every second one.
  for (int i = 0; i < 50; ++i) turn();
  one_left.reset();
  const std::string log = captured.text();
  const std::size_t said = log.find("no descriptor left");
  EXPECT_NE(said, std::string::npos);
  EXPECT_EQ(log.find("no descriptor left", said + 1), std::string::npos) << log;
  ASSERT_TRUE(waits.say(kRequest));
  kept.next()->finish(0, "");
  EXPECT_EQ(waits.hear_all(), "{\"id\":7,\"done\":0}\n") << "it is served when there is a descriptor again";
}

}  // namespace
}  // namespace atlas::control
