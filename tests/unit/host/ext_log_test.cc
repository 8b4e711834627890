// atlas.log/1: lines of a plugin reach the log under its name, within bounds.
#include <string>

#include "base/limits.h"
#include "base/log.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

class LogTable : public HostTest {
 protected:
  // What reaches the log while `body` runs.
  template <class Body>
  static std::string logged(Body&& body) {
    ::testing::internal::CaptureStderr();
    base::configure_log(base::Level::kInfo, base::LogFormat::kText);
    body();
    base::configure_log(base::Level::kOff, base::LogFormat::kText);
    return ::testing::internal::GetCapturedStderr();
  }
  static std::size_t count(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++found;
    return found;
  }
  void say(std::string_view line) { script.log().write(script.host, ATLAS_LOG_INFO, {line.data(), line.size()}); }
};

TEST_F(LogTable, LinesCarryThePluginsName) {
  start();
  const std::string text = logged([&] { say("a line"); });
  EXPECT_NE(text.find("plugin0"), std::string::npos) << text;
  EXPECT_NE(text.find("a line"), std::string::npos) << text;
}

TEST_F(LogTable, LinesOfAPluginAreBounded) {
  start();
  const std::string text = logged([&] {
    for (std::uint64_t i = 0; i < base::limits::plugins_log_lines + 50; ++i) say("again and again");
  });
  EXPECT_EQ(count(text, "again and again"), base::limits::plugins_log_lines);
  pass(10 * base::kSecond);
  const std::string later = logged([&] { say("once more"); });
  EXPECT_EQ(count(later, "50 lines were left out"), 1u) << later;
  EXPECT_EQ(count(later, "once more"), 1u) << later;
}

}  // namespace
}  // namespace atlas::host::test
