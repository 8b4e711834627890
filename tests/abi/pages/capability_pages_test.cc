// docs/write-a-plugin/capabilities says what the headers say. To make the pages again:
//   ATLAS_REGENERATE=1 <build>/tests/abi/pages/abi_pages --gtest_filter='CapabilityPages.*'
#include "abi/pages/capability_pages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "base/limits.h"

namespace atlas::pages {
namespace {

namespace fs = std::filesystem;
const fs::path kSource = ATLAS_SOURCE_DIR;
const fs::path kPages = kSource / "docs/write-a-plugin/capabilities";
// In the order in which somebody meets them.
const std::vector<std::string> kOrder = {"plugin",   "messages", "timers",  "config",    "log",
                                         "metrics",  "peers",    "store",   "cli",       "bus",
                                         "identity", "listener", "streams", "protocols", "routes"};

std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

PageSource source_of(const std::string& name) {
  PageSource source;
  source.name = name;
  source.header = name == "plugin" ? "sdk/include/atlas/plugin.h" : "sdk/include/atlas/ext/" + name + ".h";
  source.header_text = slurp(kSource / source.header);
  const fs::path part = kPages / "parts" / name;
  source.part_text = slurp(part.string() + ".txt");
  source.c_text = slurp(part.string() + ".c");
  source.cpp_text = slurp(part.string() + ".cc");
  return source;
}

void expect_page(const fs::path& file, const std::string& made) {
  if (std::getenv("ATLAS_REGENERATE")) {
    std::ofstream(file, std::ios::binary) << made;
    return;
  }
  EXPECT_EQ(slurp(file), made) << file << " does not say what the headers say. Make it again with\n"
                               << "  ATLAS_REGENERATE=1 " << ATLAS_BUILD_DIR
                               << "/tests/abi/pages/abi_pages --gtest_filter='CapabilityPages.*'";
}

TEST(CapabilityPages, SayWhatTheHeadersSay) {
  std::vector<PageSource> sources;
  for (const std::string& name : kOrder) {
    sources.push_back(source_of(name));
    expect_page(kPages / (name + ".md"), capability_page(sources.back()));
  }
  expect_page(kPages / "README.md", capability_index(sources));
}

TEST(CapabilityPages, AreThereForEveryHeaderAndNothingElse) {
  std::set<std::string> wanted = {"plugin"}, ordered(kOrder.begin(), kOrder.end()), pages;
  for (const auto& header : fs::directory_iterator(kSource / "sdk/include/atlas/ext")) {
    wanted.insert(header.path().stem().string());
  }
  EXPECT_EQ(ordered, wanted) << "a capability without a page: write its parts, and name it in kOrder above";
  for (const auto& page : fs::directory_iterator(kPages)) {
    if (page.path().extension() == ".md" && page.path().stem() != "README") pages.insert(page.path().stem().string());
  }
  EXPECT_EQ(pages, wanted);
}

// What a plugin can run into is on the page of what it used.
TEST(CapabilityPages, EveryLimitOfPluginsIsOnOne) {
  std::set<std::string> told;
  for (const std::string& name : kOrder) {
    for (const std::string& key : parse_part(source_of(name).part_text).limits) told.insert(key);
  }
  for (const base::Limit& limit : base::all_limits()) {
    if (!limit.key.starts_with("plugins.")) continue;
    EXPECT_TRUE(told.contains(std::string(limit.key)))
        << limit.key << " is on no page: add it below %% limits of one of the parts";
  }
}

// "`Setup::on`" in the C++ column: a name that the wrapper has.
TEST(CapabilityPages, NameOnlyWhatTheCppWrapperHas) {
  std::string wrapper;
  for (const auto& header : fs::directory_iterator(kSource / "sdk/include/atlas/cpp")) wrapper += slurp(header.path());
  static const std::regex name(R"(`(?:\w+::)?(\w+)(?:\(|`))"), word(R"(\w+)");
  const std::set<std::string> names(std::sregex_token_iterator(wrapper.begin(), wrapper.end(), word),
                                    std::sregex_token_iterator());
  std::size_t checked = 0;
  for (const std::string& page : kOrder) {
    for (const auto& [c, cpp] : parse_part(source_of(page).part_text).cpp) {
      for (std::sregex_iterator it(cpp.begin(), cpp.end(), name), end; it != end; ++it) {
        ++checked;
        EXPECT_TRUE(names.contains((*it)[1]))
            << page << ".txt: the C++ wrapper has no " << (*it)[1] << " (" << cpp << ")";
      }
    }
  }
  EXPECT_GT(checked, 50u);
}

TEST(HeaderText, ReadsTagsCommentsAndWhatIsSaidForSeveral) {
  const Header header = parse_header(
      "/* atlas.thing/1 - things. Of all kinds.\n *\n * More of it.\n *   an item\n */\n"
      "#define X 1\ntypedef uint64_t atlas_thing; /* 0 = none */\n\n"
      "/* Kinds. */\nenum { A = 1, /* one; two */\n       B = 2 };\n\n"
      "typedef struct atlas_ext_thing { /* small ones */\n"
      "    uint32_t struct_size;\n"
      "    /* [init] Makes one. FULL\n     * at ten. */\n"
      "    atlas_status (*make)(const atlas_host *host,\n                         void (*fn)(void *self));\n"
      "    atlas_status (*take)(const atlas_host *host);\n"
      "    void (*drop)(const atlas_host *host); /* [any] gone; for good */\n"
      "} atlas_ext_thing;\n");
  EXPECT_EQ(header.id, "atlas.thing/1");
  EXPECT_EQ(header.title, "things. Of all kinds.");
  EXPECT_EQ(header.opening, "More of it.\n  an item");
  ASSERT_EQ(header.types.size(), 2u);
  EXPECT_EQ(header.types[1].comment, "Kinds.");
  ASSERT_EQ(header.tables.size(), 1u);
  EXPECT_EQ(header.tables[0].comment, "small ones");
  const auto& functions = header.tables[0].functions;
  ASSERT_EQ(functions.size(), 3u);
  EXPECT_EQ(functions[0].thread, "init");
  EXPECT_EQ(functions[0].comment, "Makes one. FULL at ten.");
  EXPECT_EQ(functions[0].declaration,
            "atlas_status (*make)(const atlas_host *host,\n                     void (*fn)(void *self));\n");
  EXPECT_EQ(functions[1].thread, "init");
  EXPECT_EQ(functions[1].comment, "As `make`.");
  EXPECT_EQ(functions[2].thread, "any");
  EXPECT_EQ(functions[2].comment, "gone; for good");
  EXPECT_EQ(functions[0].parameters, (std::set<std::string>{"host", "fn", "self"}));
}

TEST(HeaderText, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THROW(parse_header("/* no capability */\n"), std::runtime_error);
  EXPECT_THROW(parse_header("/* atlas.x/1 - a thing */\nenum { A\n"), std::runtime_error);
  EXPECT_THROW(parse_header("/* atlas.x/1 - a thing */\n"), std::runtime_error);
}

TEST(Parts, ShowWhatStandsBetweenTheirMarks) {
  EXPECT_EQ(clip("a\n/* page */\nb\n/* end of page */\nc\n// page\nd\n// end of page\n"), "b\nd\n");
  EXPECT_EQ(clip("a\n"), "a\n");
  EXPECT_THROW(clip("// page\n"), std::runtime_error);
  EXPECT_THROW(parse_part("For nothing.\n"), std::runtime_error);
}

}  // namespace
}  // namespace atlas::pages
