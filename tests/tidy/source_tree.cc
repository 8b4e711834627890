#include "tidy/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace atlas::tidy {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

SourceFile read(const fs::path& root, const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  SourceFile file;
  file.path = fs::relative(path, root).generic_string();
  file.binary = text.find('\0') != std::string::npos;
  if (file.binary) return file;
  file.lines = split_lines(text);
  if (file.is_cpp()) file.code = code_only(file.lines);
  return file;
}

// Whatever .gitignore keeps out of the repository, and the repository itself.
bool is_left_out(const fs::path& root, const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (entry.is_directory()) {
    return name == ".git" || name == ".cache" || (name == "build" && entry.path().parent_path() == root);
  }
  return name == ".git" || name == "compile_commands.json" || name.ends_with(".swp");
}

std::vector<SourceFile> read_tree() {
  const fs::path root = ATLAS_SOURCE_DIR;
  if (!fs::exists(root / "core" / "CMakeLists.txt")) {
    throw std::runtime_error("no source tree at " + root.string() + "; configure the build again");
  }
  std::vector<SourceFile> files;
  for (fs::recursive_directory_iterator it(root), end; it != end; ++it) {
    if (is_left_out(root, *it)) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file() && !it->is_symlink()) {
      files.push_back(read(root, it->path()));
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

}  // namespace

bool SourceFile::is_below_any(std::initializer_list<std::string_view> folders) const {
  return std::ranges::any_of(folders, [&](std::string_view folder) { return is_below(folder); });
}

bool SourceFile::ends_with_any(std::initializer_list<std::string_view> endings) const {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return path.ends_with(ending); });
}

const std::vector<SourceFile>& source_tree() {
  static const std::vector<SourceFile> files = read_tree();
  return files;
}

const SourceFile* find_file(std::string_view path) {
  const auto& files = source_tree();
  const auto found = std::ranges::lower_bound(files, path, {}, &SourceFile::path);
  return found != files.end() && found->path == path ? &*found : nullptr;
}

void Findings::add(const SourceFile& file, std::size_t line, std::string_view text) {
  lines_.push_back(file.path + ":" + std::to_string(line) + ": " + std::string(text));
}

std::string Findings::text() const {
  std::string all;
  for (const std::string& line : lines_) all += "\n" + line;
  return all;
}

}  // namespace atlas::tidy
