// Every mode of atlas-bench for relays and roles once, as short as it goes: the figures are there and agree with each
// other. How large they are is for a quiet machine and tests/bench/relay-beside.sh to say. Relays of others are skipped
// where they are not installed.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "kit/processes.h"

namespace atlas::bench {
namespace {

using nlohmann::json;

json figures(std::vector<std::string> words) {
  const kit::TemporaryHome home;
  words.insert(words.begin(),
               {std::string(ATLAS_BUILD_DIR) + "/atlas-bench", "--atlas", kit::atlas_program().string()});
  const auto out = home.path() / "out", err = home.path() / "err";
  const int exit_code = kit::wait_for(kit::launch(words, out, err));
  EXPECT_EQ(exit_code, 0) << kit::contents(err);
  const json printed = json::parse(kit::contents(out), nullptr, false);
  EXPECT_TRUE(printed.is_object()) << kit::contents(out);
  return printed.is_object() ? printed.value("figures", json::object()) : json::object();
}

double number(const json& figures, const char* pointer) {
  const json::json_pointer at(pointer);
  EXPECT_TRUE(figures.contains(at) && figures[at].is_number()) << pointer << " in " << figures.dump(2);
  return figures.contains(at) && figures[at].is_number() ? figures[at].get<double>() : -1;
}

// A TCP and UDP port of 127.0.0.1 that nobody has.
std::string free_port() {
  for (;;) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    const int stream = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    const bool free =
        bind(stream, raw, size) == 0 && getsockname(stream, raw, &size) == 0 && bind(datagram, raw, size) == 0;
    close(stream);
    close(datagram);
    if (free) return std::to_string(ntohs(address.sin_port));
  }
}

TEST(BenchSmoke, ManyRolesRunAtOnce) {
  const json got = figures({"plugins", "--roles", "100", "--rounds", "1", "--seconds", "0.3"});
  EXPECT_EQ(number(got, "/roles"), 100);
  EXPECT_EQ(number(got, "/running"), 100);
  EXPECT_GT(number(got, "/start_ms"), 0);
  EXPECT_FALSE(got["idle"].empty());
  EXPECT_EQ(number(got, "/callbacks/requests"), 64);
  EXPECT_EQ(number(got, "/callbacks/in_loop"), 0);
}

TEST(BenchSmoke, RolesAndTheCoreAnswerAlike) {
  const json got = figures({"message-cost", "--rounds", "1", "--seconds", "0.3"});
  EXPECT_GT(number(got, "/in_core/per_second"), 0);
  EXPECT_GT(number(got, "/in_role/per_second"), 0);
  EXPECT_GT(number(got, "/in_role/srv_cpu_us_per_request"), 0);
  EXPECT_EQ(number(got, "/answered"), number(got, "/server_says"));
}

TEST(BenchSmoke, RelayForwardsWhatItWasSent) {
  const json got = figures({"relay", "--pairs", "2", "--seconds", "0.3", "--rate", "1000000"});
  EXPECT_EQ(number(got, "/pairs"), 2);
  EXPECT_EQ(number(got, "/altered"), 0);
  EXPECT_GT(number(got, "/delivered_gbit"), 0);
  EXPECT_GT(number(got, "/srv_cpu_s_per_gbit"), 0);
  EXPECT_EQ(number(got, "/relay_says/active"), 2);
}

TEST(BenchSmoke, RoundTripsByAllThreeWays) {
  const json got = figures({"relay-rtt", "--seconds", "0.3"});
  EXPECT_GT(number(got, "/round_trips"), 0);
  for (const char* way : {"/relayed_us/p50", "/direct_us/p50", "/bare_us/p50"}) EXPECT_GT(number(got, way), 0);
  EXPECT_DOUBLE_EQ(number(got, "/added_us/p50"), number(got, "/relayed_us/p50") - number(got, "/direct_us/p50"));
}

TEST(BenchSmoke, EveryLimitIsTried) {
  const json got = figures({"relay-limit", "--seconds", "0.3"});
  EXPECT_EQ(got.value("limits", json::array()).size(), 4u);
  for (const char* limit : {"0", "1", "2"}) {
    EXPECT_GT(number(got, ("/limits/" + std::string(limit) + "/delivered_of_configured/least").c_str()), 0);
  }
}

TEST(BenchSmoke, GreedyPairsLeaveSomething) {
  const json got = figures({"relay-fair", "--pairs", "4", "--seconds", "0.3"});
  EXPECT_EQ(number(got, "/greedy"), 1);
  EXPECT_GT(number(got, "/with_greedy/0/honest_kept/p50"), 0);
}

TEST(BenchSmoke, IdlePairsAreCounted) {
  const json got = figures({"relay-idle", "--pairs", "20", "--seconds", "0.3"});
  EXPECT_EQ(number(got, "/pairs"), 20);
  EXPECT_EQ(number(got, "/relay_says/active"), 20);
  EXPECT_GT(number(got, "/rss_kib_per_pair"), 0);
}

TEST(BenchSmoke, APairPassesTrafficAgainAfterARestart) {
  const json got = figures({"relay-restart", "--pairs", "1"});
  EXPECT_EQ(number(got, "/rounds"), 1);
  EXPECT_GT(number(got, "/ms_after_kill/p50"), number(got, "/ms_until_bound/p50"));
}

TEST(BenchSmoke, CyclesLeaveNobodyBehind) {
  const json got = figures({"relay-cycles", "--pairs", "40", "--in-flight", "4"});
  EXPECT_EQ(number(got, "/units"), 40);
  EXPECT_EQ(number(got, "/descriptors_left"), 0);
  EXPECT_EQ(got.value("memory", json::array()).size(), 11u);
}

// Its client is told nothing, so within this second it waits in vain; that the server itself is back is seen.
TEST(BenchSmoke, ATurnServerIsRestarted) {
  constexpr const char* kProgram = "/usr/bin/turnserver";
  if (!std::filesystem::exists(kProgram)) GTEST_SKIP() << "no coturn here";
  const kit::TemporaryHome home;
  const std::string port = free_port(), files = home.path().string();
  const json got = figures({"turn-restart",
                            "--seconds",
                            "0.5",
                            "--target",
                            "127.0.0.1:" + port,
                            "--",
                            kProgram,
                            "-n",
                            "--no-auth",
                            "--no-cli",
                            "--no-tls",
                            "--no-dtls",
                            "--listening-ip",
                            "127.0.0.1",
                            "--relay-ip",
                            "127.0.0.1",
                            "--listening-port",
                            port,
                            "--allow-loopback-peers",
                            "--userdb",
                            files + "/turndb",
                            "--pidfile",
                            files + "/pid",
                            "--log-file",
                            "stdout",
                            "--simple-log"});
  EXPECT_GT(number(got, "/ms_until_it_answers"), 0);
  EXPECT_TRUE(got.contains("seconds"));
}

TEST(BenchSmoke, AStreamRelayIsRestarted) {
  constexpr const char* kProgram = "/usr/bin/strelaysrv";
  if (!std::filesystem::exists(kProgram)) GTEST_SKIP() << "no syncthing-relaysrv here";
  const kit::TemporaryHome home;
  const std::string port = free_port();
  const json got = figures({"stream-restart", "--target", "127.0.0.1:" + port, "--", kProgram, "-listen",
                            "127.0.0.1:" + port, "-keys", home.path().string(), "-pools", "", "-status-srv", ""});
  EXPECT_GT(number(got, "/seconds"), 0);
}

}  // namespace
}  // namespace atlas::bench
