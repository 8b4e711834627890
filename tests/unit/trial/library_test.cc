// What is read out of a shared object that nobody loads, and what of it is refused.
#include "trial/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace atlas::trial {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::filesystem::path role() {
  return std::filesystem::path(ATLAS_BUILD_DIR) / "plugins" / "keepalive.so";
}

class LibraryFile : public testing::Test {
 protected:
  LibraryFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atlas-library.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~LibraryFile() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path write(const std::string& bytes) {
    const auto file = directory_ / "file.so";
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  std::filesystem::path directory_;
};

TEST_F(LibraryFile, ARoleExportsOneNameAndItsKeysAreFound) {
  const auto found = read_library(role());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_THAT(found->exported, ElementsAre("atlas_plugin_v1"));
  EXPECT_THAT(found->words, Contains("echo"));
  EXPECT_LE(found->words.size(), 200u);
  EXPECT_EQ(wrong_symbols(*found), "");
}

TEST_F(LibraryFile, WhatIsNoSharedObjectIsRefused) {
  EXPECT_THAT(read_library(write("#!/bin/sh\n")).error().text, HasSubstr("no 64-bit ELF"));
  EXPECT_THAT(read_library(directory_ / "none.so").error().text, HasSubstr("none.so"));
}

// Cut off anywhere, it is refused or has fewer names; nothing is read behind its end.
TEST_F(LibraryFile, ACutFileIsNoTrouble) {
  std::ifstream in(role(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  ASSERT_GT(whole.size(), 4096u);
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 37 + 1) {
    const auto found = read_library(write(whole.substr(0, size)));
    if (found) {
      EXPECT_LE(found->exported.size(), 1u);
    }
  }
}

TEST_F(LibraryFile, NamesThatARoleMayNotHave) {
  EXPECT_THAT(wrong_symbols({{}, {}, {}}), HasSubstr("does not export atlas_plugin_v1"));
  EXPECT_THAT(wrong_symbols({{"atlas_plugin_v1", "helper"}, {}, {}}), HasSubstr("helper"));
  EXPECT_THAT(wrong_symbols({{"atlas_plugin_v1"}, {"_ZN5atlas4base3logEv", "malloc"}, {}}), HasSubstr("_ZN5atlas"));
  EXPECT_THAT(wrong_symbols({{"atlas_plugin_v1"}, {"malloc"}, {}}), Not(HasSubstr("malloc")));
}

}  // namespace
}  // namespace atlas::trial
