// The bytes that docs/protocol.md shows are those of tests/vectors, and it leaves no message out.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "kit/vectors.h"

namespace atlas::wire {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Block {
  std::string file;
  std::string vector;  // empty for signed_record.json
  std::string hex;
  int line = 0;
};

// The blocks that open with ```vector FILE NAME; what follows a # is for people.
std::vector<Block> blocks_of_the_page() {
  std::ifstream in(std::string(ATLAS_SOURCE_DIR) + "/docs/protocol.md");
  EXPECT_TRUE(in);
  std::vector<Block> out;
  bool inside = false;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```vector ")) {
      std::istringstream words(line.substr(10));
      Block block;
      words >> block.file >> block.vector;
      block.line = number;
      out.push_back(block);
      inside = true;
    } else if (line.starts_with("```")) {
      inside = false;
    } else if (inside) {
      for (const char c : line.substr(0, line.find('#'))) {
        if (c != ' ') out.back().hex.push_back(c);
      }
    }
  }
  EXPECT_FALSE(inside);
  return out;
}

Bytes bytes_of_block(const Block& block) {
  if (!block.vector.empty()) return test::load_vectors(block.file).get(block.vector).bytes;
  const auto record = test::load_vector_json(block.file);
  Bytes bytes = test::bytes_from_hex(record.at("signature"));
  const Bytes map = test::join_pieces(record.at("pieces"));
  bytes.insert(bytes.end(), map.begin(), map.end());
  return bytes;
}

TEST(ProtocolPage, ShowsTheBytesOfTheVectors) {
  for (const Block& block : blocks_of_the_page()) {
    EXPECT_EQ(test::bytes_from_hex(block.hex), bytes_of_block(block))
        << "docs/protocol.md:" << block.line << " " << block.file << " " << block.vector;
  }
}

TEST(ProtocolPage, ShowsEveryMessage) {
  std::set<std::string> shown;
  for (const Block& block : blocks_of_the_page()) shown.insert(block.file);
  for (const auto& entry : std::filesystem::directory_iterator(test::vector_path(""))) {
    EXPECT_TRUE(shown.contains(entry.path().filename().string())) << entry.path();
  }
}

// | `01` | Hello | ... in section 3.
TEST(ProtocolPage, ListsEveryTypeByteWithItsMessage) {
  std::ifstream in(std::string(ATLAS_SOURCE_DIR) + "/docs/protocol.md");
  std::stringstream page;
  page << in.rdbuf();
  for (const auto& entry : std::filesystem::directory_iterator(test::vector_path(""))) {
    const std::string file = entry.path().filename().string();
    if (file == "signed_record.json") continue;
    const auto json = test::load_vector_json(file);
    const std::string row =
        "| `" + json.at("type").get<std::string>() + "` | " + json.at("message").get<std::string>() + " |";
    EXPECT_NE(page.str().find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace atlas::wire
