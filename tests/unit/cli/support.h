// A node's directory of its own, and the streams that a command prints on.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/root.h"

namespace atlas::cli::test {

class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    std::string name = (std::filesystem::temp_directory_path() / "atlas-cli-XXXXXX").string();
    if (::mkdtemp(name.data())) directory = name;
    layout = layout_of(directory / "root");
  }
  ~CommandTest() override {
    std::error_code ignored;
    if (!directory.empty()) std::filesystem::remove_all(directory, ignored);
  }

  // What was printed since the last call.
  static std::string take(std::ostringstream& stream) {
    std::string text = stream.str();
    stream.str("");
    return text;
  }
  void write_config(const std::string& text) {
    ASSERT_TRUE(create_directories(layout));
    std::ofstream(layout.config) << text;
  }
  std::string config_text() const {
    std::ifstream in(layout.config);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  std::filesystem::path directory;
  Layout layout;
  std::ostringstream out, err;
};

}  // namespace atlas::cli::test
