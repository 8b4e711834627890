#include "control/client.h"

#include <thread>
#include <vector>

#include "control/exit_code.h"
#include "control/listening_socket.h"
#include "unit/control/control_fixture.h"

namespace atlas::control {
namespace {

using ControlClient = ControlFixture;

struct Heard {
  std::vector<std::string> rows, progress, results;
  Answers answers() {
    return {.row = [this](std::string_view text) { rows.emplace_back(text); },
            .progress = [this](std::string_view text) { progress.emplace_back(text); },
            .result = [this](std::string_view text) { results.emplace_back(text); }};
  }
};

TEST_F(ControlClient, HearsEveryKindOfAnswer) {
  start_or_fail([](const Request& request, const std::shared_ptr<Call>& call) {
    call->row("{\"target\":\"" + request.args.at("target") + "\"}");
    call->progress("asking");
    call->result("18446744073709551615");
    call->finish(5, "refused");
  });
  Heard heard;
  const auto finished = call(socket_, Request{"ping", {{"target", "[::1]:4433"}}}, heard.answers());
  ASSERT_TRUE(finished) << finished.error().text;
  EXPECT_EQ(finished->exit_code, 5);
  EXPECT_EQ(finished->error, "refused");
  EXPECT_EQ(heard.rows, std::vector<std::string>{"{\"target\":\"[::1]:4433\"}"});
  EXPECT_EQ(heard.progress, std::vector<std::string>{"asking"});
  EXPECT_EQ(heard.results, std::vector<std::string>{"18446744073709551615"});
}

TEST_F(ControlClient, CarriesWhateverPeopleType) {
  const std::string odd = "line\nbreak \"quotes\" \\ \x01 \xc3\xa4";
  start_or_fail([&](const Request& request, const std::shared_ptr<Call>& call) {
    call->finish(request.args.at("body") == odd ? 0 : 1, "");
  });
  const auto finished = call(socket_, Request{"send", {{"body", odd}}}, {});
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->exit_code, 0);
}

TEST_F(ControlClient, WithoutANodeSaysWhichSocketWasTried) {
  EXPECT_FALSE(daemon_listens(socket_));
  const auto finished = call(socket_, Request{"status", {}}, {});
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().fault, base::Fault::kUnreachable);
  EXPECT_NE(finished.error().text.find(socket_.native()), std::string::npos);
}

TEST_F(ControlClient, ANodeThatDiesIsNoticed) {
  auto listening = ListeningSocket::open(socket_);
  ASSERT_TRUE(listening);
  EXPECT_TRUE(daemon_listens(socket_));
  std::thread dies([&] {
    // The first connection in the queue is the probe above.
    for (int i = 0; i < 2; ++i) {
      pollfd ready{listening->fd(), POLLIN, 0};
      ::poll(&ready, 1, -1);
      ::close(::accept(listening->fd(), nullptr, nullptr));
    }
  });
  const auto finished = call(socket_, Request{"status", {}}, {});
  dies.join();
  ASSERT_FALSE(finished);
  EXPECT_EQ(exit_code_of(finished.error().fault), kFailure) << "as when the node ends the command before it stops";
}

TEST_F(ControlClient, ReadsTheRefusalOfANodeThatIsFull) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Call>> kept;
  start_or_fail([&](const Request&, std::shared_ptr<Call> call) {
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(call));
  });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kMaxClients; ++i) clients.push_back(std::make_unique<RawClient>(socket_));
  const auto finished = call(socket_, Request{"status", {}}, {});
  ASSERT_TRUE(finished) << finished.error().text;
  EXPECT_EQ(finished->exit_code, kRefused);
  EXPECT_NE(finished->error.find("32 control clients"), std::string::npos);
}

TEST_F(ControlClient, RefusesARequestThatDoesNotFit) {
  start_echo();
  const auto finished = call(socket_, Request{"send", {{"body", std::string(kMaxLine, 'x')}}}, {});
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().fault, base::Fault::kArgument);
}

}  // namespace
}  // namespace atlas::control
