// Documents that hold together: links lead somewhere, decisions are listed, roles describe themselves alike, and
// nothing in the tree points at the machine it was written on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tidy/source_tree.h"

namespace atlas::tidy {
namespace {

namespace fs = std::filesystem;

struct Link {
  std::size_t line;
  std::string target;
};

// Replaces `code` spans by spaces.
std::string without_code_spans(std::string line) {
  for (std::size_t open = line.find('`'); open != std::string::npos; open = line.find('`', open)) {
    const std::size_t close = line.find('`', open + 1);
    if (close == std::string::npos) break;
    std::fill(line.begin() + static_cast<std::ptrdiff_t>(open), line.begin() + static_cast<std::ptrdiff_t>(close) + 1,
              ' ');
  }
  return line;
}

// Runs f(index, line) for each line that is not part of a fenced code block.
template <class F>
void each_prose_line(const SourceFile& file, F&& f) {
  bool fenced = false;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::size_t first = file.lines[i].find_first_not_of(' ');
    if (first != std::string::npos && file.lines[i].compare(first, 3, "```") == 0) {
      fenced = !fenced;
    } else if (!fenced) {
      f(i, file.lines[i]);
    }
  }
}

// [text](target) and [name]: target.
std::vector<Link> links(const SourceFile& file) {
  std::vector<Link> found;
  each_prose_line(file, [&](std::size_t i, const std::string& raw) {
    const std::string line = without_code_spans(raw);
    for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
      const std::size_t close = line.find(')', at);
      if (close != std::string::npos) found.push_back({i + 1, line.substr(at + 2, close - at - 2)});
    }
    const std::size_t reference = line.find("]: ");
    if (line.starts_with('[') && reference != std::string::npos) found.push_back({i + 1, line.substr(reference + 3)});
  });
  return found;
}

// The anchors of a document's headings, as GitHub makes them.
std::set<std::string> anchors(const SourceFile& file) {
  std::set<std::string> all;
  std::map<std::string, int> seen;
  each_prose_line(file, [&](std::size_t, const std::string& line) {
    if (!line.starts_with('#')) return;
    const std::size_t text = line.find_first_not_of("# ");
    if (text == std::string::npos) return;
    std::string anchor;
    for (const char c : line.substr(text)) {
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) || c == '-' || c == '_' || byte >= 0x80)
        anchor.push_back(static_cast<char>(std::tolower(byte)));
      if (c == ' ') anchor.push_back('-');
    }
    const int before = seen[anchor]++;
    all.insert(before == 0 ? anchor : anchor + "-" + std::to_string(before));
  });
  return all;
}

TEST(Docs, RelativeLinksLeadSomewhere) {
  Findings findings;
  std::size_t checked = 0;
  for (const SourceFile& file : source_tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (const Link& link : links(file)) {
      if (link.target.find("://") != std::string::npos || link.target.starts_with("mailto:")) continue;
      ++checked;
      const std::size_t hash = link.target.find('#');
      const std::string path = link.target.substr(0, hash);
      const fs::path target =
          path.empty() ? fs::path(file.path) : (fs::path(file.path).parent_path() / path).lexically_normal();
      if (!fs::exists(fs::path(ATLAS_SOURCE_DIR) / target)) {
        findings.add(file, link.line, "the link to " + link.target + " leads nowhere; write the file or mend the link");
        continue;
      }
      const SourceFile* document = find_file(target.generic_string());
      if (hash == std::string::npos || document == nullptr || !document->path.ends_with(".md")) continue;
      if (!anchors(*document).contains(link.target.substr(hash + 1))) {
        findings.add(file, link.line, "no heading of " + document->path + " is called " + link.target.substr(hash));
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
  EXPECT_GT(checked, 10u) << "so few links in all documents: the search has gone blind";
}

bool is_decision(const SourceFile& file) {
  const std::string name = file.name();
  return file.is_below("docs/adr/") && name.size() > 8 && name.ends_with(".md") && name[4] == '-' &&
         std::all_of(name.begin(), name.begin() + 4, [](unsigned char c) { return std::isdigit(c) != 0; });
}

TEST(Docs, EveryDecisionIsListed) {
  const SourceFile* list = find_file("docs/adr/README.md");
  ASSERT_NE(list, nullptr);
  std::set<std::string> listed;
  for (const Link& link : links(*list)) listed.insert(link.target);
  std::set<std::string> numbers;
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("docs/adr/") || file.name() == "README.md") continue;
    if (!is_decision(file)) findings.add(file, 1, "decisions are called NNNN-title.md");
    if (!listed.contains(file.name())) findings.add(file, 1, "not listed in docs/adr/README.md; add its row");
    if (!numbers.insert(file.name().substr(0, 4)).second) findings.add(file, 1, "its number is taken; use the next");
  }
  EXPECT_NO_FINDINGS(findings);
  EXPECT_FALSE(numbers.empty());
}

TEST(Docs, ChangelogHasRoomForTheNextRelease) {
  const SourceFile* changelog = find_file("CHANGELOG.md");
  ASSERT_NE(changelog, nullptr) << "CHANGELOG.md: missing";
  EXPECT_NE(std::ranges::find(changelog->lines, "## Unreleased"), changelog->lines.end())
      << "CHANGELOG.md:1: no section \"## Unreleased\"; add it above the newest release";
}

// The patterns are put together here so that this file does not hold them.
TEST(Docs, NothingPointsAtABuildMachineOrARegistry) {
  const std::vector<std::string> patterns = {std::string("/wo") + "rk/", std::string("/tmp") + "/w/",
                                             std::string("deb.deb") + "ian.org", std::string("registry.") + "npmjs",
                                             std::string("node") + "source"};
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& pattern : patterns) {
        if (file.lines[i].find(pattern) == std::string::npos) continue;
        findings.add(file, i + 1, "\"" + pattern + "\": a name of one machine or mirror; let the user's system decide");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Docs, EveryRoleDescribesItselfInTheSameSections) {
  static const std::vector<std::string> kSections = {"## Name",     "## Description", "## Configuration",
                                                     "## Commands", "## Metrics",     "## Examples"};
  std::set<std::string> roles;
  for (const SourceFile& file : source_tree()) {
    const fs::path path = file.path;
    if (file.is_below("plugins/") && std::distance(path.begin(), path.end()) > 2)
      roles.insert(*std::next(path.begin()));
  }
  EXPECT_GE(roles.size(), 4u);
  for (const std::string& role : roles) {
    const std::string path = "plugins/" + role + "/README.md";
    const SourceFile* readme = find_file(path);
    if (readme == nullptr) {
      ADD_FAILURE() << path << ":1: missing; write it with the sections of plugins/keepalive/README.md";
      continue;
    }
    EXPECT_EQ(readme->lines.empty() ? "" : readme->lines[0], "# " + role) << path << ":1: its title is the role's name";
    std::vector<std::string> sections;
    each_prose_line(*readme, [&](std::size_t, const std::string& line) {
      if (line.starts_with("## ")) sections.push_back(line);
    });
    EXPECT_EQ(sections, kSections) << path << ":1: the sections are these, in this order";
  }
}

}  // namespace
}  // namespace atlas::tidy
