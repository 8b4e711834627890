// docs/message-types.md is the registry of message types; what it says of each byte is what the host does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "host/claims.h"

namespace atlas::pages {
namespace {

struct Row {
  std::vector<std::uint8_t> bytes;
  std::vector<std::string> cells;  // the others
};

// The bytes of "`20` `21`, `30`–`33`".
std::vector<std::uint8_t> bytes_of(const std::string& cell) {
  static const std::regex one(R"(`([0-9a-f]{2})`(?:–`([0-9a-f]{2})`)?)");
  std::vector<std::uint8_t> out;
  for (std::sregex_iterator it(cell.begin(), cell.end(), one), end; it != end; ++it) {
    const int first = std::stoi((*it)[1], nullptr, 16);
    const int last = (*it)[2].matched ? std::stoi((*it)[2], nullptr, 16) : first;
    for (int byte = first; byte <= last; ++byte) out.push_back(static_cast<std::uint8_t>(byte));
  }
  return out;
}

// The rows of the table below a heading.
std::vector<Row> table(const std::string& heading) {
  std::ifstream in(std::filesystem::path(ATLAS_SOURCE_DIR) / "docs/message-types.md");
  std::vector<Row> out;
  bool here = false, body = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) {
      here = line.ends_with(heading);
      body = false;
    } else if (here && line.starts_with("|---")) {
      body = true;
    } else if (here && body && line.starts_with("| ")) {
      Row row;
      std::istringstream cells(line.substr(2));
      for (std::string cell; std::getline(cells, cell, '|');) {
        const std::size_t first = cell.find_first_not_of(' ');
        cell = first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1);
        if (row.cells.empty() && row.bytes.empty()) row.bytes = bytes_of(cell);
        row.cells.push_back(cell);
      }
      out.push_back(row);
    }
  }
  return out;
}

host::TypeRange range_named(const std::string& name) {
  static const std::map<std::string, host::TypeRange> kNames = {
      {"core", host::TypeRange::kCore},       {"role", host::TypeRange::kRole},
      {"project", host::TypeRange::kProject}, {"unassigned", host::TypeRange::kUnassigned},
      {"assigned", host::TypeRange::kFree},   {"private", host::TypeRange::kFree}};
  return kNames.at(name);
}

TEST(MessageTypes, RangesAreThoseOfTheHost) {
  std::map<int, std::string> told;
  for (const Row& row : table("Ranges")) {
    for (const std::uint8_t byte : row.bytes) {
      EXPECT_TRUE(told.emplace(byte, row.cells[1]).second) << int(byte) << " is in two ranges";
      EXPECT_EQ(host::range_of(byte), range_named(row.cells[1])) << int(byte);
    }
  }
  EXPECT_EQ(told.size(), 256u) << "every byte is in a range";
}

TEST(MessageTypes, RolesHaveTheBytesThatTheHostKeepsForThem) {
  std::map<std::uint8_t, std::string> told;
  for (const Row& row : table("Assigned to the core and to roles of this project")) {
    for (const std::uint8_t byte : row.bytes) {
      EXPECT_TRUE(told.emplace(byte, row.cells[2]).second) << int(byte) << " has two rows";
    }
  }
  for (int type = 0; type < 256; ++type) {
    const auto byte = static_cast<std::uint8_t>(type);
    const std::string role(host::role_of(byte));
    const auto row = told.find(byte);
    if (role.empty()) {
      EXPECT_TRUE(row == told.end() || row->second == "core") << type << " is nobody's in the host";
    } else {
      ASSERT_NE(row, told.end()) << type;
      EXPECT_EQ(row->second, '`' + role + '`') << type;
    }
  }
}

// A claim ends as the third column of "Ranges" says.
TEST(MessageTypes, ClaimsEndAsTheRangesSay) {
  const host::Owner stranger{"org.example.thing", "/plugins/org.example.thing.so", {}};
  std::set<std::string> seen;
  for (const Row& row : table("Ranges")) {
    const bool granted = row.cells[3].starts_with("gets it");
    for (const std::uint8_t byte : row.bytes) {
      host::Claims claims;
      EXPECT_EQ(claims.claim_type(stranger, byte).has_value(), granted) << int(byte);
      if (row.cells[1] != "role") continue;
      const std::string role(host::role_of(byte));
      const host::Owner replacing{stranger.id, stranger.file, {role}};
      EXPECT_TRUE(claims.claim_type(replacing, byte)) << "replaces does not help for " << int(byte);
    }
    seen.insert(row.cells[1]);
  }
  EXPECT_THAT(seen, ::testing::ElementsAre("assigned", "core", "private", "project", "role", "unassigned"));
}

TEST(MessageTypes, ThirdPartiesHaveBytesOfTheirRangeOnce) {
  std::set<std::uint8_t> given;
  for (const Row& row : table("Assigned to third parties")) {
    if (row.cells[0] == "-") continue;  // nobody yet
    EXPECT_FALSE(row.bytes.empty()) << row.cells[0];
    EXPECT_NE(row.cells[1].find('.'), std::string::npos) << row.cells[1] << ": the id of a third party has a dot";
    for (const std::uint8_t byte : row.bytes) {
      EXPECT_TRUE(byte >= 0x80 && byte <= 0xbf) << int(byte);
      EXPECT_TRUE(given.insert(byte).second) << int(byte) << " was given twice";
    }
  }
}

TEST(MessageTypes, WritingOfSeveralBytesIsUnderstood) {
  EXPECT_THAT(bytes_of("`20` `21`, `30`–`33`"), ::testing::ElementsAre(0x20, 0x21, 0x30, 0x31, 0x32, 0x33));
  EXPECT_THAT(bytes_of("bytes"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace atlas::pages
