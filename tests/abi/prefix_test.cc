// Released headers are beginnings of today's, by what they declare and by where it lies; and the comparison sees it
// when they are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <fstream>
#include <set>
#include <sstream>

#include "abi/declarations.h"
#include "atlas/plugin.h"

namespace atlas::abi {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const fs::path kToday = ATLAS_SOURCE_DIR "/sdk/include";
const fs::path kReleased = ATLAS_SOURCE_DIR "/sdk/abi";

std::string contents(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::set<fs::path> releases() {
  std::set<fs::path> out;
  for (const auto& entry : fs::directory_iterator(kReleased)) {
    if (entry.is_directory()) out.insert(entry.path());
  }
  return out;
}

std::string this_layout() {
  utsname machine{};
  uname(&machine);
  return std::string("layout_") + machine.machine + ".txt";
}

TEST(Prefix, EveryReleaseIsABeginningOfToday) {
  const Declarations now = read_headers(kToday);
  ASSERT_FALSE(releases().empty()) << kReleased;
  for (const fs::path& release : releases()) {
    const Declarations then = read_headers(release);
    EXPECT_GT(then.records.size(), 30u) << release;
    EXPECT_THAT(broken_promises(then, now), IsEmpty())
        << "plugins that were built for " << release.filename()
        << " rely on this. Append in place of changing it (docs/abi.md, \"Versions\"). While that minor is not "
           "released "
           "("
        << release / "RELEASED"
        << " is not there), cmake --build <build> --target abi_freeze keeps the headers anew";
  }
}

TEST(Prefix, WhatIsNewHasAMinorOfItsOwn) {
  const std::string version = std::to_string(ATLAS_ABI_MAJOR) + "." + std::to_string(ATLAS_ABI_MINOR);
  ASSERT_TRUE(fs::exists(kReleased / version / "atlas/plugin.h"))
      << "the headers say plugin ABI " << version << "; keep them: cmake --build <build> --target abi_freeze";
  EXPECT_THAT(additions(read_headers(kReleased / version), read_headers(kToday)), IsEmpty())
      << "not in " << kReleased / version
      << ". Raise ATLAS_ABI_MINOR for it; or, while that minor is not released, keep "
      << "the headers anew: cmake --build <build> --target abi_freeze";
}

TEST(Prefix, EveryReleaseLiesWhereItLay) {
  const std::string now = contents(ATLAS_SOURCE_DIR "/tests/abi/" + this_layout());
  if (now.empty()) GTEST_SKIP() << "no " << this_layout();
  for (const fs::path& release : releases()) {
    const std::string then = contents(release / this_layout());
    EXPECT_FALSE(then.empty()) << release;
    EXPECT_THAT(broken_layout(then, now), IsEmpty()) << release;
  }
}

// --- samples ---

constexpr const char* kSample = R"(
#ifndef SAMPLE_H
#define SAMPLE_H
#define SAMPLE_EXT "atlas.sample/1"
#ifdef __cplusplus
extern "C" {
#endif
enum { SAMPLE_ONE = 1, /* one; or so */ SAMPLE_TWO = 2 };
typedef uint64_t sample_handle; // a number
typedef struct sample_pair { uint8_t a[4], b; } sample_pair;
typedef struct sample_table {
    uint32_t struct_size;
    /* [any] */
    atlas_status (*send)(const atlas_host *host,
                         sample_handle to);
    atlas_status (*cancel)(const atlas_host *host, sample_handle of);
} sample_table;
#ifdef __cplusplus
}
#endif
#endif
)";

Declarations changed(std::string_view what, std::string_view into) {
  std::string text = kSample;
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return read_header(text.replace(at, what.size(), into));
}
std::vector<std::string> breaks(std::string_view what, std::string_view into) {
  return broken_promises(read_header(kSample), changed(what, into));
}

TEST(PrefixSamples, AreReadAsTheyAreWritten) {
  const Declarations all = read_header(kSample);
  ASSERT_EQ(all.records.size(), 2u);
  EXPECT_FALSE(all.find("sample_pair")->grows());
  EXPECT_EQ(all.find("sample_pair")->fields[1].text, "uint8_t b");
  EXPECT_TRUE(all.find("sample_table")->grows());
  EXPECT_EQ(all.find("sample_table")->fields[1].name, "send");
  EXPECT_EQ(all.constants.at("SAMPLE_TWO"), "2");
  EXPECT_EQ(all.types.at("sample_handle"), "uint64_t sample_handle");
  EXPECT_EQ(all.macros.size(), 1u);
  EXPECT_THAT(all.others, IsEmpty());
}

TEST(PrefixSamples, WordsForPeopleMayChange) {
  EXPECT_THAT(breaks("/* [any] */", "/* [any] sends it */"), IsEmpty());
  EXPECT_THAT(breaks("host,\n      ", "host, "), IsEmpty());
}

TEST(PrefixSamples, WhatIsAppendedIsNoBreakAndIsSeen) {
  const Declarations longer = changed("} sample_table", "  uint32_t (*more)(void);\n} sample_table");
  EXPECT_THAT(broken_promises(read_header(kSample), longer), IsEmpty());
  EXPECT_THAT(additions(read_header(kSample), longer), ElementsAre("sample_table.more"));
  EXPECT_THAT(additions(read_header(kSample), changed("SAMPLE_TWO = 2", "SAMPLE_TWO = 2, SAMPLE_THREE = 3")),
              ElementsAre("constant SAMPLE_THREE"));
}

TEST(PrefixSamples, AFieldThatIsGone) {
  EXPECT_THAT(breaks("    atlas_status (*cancel)(const atlas_host *host, sample_handle of);\n", ""),
              ElementsAre("sample_table, field 3: was \"atlas_status (*cancel)(const atlas_host *host, sample_handle "
                          "of)\", is gone"));
}

TEST(PrefixSamples, FieldsThatChangedPlaces) {
  EXPECT_THAT(breaks("uint8_t a[4], b;", "uint8_t b, a[4];"),
              ElementsAre("sample_pair, field 1: was \"uint8_t a[4]\", is \"uint8_t b\"",
                          "sample_pair, field 2: was \"uint8_t b\", is \"uint8_t a[4]\""));
}

TEST(PrefixSamples, ATypeThatIsAnother) {
  EXPECT_THAT(breaks("sample_handle of);", "uint32_t of);"),
              ElementsAre("sample_table, field 3: was \"atlas_status (*cancel)(const atlas_host *host, sample_handle "
                          "of)\", is \"atlas_status (*cancel)(const atlas_host *host, uint32_t of)\""));
  EXPECT_THAT(breaks("typedef uint64_t", "typedef uint32_t"),
              ElementsAre("type sample_handle: was \"uint64_t sample_handle\", is \"uint32_t sample_handle\""));
}

TEST(PrefixSamples, ConstantsAndIds) {
  EXPECT_THAT(breaks("SAMPLE_TWO = 2", "SAMPLE_TWO = 3"), ElementsAre("constant SAMPLE_TWO: was \"2\", is \"3\""));
  EXPECT_THAT(breaks("atlas.sample/1", "atlas.sample/2"),
              ElementsAre("macro SAMPLE_EXT: was \"\"atlas.sample/1\"\", is \"\"atlas.sample/2\"\""));
}

TEST(PrefixSamples, AStructWithoutASizeNeverGrows) {
  EXPECT_THAT(breaks("a[4], b;", "a[4], b, c;"),
              ElementsAre("sample_pair has no struct_size, so it can have no field \"uint8_t c\" more"));
  EXPECT_THAT(breaks("struct sample_pair", "struct other_pair"), ElementsAre("struct sample_pair is gone"));
}

TEST(PrefixSamples, PlacesAreCompared) {
  const char* then = "sample 16\nsample.struct_size 0 4\nsample.a 8 8\n";
  EXPECT_THAT(broken_layout(then, "sample 24\nsample.struct_size 0 4\nsample.a 8 8\nsample.b 16 8\n"), IsEmpty());
  EXPECT_THAT(broken_layout(then, "sample 16\nsample.struct_size 0 4\nsample.a 12 4\n"),
              ElementsAre("sample.a: was 8 8, is 12 4"));
  EXPECT_THAT(broken_layout(then, "sample 8\nsample.struct_size 0 4\n"),
              ElementsAre("sample: was 16 0, is 8 0", "sample.a is gone"));
}

}  // namespace
}  // namespace atlas::abi
