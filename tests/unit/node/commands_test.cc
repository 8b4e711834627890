// Commands of the core that are refused before anybody is asked.
#include "node/commands.h"

#include <gtest/gtest.h>

#include "atlas/address.hpp"
#include "control/exit_code.h"
#include "unit/node/manual_loop.h"

namespace atlas::node {
namespace {

struct Told final : control::Call {
  bool row(std::string_view) override { return true; }
  bool progress(std::string_view) override { return true; }
  bool result(std::string_view) override { return true; }
  bool finish(int code, std::string_view text) override {
    exit_code = code;
    error = text;
    return true;
  }
  void on_gone(std::function<void()>) override {}
  int exit_code = -1;
  std::string error;
};

class CommandsTest : public testing::Test {
 protected:
  // There is no network behind it: what gets through would crash.
  Told run(const std::string& path, const std::string& target) {
    Commands::Setup setup;
    setup.clock = &loop.clock();
    Commands commands(std::move(setup));
    const auto call = std::make_shared<Told>();
    commands.handle({path, {{"target", target}}}, call);
    return *call;
  }
  ManualLoop loop;
};

TEST_F(CommandsTest, ABadTargetIsAUsageErrorThatSaysWhy) {
  for (const char* path : {"connect", "disconnect"}) {
    for (const std::string target :
         {"", "foo", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "localhost:14433", "atlas_0123", "ATLAS_0123"}) {
      const Told told = run(path, target);
      EXPECT_EQ(told.exit_code, control::kUsage) << path << ' ' << target;
      EXPECT_EQ(told.error, why_no_target(target));
    }
  }
}

// The SDK's reading of a target is the core's own.
TEST(Targets, TheSdkTakesWhatTheCoreTakes) {
  const std::string id = "atlas_" + std::string(64, 'b');
  for (const std::string& text :
       {id, id + "0", "ATLAS_" + std::string(64, 'b'), std::string("1.2.3.4:5"), std::string("1.2.3.4:65536"),
        std::string("1.2.3.4:0"), std::string("01.2.3.4:5"), std::string("1.2.3:5"), std::string("[::1]:5"),
        std::string("::1:5"), std::string("[::ffff:1.2.3.4]:5"), std::string("[::1%lo]:5"), std::string("[1.2.3.4]:5"),
        std::string("1.2.3.4:+5"), std::string("1.2.3.4: 5"), std::string("host:5"), std::string("[1::2::3]:5"),
        std::string("[1:2:3:4:5:6:7:8]:5"), std::string("1.2.3.4:05")}) {
    const auto address = net::SocketAddress::parse(text);
    EXPECT_EQ(why_no_target(text).empty(), wire::is_node_id(text) || (address && address->port != 0)) << text;
  }
}

}  // namespace
}  // namespace atlas::node
