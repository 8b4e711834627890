// Who may include whom: floors of core/ include downwards, roles see the SDK only, and the types of foreign libraries
// stay in the folder that owns them (docs/adr/0001-floors.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "tidy/includes.h"
#include "tidy/source_tree.h"

namespace atlas::tidy {
namespace {

std::string first_folder(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// The file that an include of ours means: beside the includer, below core/, or from the root. Null for foreign ones.
const SourceFile* resolve(const SourceFile& from, const Include& include) {
  if (include.angled) return nullptr;
  for (const std::string& folder : {folder_of(from.path), std::string("core"), std::string("tests")}) {
    if (const SourceFile* file = find_file(folder + "/" + include.target)) return file;
  }
  return find_file(include.target);
}

TEST(Layering, EveryFloorIsDeclaredAfterTheFloorsItLinks) {
  const FloorTable table = floor_table();
  ASSERT_GE(table.order.size(), 12u) << "core/CMakeLists.txt declares no floors that this test can read";
  std::set<std::string> declared = {"sdk"};
  for (const std::string& floor : table.order) {
    for (const std::string& below : table.floors.at(floor)) {
      if (below == "ngtcp2") continue;
      EXPECT_TRUE(declared.contains(below)) << "core/CMakeLists.txt: " << floor << " links " << below
                                            << ", which is no floor below it; move what both need further down";
    }
    declared.insert(floor);
  }
}

TEST(Layering, TheDecisionListsTheFloorsFromBelow) {
  static const std::string kPage = "docs/adr/0001-floors.md", kBegin = "house of floors: ";
  const SourceFile* page = find_file(kPage);
  ASSERT_NE(page, nullptr);
  std::string text, wanted;
  for (const std::string& line : page->lines) text += line + ' ';
  for (const std::string& floor : floor_table().order) wanted += (wanted.empty() ? "" : ", ") + floor;
  const std::size_t begin = text.find(kBegin);
  ASSERT_NE(begin, std::string::npos) << kPage << " does not say which floors there are";
  const std::size_t from = begin + kBegin.size();
  EXPECT_EQ(text.substr(from, text.find('.', from) - from), wanted)
      << kPage << " and core/CMakeLists.txt differ; say in the one what was decided about the other";
}

TEST(Layering, CoreHasNoFolderThatIsNoFloor) {
  const FloorTable table = floor_table();
  std::set<std::string> unknown;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("core/") || !file.is_cpp()) continue;
    const std::string floor = first_folder(file.path.substr(5));
    if (!table.floors.contains(floor)) unknown.insert(file.path);
  }
  EXPECT_TRUE(unknown.empty()) << *unknown.begin() << ": its folder has no atlas_floor() in core/CMakeLists.txt";
}

TEST(Layering, FloorsIncludeDownwardsOnly) {
  const FloorTable table = floor_table();
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("core/") || !file.is_cpp()) continue;
    const std::string floor = first_folder(file.path.substr(5));
    if (!table.floors.contains(floor)) continue;
    const auto& below = table.floors.at(floor);
    for (const Include& include : includes(file)) {
      const std::string target = first_folder(include.target);
      const bool sdk = target == "atlas";
      const bool own = target == floor;
      if (sdk ? below.contains("sdk") : include.angled || own || below.contains(target)) continue;
      findings.add(file, include.line,
                   "core/" + floor + " may not include \"" + include.target +
                       "\"; it sees itself and the floors in its "
                       "DEPS of core/CMakeLists.txt: move the code down, or pass what it needs in");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Layering, RolesSeeTheSdkOnly) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("plugins/") || !file.is_cpp()) continue;
    for (const Include& include : includes(file)) {
      const bool own = !include.angled && find_file(folder_of(file.path) + "/" + include.target) != nullptr &&
                       include.target.find("..") == std::string::npos;
      if (own || include.is_standard() || first_folder(include.target) == "atlas") continue;
      findings.add(file, include.line,
                   "a role includes <atlas/...>, files of its own folder and the standard library, but not \"" +
                       include.target + "\"; ask the host for it through the SDK");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Layering, TheSdkStandsAlone) {
  const FloorTable table = floor_table();
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("sdk/") || !file.is_cpp()) continue;
    const bool shipped = file.is_below_any({"sdk/include/", "sdk/abi/"});
    for (const Include& include : includes(file)) {
      const std::string folder = first_folder(include.target);
      if (table.floors.contains(folder) && resolve(file, include) != nullptr) {
        findings.add(file, include.line, "the SDK may not include \"" + include.target + "\" of core/");
      }
      if (shipped && include.angled && !include.is_standard() && folder != "atlas") {
        findings.add(file, include.line,
                     "<" + include.target + "> would become a dependency of every plugin; use the standard library");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Layering, TheProgramUsesTheUpperFloorsOnly) {
  static const std::set<std::string> kAllowed = {"cli",  "node",  "control", "config", "identity",
                                                 "host", "trial", "base",    "atlas"};
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("cli/") || !file.is_cpp()) continue;
    for (const Include& include : includes(file)) {
      if (include.angled || kAllowed.contains(first_folder(include.target))) continue;
      findings.add(
          file, include.line,
          "cli/ may not include \"" + include.target +
              "\"; it uses core/{node,control,config,identity,host,trial,base} and says \"cli/...\" for its own files");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

// A foreign library, how its headers begin, and who may see them.
struct Foreign {
  std::string_view name;
  std::vector<std::string_view> headers;
  std::vector<std::string_view> owners;  // folders or files
};

const std::vector<Foreign>& foreign_libraries() {
  static const std::vector<Foreign> kAll = {
      {"ngtcp2", {"ngtcp2/"}, {"core/quic/", "tests/unit/quic/", "tests/attack/"}},
      {"GnuTLS", {"gnutls/"}, {"core/quic/", "tests/unit/quic/", "tests/attack/", "tests/bench/stream_pairs.cc"}},
      {"SQLite", {"sqlite3"}, {"core/store/", "tests/unit/store/", "tests/integration/"}},
      {"libuv", {"uv.h", "uv/"}, {"core/net/", "tests/unit/net/"}},
      {"toml++", {"toml++/"}, {"core/config/", "tests/unit/config/"}},
      {"dlfcn", {"dlfcn.h"}, {"core/host/", "sdk/validator/", "tests/"}},
      {"nlohmann-json", {"nlohmann/"}, {"core/control/", "core/node/commands.cc", "cli/", "tests/"}},
      {"spdlog", {"spdlog/"}, {"core/base/"}},
      {"CLI11", {"CLI/"}, {"cli/", "tests/"}},
      {"msgpack-cxx", {"msgpack"}, {"tests/"}},
      {"RapidCheck", {"rapidcheck"}, {"tests/"}},
  };
  return kAll;
}

const Foreign* foreign_library(const Include& include) {
  if (!include.angled) return nullptr;
  for (const Foreign& library : foreign_libraries()) {
    for (const std::string_view header : library.headers) {
      if (include.target.starts_with(header)) return &library;
    }
  }
  return nullptr;
}

bool may_see(const Foreign& library, const SourceFile& file) {
  return std::ranges::any_of(library.owners, [&](std::string_view owner) { return file.path.starts_with(owner); });
}

std::string owners_of(const Foreign& library) {
  std::string text;
  for (const std::string_view owner : library.owners) text += (text.empty() ? "" : ", ") + std::string(owner);
  return text;
}

TEST(Layering, ForeignHeadersStayWithTheirOwner) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const Include& include : includes(file)) {
      const Foreign* library = foreign_library(include);
      if (library == nullptr || may_see(*library, file)) continue;
      findings.add(
          file, include.line,
          "<" + include.target + "> belongs to " + owners_of(*library) + "; put an interface of ours before it");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

// The foreign libraries whose types show in a header, directly or through headers it includes.
class Shown {
 public:
  const std::set<const Foreign*>& in(const SourceFile& header) {
    if (const auto known = known_.find(header.path); known != known_.end()) return known->second;
    known_[header.path] = {};
    std::set<const Foreign*> shown;
    for (const Include& include : includes(header)) {
      if (const Foreign* library = foreign_library(include)) shown.insert(library);
      if (const SourceFile* next = resolve(header, include)) shown.insert(in(*next).begin(), in(*next).end());
    }
    return known_[header.path] = shown;
  }

 private:
  std::map<std::string, std::set<const Foreign*>> known_;
};

// A header of core/net may hold a uv_timer_t as long as nobody outside core/net includes that header.
TEST(Layering, HeadersThatShowForeignTypesAreNotIncludedFromOutside) {
  Shown shown;
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const Include& include : includes(file)) {
      const SourceFile* header = resolve(file, include);
      if (header == nullptr) continue;
      for (const Foreign* library : shown.in(*header)) {
        if (may_see(*library, file)) continue;
        findings.add(file, include.line,
                     "\"" + include.target + "\" shows types of " + std::string(library->name) + ", which belong to " +
                         owners_of(*library) + "; include an interface header of that folder, or hide the type");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Layering, EveryForeignLibraryIsFoundWhereItBelongs) {
  std::set<std::string_view> seen;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const Include& include : includes(file)) {
      if (const Foreign* library = foreign_library(include)) seen.insert(library->name);
    }
  }
  for (const std::string_view name : {"ngtcp2", "GnuTLS", "SQLite", "libuv", "toml++", "dlfcn", "nlohmann-json"}) {
    EXPECT_TRUE(seen.contains(name)) << "no file includes " << name << "; its rule has lost its object";
  }
}

}  // namespace
}  // namespace atlas::tidy
