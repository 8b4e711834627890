// Every limit has a test that shows it bite: the names in core/base/limits.def are tests of this tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/limits.h"
#include "tidy/source_tree.h"
#include "tidy/test_names.h"

namespace atlas::tidy {
namespace {

std::size_t line_of(const SourceFile& table, std::string_view key) {
  const std::size_t dot = key.find('.');
  const std::string row = "LIMIT(" + std::string(key.substr(0, dot)) + ", " + std::string(key.substr(dot + 1)) + ",";
  for (std::size_t i = 0; i < table.lines.size(); ++i) {
    if (table.lines[i].starts_with(row)) return i + 1;
  }
  return 1;
}

TEST(Limits, EachNamesATestThatShowsItBite) {
  const SourceFile* table = find_file("core/base/limits.def");
  ASSERT_NE(table, nullptr);
  const std::set<std::string> names = test_names();
  ASSERT_GT(names.size(), 300u) << "so few tests in this tree: the search for them has gone blind";
  Findings findings;
  for (const base::Limit& limit : base::all_limits()) {
    if (names.contains(std::string(limit.test))) continue;
    findings.add(*table, line_of(*table, limit.key),
                 std::string(limit.key) + " names the test " + std::string(limit.test) +
                     ", which is nowhere below tests/; write it, or name the test that shows this limit bite");
  }
  EXPECT_NO_FINDINGS(findings);
}

bool mentions(const SourceFile& file, std::string_view word) {
  return std::ranges::any_of(file.lines, [&](const std::string& line) { return has_word(line, word); });
}

bool quotes(std::string_view path, std::string_view word) {
  const SourceFile* file = find_file(path);
  return file != nullptr && std::ranges::any_of(file->lines, [&](const std::string& line) {
           return line.find('"' + std::string(word) + '"') != std::string::npos;
         });
}

// Where a counter of that name would be: what `net status` shows of the node, of its transport and of its database, or
// a metric that every plugin or one of them has.
bool is_counted(std::string_view counter) {
  constexpr std::string_view kPrefix = "atlas_", kEvery = "<plugin>_";
  const std::pair<std::string_view, std::string_view> kShown[] = {{"connections.", "core/quic/endpoint.h"},
                                                                  {"store.", "core/store/store.h"}};
  for (const auto& [object, file] : kShown) {
    if (!counter.starts_with(object)) continue;
    const std::string_view name = counter.substr(object.size());
    return mentions(*find_file(file), name) && quotes("core/node/commands.cc", name);
  }
  if (!counter.starts_with(kPrefix)) return quotes("core/node/counters.h", counter);
  const std::string_view rest = counter.substr(kPrefix.size());
  if (rest.starts_with(kEvery)) return mentions(*find_file("core/host/plugin.cc"), rest.substr(kEvery.size()));
  const std::size_t end = rest.find('_');
  if (end == std::string_view::npos) return false;
  const std::string folder = "plugins/" + std::string(rest.substr(0, end)) + "/";
  return std::ranges::any_of(source_tree(), [&](const SourceFile& file) {
    return file.is_below(folder) && file.is_cpp() && mentions(file, rest.substr(end + 1));
  });
}

TEST(Limits, EachNamesACounterThatThereIs) {
  const SourceFile* table = find_file("core/base/limits.def");
  ASSERT_NE(table, nullptr);
  Findings findings;
  for (const base::Limit& limit : base::all_limits()) {
    if (limit.counter == "-" || is_counted(limit.counter)) continue;
    findings.add(*table, line_of(*table, limit.key),
                 std::string(limit.key) + " names the counter " + std::string(limit.counter) +
                     ", which nothing counts; name the one that moves, or \"-\"");
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Limits, CountersThatNobodyCountsAreFound) {
  EXPECT_TRUE(is_counted("violations"));
  EXPECT_FALSE(is_counted("violation"));
  EXPECT_TRUE(is_counted("connections.refused_full"));
  EXPECT_FALSE(is_counted("connections.evicted_peers"));
  EXPECT_TRUE(is_counted("store.evicted_peers"));
  EXPECT_FALSE(is_counted("evicted_peers"));
  EXPECT_TRUE(is_counted("atlas_<plugin>_dropped"));
  EXPECT_FALSE(is_counted("atlas_<plugin>_violations"));
  EXPECT_TRUE(is_counted("atlas_keepalive_misses"));
  EXPECT_FALSE(is_counted("atlas_nobody_misses"));
}

TEST(Limits, EachIsDescribedOnce) {
  std::set<std::string_view> keys;
  for (const base::Limit& limit : base::all_limits()) {
    EXPECT_TRUE(keys.insert(limit.key).second) << limit.key << " has two rows in core/base/limits.def; remove one";
    EXPECT_FALSE(limit.unit.empty() || limit.scope.empty() || limit.refusal.empty() || limit.counter.empty())
        << limit.key << ": every column of its row in core/base/limits.def needs a value";
    EXPECT_TRUE(limit.doc.ends_with('.')) << limit.key << ": its description is a sentence";
  }
  EXPECT_GT(keys.size(), 50u);
}

}  // namespace
}  // namespace atlas::tidy
