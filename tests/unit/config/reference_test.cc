// The files that are made from the tables are what the tables say; those with keys of the roles in them are compared in
// tests/abi/reference_test.cc, where roles can be loaded. To make these again after a change:
//   ATLAS_REGENERATE=1 <build>/tests/unit/unit_config --gtest_filter='Generated.*'
#include "config/reference.h"

#include <gmock/gmock.h>

#include <set>

#include "base/limits.h"
#include "config/schema.h"
#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::IsEmpty;

const std::filesystem::path kSource = ATLAS_SOURCE_DIR;

// The file must begin with `made`, which ends with `marker`; what follows it is the roles'. An empty marker: the file
// is `made`.
void expect_file(const std::filesystem::path& file, const std::string& made, std::string_view marker) {
  const std::string current = slurp(file);
  std::string head = current, tail;
  if (const auto at = current.find(marker); !marker.empty() && at != std::string::npos) {
    head = current.substr(0, at + marker.size());
    tail = current.substr(at + marker.size());
  }
  if (std::getenv("ATLAS_REGENERATE")) {
    std::filesystem::create_directories(file.parent_path());
    spit(file, made + tail);
    return;
  }
  EXPECT_EQ(head, made) << file << " does not say what the tables say. Make it again with\n"
                        << "  ATLAS_REGENERATE=1 " << ATLAS_BUILD_DIR
                        << "/tests/unit/unit_config --gtest_filter='Generated.*'";
}

TEST(Generated, ConfigReference) {
  expect_file(kSource / "docs/reference/config.md", reference_markdown(), kReferenceMarker);
}

TEST(Generated, LimitsReference) {
  expect_file(kSource / "docs/reference/limits.md", limits_markdown(), "");
}

TEST(Samples, LoadAndPlayTheirRole) {
  for (const Role role : kRoles) {
    const Loaded loaded = load(kSource / "config" / (std::string(to_text(role)) + ".toml"));
    EXPECT_FALSE(loaded.config.file.empty()) << to_text(role);
    for (const Problem& problem : loaded.problems) ADD_FAILURE() << problem.to_string();
  }
  EXPECT_THAT(parse(sample_toml(Role::kBootstrap), "").config.plugins.enabled,
              testing::ElementsAre("bootstrap", "keepalive"));
  EXPECT_TRUE(parse(sample_toml(Role::kRelay), "").config.transport.offer_relay);
}

TEST(Samples, SayWhatTheSeedsSay) {
  for (const Role role : {Role::kBootstrap, Role::kRelay}) {
    const Config seed = load(kSource / "tests/unit/config/seeds" / (std::string(to_text(role)) + ".toml")).config;
    const Config sample = parse(sample_toml(role), "").config;
    ASSERT_GE(seed.places.size(), 14u);
    for (const auto& [key, place] : seed.places) {
      EXPECT_TRUE(sample.places.contains(key)) << key;
      EXPECT_EQ(sample.as_text(key), seed.as_text(key)) << to_text(role) << ' ' << key;
    }
  }
}

TEST(Samples, TheAgentsHasEveryKeyAtItsDefault) {
  const Config agent = parse(sample_toml(Role::kAgent), "").config;
  for (const Row& row : schema()) {
    EXPECT_TRUE(agent.places.contains(std::string(row.key))) << row.key;
    auto expected = row.get(Config{});
    // It does nothing until transport.enable_relay is true, which would load it if this key were not here.
    if (row.key == "plugins.enabled") expected.push_back("relay");
    EXPECT_EQ(row.get(agent), expected) << row.key;
  }
}

TEST(Samples, EveryKeyHasItsText) {
  for (const Role role : kRoles) {
    std::istringstream lines(sample_toml(role));
    std::string line, before;
    while (std::getline(lines, line)) {
      EXPECT_LE(line.size(), 100u) << line;
      if (line.find(" = ") != std::string::npos && line[0] != '#') {
        EXPECT_EQ(before.substr(0, 2), "# ") << line;
      }
      before = line;
    }
  }
}

TEST(Samples, PluginsOfTheRoleAreAppended) {
  const std::vector<PluginKeys> plugins = {
      {"bootstrap", "The registry.", {{"capacity", "integer", "100000", "1 to 10000000", "Peers to remember."}}},
      {"messaging", "Messages.", {{"x", "integer", "1", "", "Nothing."}}}};
  const std::string text = sample_toml(Role::kBootstrap, plugins);
  EXPECT_THAT(text, testing::EndsWith(std::string(kSampleMarker) +
                                      "\n# The registry.\n[plugins.bootstrap]\n\n"
                                      "# Peers to remember. (integer, 1 to 10000000)\n# capacity = 100000\n"));
  EXPECT_THAT(parse(text, "").problems, IsEmpty());
}

TEST(Reference, PluginSections) {
  const std::vector<PluginKeys> plugins = {
      {"bootstrap", "The registry.", {{"mode", "text", "\"a|b\"", "", "One of two."}}}, {"relay", "Relays.", {}}};
  const std::string text = plugin_reference_markdown(plugins);
  EXPECT_THAT(text, testing::HasSubstr("### [plugins.bootstrap]\n\nThe registry.\n"));
  EXPECT_THAT(text, testing::HasSubstr("| `mode` | text | `\"a\\|b\"` | One of two. |\n"));
  EXPECT_THAT(text, testing::HasSubstr("### [plugins.relay]\n\nRelays.\n\nIt has no keys.\n"));
}

TEST(Limits, RowsAreWhole) {
  std::set<std::string_view> keys;
  for (const base::Limit& limit : base::all_limits()) {
    EXPECT_TRUE(keys.insert(limit.key).second) << limit.key;
    EXPECT_GT(limit.value, 0u) << limit.key;
    for (const std::string_view cell : {limit.unit, limit.scope, limit.refusal, limit.counter, limit.doc}) {
      EXPECT_FALSE(cell.empty()) << limit.key;
    }
    EXPECT_NE(limit.test.find('.'), std::string_view::npos) << limit.key;
    EXPECT_TRUE(limit.doc.ends_with('.')) << limit.key;
  }
}

}  // namespace
}  // namespace atlas::config::test
