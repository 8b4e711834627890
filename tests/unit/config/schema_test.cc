// The table itself: every row is whole, and what it shows loads again as what it is.
#include "config/schema.h"

#include <gmock/gmock.h>

#include <set>

#include "base/limits.h"
#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::IsEmpty;

std::string file_of(const Row& row, const std::string& value) {
  const auto dot = row.key.find('.');
  return '[' + std::string(row.key.substr(0, dot)) + "]\n" + std::string(row.key.substr(dot + 1)) + " = " + value +
         '\n';
}

TEST(Schema, RowsAreWhole) {
  std::set<std::string_view> keys, section_names;
  for (const Section& section : sections()) section_names.insert(section.name);
  for (const Row& row : schema()) {
    EXPECT_TRUE(keys.insert(row.key).second) << row.key;
    EXPECT_TRUE(section_names.contains(row.key.substr(0, row.key.find('.')))) << row.key;
    EXPECT_TRUE(row.set && row.get) << row.key;
    EXPECT_FALSE(row.doc.empty()) << row.key;
    EXPECT_EQ(find_row(row.key), &row);
    if (row.type == Type::kInteger || row.type == Type::kDuration) {
      EXPECT_LT(row.min, row.max) << row.key;
    }
    if (row.type == Type::kDuration) {
      EXPECT_EQ(row.min % row.unit_ms, 0) << row.key;
    }
    if (row.type == Type::kText || row.type == Type::kTextList) {
      EXPECT_GT(row.max_bytes, 0u) << row.key;
    }
    if (row.type == Type::kTextList) {
      EXPECT_GT(row.max_items, 0u) << row.key;
    }
  }
}

TEST(Schema, DefaultsLoadAsThemselves) {
  for (const Row& row : schema()) {
    const Loaded loaded = parse(file_of(row, default_text(row)), "config.toml");
    for (const Problem& problem : loaded.problems) ADD_FAILURE() << problem.to_string();
    EXPECT_EQ(row.get(loaded.config), row.get(Config{})) << row.key;
  }
}

TEST(Schema, BoundsAreTheLastValuesThatLoad) {
  for (const Row& row : schema()) {
    if (row.type != Type::kInteger && row.type != Type::kDuration) continue;
    const std::int64_t step = row.type == Type::kDuration ? row.unit_ms : 1;
    const auto loads = [&](std::int64_t value) {
      const std::string text =
          row.type == Type::kDuration ? '"' + std::to_string(value) + "ms\"" : std::to_string(value);
      // Two budgets must also fit each other: only this key's own bounds are of interest here.
      std::size_t own = 0;
      for (const Problem& problem : parse(file_of(row, text), "").problems) {
        own += problem.text.find("out of range") != std::string::npos ||
               problem.text.find("expected") != std::string::npos;
      }
      return own == 0;
    };
    EXPECT_TRUE(loads(row.min)) << row.key;
    EXPECT_TRUE(loads(row.max)) << row.key;
    EXPECT_FALSE(loads(row.min - step)) << row.key;
    EXPECT_FALSE(loads(row.max + step)) << row.key;
  }
}

TEST(Schema, ListsAndTextsAreBounded) {
  for (const Row& row : schema()) {
    if (row.type == Type::kTextList) {
      std::string list;
      for (std::size_t i = 0; i <= row.max_items; ++i) list += "\"x" + std::to_string(i) + "\", ";
      EXPECT_THAT(problems(file_of(row, '[' + list + ']')),
                  testing::ElementsAre(testing::HasSubstr("entries; at most " + std::to_string(row.max_items))))
          << row.key;
    }
    if (row.type == Type::kText && row.choices.empty()) {
      EXPECT_THAT(problems(file_of(row, '"' + std::string(row.max_bytes, 'x') + '"')), IsEmpty()) << row.key;
      EXPECT_THAT(problems(file_of(row, '"' + std::string(row.max_bytes + 1, 'x') + '"')), testing::SizeIs(1))
          << row.key;
    }
  }
}

TEST(Schema, ConfigurableLimitsHaveTheSameDefault) {
  std::size_t compared = 0;
  for (const base::Limit& limit : base::all_limits()) {
    const Row* row = find_row(limit.key);
    if (!row) continue;
    ++compared;
    const std::string expected_text =
        std::to_string(limit.value) + (row->type == Type::kDuration && row->unit_ms == 1 ? "ms" : "");
    EXPECT_THAT(row->get(Config{}), testing::ElementsAre(expected_text)) << limit.key;
  }
  EXPECT_EQ(compared, 15u);
}

}  // namespace
}  // namespace atlas::config::test
