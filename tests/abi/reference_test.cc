// What the shipped roles declare is what docs/reference/config.md and the samples in config/ say. To make them again:
//   ATLAS_REGENERATE=1 <build>/tests/abi/abi_tests --gtest_filter='GeneratedFromRoles.*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/limits.h"
#include "host/key_rows.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

const std::filesystem::path kSource = ATLAS_SOURCE_DIR;

std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void expect_file(const std::filesystem::path& file, const std::string& made) {
  if (std::getenv("ATLAS_REGENERATE")) {
    std::ofstream(file, std::ios::binary) << made;
    return;
  }
  EXPECT_EQ(slurp(file), made) << file << " does not say what the roles declare. Make it again with\n"
                               << "  ATLAS_REGENERATE=1 " << ATLAS_BUILD_DIR
                               << "/tests/abi/abi_tests --gtest_filter='GeneratedFromRoles.*'";
}

class GeneratedFromRoles : public ::testing::Test {
 protected:
  void SetUp() override {
    HostSetup setup;
    setup.mode = Mode::kDescribe;
    setup.config = &config_;
    setup.search = {ATLAS_BUILD_DIR "/plugins"};
    setup.clock = &clock_;
    setup.random = &random_;
    Host host(std::move(setup));
    const auto problems = host.load({"bootstrap", "discovery", "keepalive", "messaging", "relay"});
    ASSERT_TRUE(problems.empty()) << problems.front().to_string();
    rows = key_rows(host.plugins());
    ASSERT_EQ(rows.size(), 5u);
  }

  std::vector<config::PluginKeys> rows;

 private:
  config::Config config_;
  ManualClock clock_;
  base::SeededRandom random_{1};
};

TEST_F(GeneratedFromRoles, ConfigReference) {
  expect_file(kSource / "docs/reference/config.md",
              config::reference_markdown() + config::plugin_reference_markdown(rows));
}

TEST_F(GeneratedFromRoles, Samples) {
  for (const config::Role role : config::kRoles) {
    const std::string sample = config::sample_toml(role, rows);
    expect_file(kSource / "config" / (std::string(config::to_text(role)) + ".toml"), sample);
    // Every key of an enabled plugin is there, and works when the comment mark is taken away.
    std::string loose;
    std::istringstream lines(sample);
    std::size_t keys = 0;
    bool behind = false;
    for (std::string line; std::getline(lines, line);) {
      behind = behind || line + '\n' == config::kSampleMarker;
      const std::size_t equals = line.find(" = ");
      const bool key = behind && equals != std::string::npos && line.starts_with("# ") && line.find(' ', 2) == equals;
      keys += key;
      loose += (key ? line.substr(2) : line) + '\n';
    }
    EXPECT_GE(keys, 3u) << config::to_text(role);
    const config::Loaded loaded = config::parse(loose, "sample");
    for (const config::Problem& problem : loaded.problems) ADD_FAILURE() << problem.to_string();
  }
}

// "15m" as 900; a number as itself.
std::uint64_t plain(std::string text) {
  std::erase(text, '"');
  std::size_t end = 0;
  const std::uint64_t number = std::stoull(text, &end);
  const std::string unit = text.substr(end);
  return number * (unit == "d" ? 86'400 : unit == "h" ? 3'600 : unit == "m" ? 60 : 1);
}

TEST_F(GeneratedFromRoles, LimitsThatAreKeysHaveTheirDefaults) {
  std::set<std::string> compared;
  for (const config::PluginKeys& plugin : rows) {
    for (const auto& key : plugin.keys) {
      const std::string name = plugin.id + '.' + key.key;
      for (const base::Limit& limit : base::all_limits()) {
        if (limit.key != name) continue;
        EXPECT_EQ(plain(key.fallback), limit.value) << name << ": core/base/limits.def and the role differ";
        compared.insert(name);
      }
    }
  }
  EXPECT_GE(compared.size(), 12u);
}

TEST(KeyRows, SayBoundsInWordsAndLeaveOutWhatCouldNotBeLoaded) {
  PluginRow good, refused;
  good.id = "good";
  good.summary = "Good.";
  good.state = "ready";
  for (const char* bounds : {"1..100", "1ms..", "..5", "", ".."})
    good.keys.push_back({"key", "integer", "1", bounds, "d."});
  refused.id = "refused";
  refused.state = "refused";
  const auto rows = key_rows(std::vector{refused, good});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id, "good");
  std::vector<std::string> said;
  for (const auto& key : rows[0].keys) said.push_back(key.bounds);
  EXPECT_EQ(said, (std::vector<std::string>{"1 to 100", "at least 1ms", "at most 5", "", ""}));
}

}  // namespace
}  // namespace atlas::host::test
