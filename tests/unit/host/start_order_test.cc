#include "host/start_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atlas::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> order_of(const std::vector<PluginNeeds>& plugins, bool complete = true) {
  std::vector<std::string> out;
  for (const std::size_t at : start_order(plugins, complete).order) out.push_back(plugins[at].id);
  return out;
}
std::vector<std::string> problems_of(const std::vector<PluginNeeds>& plugins, bool complete = true) {
  std::vector<std::string> out;
  for (const auto& problem : start_order(plugins, complete).problems) out.push_back(problem.text);
  return out;
}

TEST(StartOrderTest, IsTheOneGivenWhereNobodyNeedsAnybody) {
  EXPECT_THAT(order_of({{"c", {}}, {"a", {}}, {"b", {}}}), ElementsAre("c", "a", "b"));
}

TEST(StartOrderTest, NeededOnesComeFirst) {
  EXPECT_THAT(order_of({{"a", {"c", "b"}}, {"b", {"d"}}, {"c", {}}, {"d", {}}}), ElementsAre("c", "d", "b", "a"));
  EXPECT_THAT(problems_of({{"a", {"c", "b"}}, {"b", {"d"}}, {"c", {}}, {"d", {}}}), IsEmpty());
}

TEST(StartOrderTest, AMissingOneIsNamedWithTheWayOut) {
  const std::vector<PluginNeeds> plugins = {{"a", {"b"}}, {"c", {"a"}}, {"d", {}}};
  EXPECT_THAT(problems_of(plugins),
              ElementsAre("a needs the plugin b, which is not enabled; add \"b\" to plugins.enabled"));
  EXPECT_THAT(order_of(plugins), ElementsAre("d"));
  EXPECT_THAT(order_of(plugins, false), ElementsAre("a", "c", "d"));
  EXPECT_THAT(problems_of(plugins, false), IsEmpty());
}

TEST(StartOrderTest, ACircleIsPrinted) {
  const std::vector<PluginNeeds> plugins = {{"x", {}}, {"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}};
  EXPECT_THAT(problems_of(plugins),
              ElementsAre("plugins need each other in a circle: a -> b -> c -> a; enable none or change one"));
  EXPECT_THAT(order_of(plugins), ElementsAre("x"));
  EXPECT_THAT(problems_of({{"a", {"a"}}}),
              ElementsAre("plugins need each other in a circle: a -> a; enable none or change one"));
}

}  // namespace
}  // namespace atlas::host
