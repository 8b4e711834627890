// docs/reference/attacks.md and the tests agree: what it calls tested has a test of that name, what it names is in the
// tree, and no test of an attack is missing from it.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tidy/source_tree.h"
#include "tidy/test_names.h"

namespace atlas::tidy {
namespace {

constexpr std::size_t kAttacks = 58;

bool is_attack_name(std::string_view name) {
  return name.starts_with("sec_") || name.starts_with("net_");
}

struct Row {
  std::size_t line;
  std::string id, state;
  std::vector<std::string> names;  // in backticks
};

std::string trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

// | A01 | what is tried | state | `tests` | ... |
std::vector<Row> rows_of(const SourceFile& page) {
  std::vector<Row> out;
  for (std::size_t i = 0; i < page.lines.size(); ++i) {
    if (!page.lines[i].starts_with("| A")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1, end; (end = page.lines[i].find('|', at)) != std::string::npos; at = end + 1) {
      cells.push_back(trimmed(std::string_view(page.lines[i]).substr(at, end - at)));
    }
    if (cells.size() != 5) {
      ADD_FAILURE() << page.path << ":" << i + 1 << ": a row has five cells";
      continue;
    }
    Row row{i + 1, cells[0], cells[2], {}};
    for (std::size_t open = cells[3].find('`'); open != std::string::npos;) {
      const std::size_t close = cells[3].find('`', open + 1);
      if (close == std::string::npos) break;
      row.names.push_back(cells[3].substr(open + 1, close - open - 1));
      open = cells[3].find('`', close + 1);
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// What a line between two marks says; empty without the first.
std::string between(const std::string& line, std::string_view open, std::string_view close) {
  const std::size_t at = line.find(open);
  if (at == std::string::npos || line.find('#') < at) return "";
  const std::size_t from = at + open.size();
  return line.substr(from, line.find_first_of(close, from) - from);
}

// foreach(x a b) and add_test(NAME net_${x} ...) add net_a and net_b.
void add_tests_of_cmake(const SourceFile& file, std::set<std::string>& out) {
  std::vector<std::string> loop;
  for (const std::string& line : file.lines) {
    if (const auto words = words_of(between(line, "foreach(", ")")); !words.empty()) loop = words;
    const std::string name = between(line, "add_test(NAME ", " )");
    if (!is_attack_name(name)) continue;
    const std::size_t variable = name.find("${");
    if (variable == std::string::npos) out.insert(name);
    for (std::size_t i = 1; variable != std::string::npos && i < loop.size(); ++i) {
      out.insert(name.substr(0, variable) + loop[i]);
    }
  }
}

// Names of attacks that the tree has tests of: the second part of a GoogleTest's name, and what CMake adds by name.
std::set<std::string> attack_tests() {
  std::set<std::string> out;
  for (const std::string& name : test_names()) {
    const std::string own = name.substr(name.find('.') + 1);
    if (is_attack_name(own)) out.insert(own);
  }
  for (const SourceFile& file : source_tree()) {
    if (file.is_below("tests/") && file.name() == "CMakeLists.txt") add_tests_of_cmake(file, out);
  }
  return out;
}

TEST(Attacks, EachIsOnThePageOnce) {
  const SourceFile* page = find_file("docs/reference/attacks.md");
  ASSERT_NE(page, nullptr);
  std::multiset<std::string> ids;
  for (const Row& row : rows_of(*page)) ids.insert(row.id);
  for (std::size_t number = 1; number <= kAttacks; ++number) {
    const std::string id = (number < 10 ? "A0" : "A") + std::to_string(number);
    EXPECT_EQ(ids.count(id), 1u) << page->path << ":1: " << id << " has one row";
  }
  EXPECT_EQ(ids.size(), kAttacks);
}

TEST(Attacks, WhatThePageNamesIsInTheTree) {
  const SourceFile* page = find_file("docs/reference/attacks.md");
  ASSERT_NE(page, nullptr);
  const std::set<std::string> all = test_names(), attacks = attack_tests();
  Findings findings;
  std::size_t tested = 0;
  for (const Row& row : rows_of(*page)) {
    const bool is_tested = row.state == "tested";
    tested += is_tested;
    if (!is_tested && row.state != "partly" && row.state != "planned") {
      findings.add(*page, row.line, row.id + " is neither tested, partly nor planned");
    }
    if (std::ranges::none_of(row.names, is_attack_name)) findings.add(*page, row.line, row.id + " has no test name");
    std::size_t shown = 0;
    for (const std::string& name : row.names) {
      const bool own = is_attack_name(name);
      const bool there = own ? attacks.contains(name) : all.contains(name);
      shown += there;
      if (own && there && !is_tested) findings.add(*page, row.line, name + " is there: say tested");
      if (!there && (is_tested || !own)) findings.add(*page, row.line, name + " is no test of this tree");
    }
    if (row.state == "partly" && shown == 0) findings.add(*page, row.line, row.id + ": no test shows a part of it");
    if (row.state == "planned" && shown != 0) findings.add(*page, row.line, row.id + ": a part is tested; say partly");
  }
  EXPECT_NO_FINDINGS(findings);
  EXPECT_GE(tested, 8u);
}

TEST(Attacks, WhatTheTreeHasIsOnThePage) {
  const SourceFile* page = find_file("docs/reference/attacks.md");
  ASSERT_NE(page, nullptr);
  std::vector<std::string> named;
  for (const Row& row : rows_of(*page)) named.insert(named.end(), row.names.begin(), row.names.end());
  const std::set<std::string> attacks = attack_tests();
  EXPECT_GE(attacks.size(), 8u) << "the search for tests of attacks has gone blind";
  Findings findings;
  for (const std::string& name : attacks) {
    const bool known =
        std::ranges::any_of(named, [&](const std::string& one) { return name == one || name.starts_with(one + "_"); });
    if (!known) findings.add(*page, 1, "the test " + name + " belongs to no row");
  }
  EXPECT_NO_FINDINGS(findings);
}

}  // namespace
}  // namespace atlas::tidy
