#include "trial/library.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/log.h"

namespace atlas::trial {
namespace {

constexpr std::size_t kMaxFile = std::size_t{256} << 20;
constexpr std::size_t kMaxWords = 200, kMaxWord = 32;
constexpr std::string_view kEntry = "atlas_plugin_v1";

// The bytes of a file as structs at offsets; nothing where the file ends before.
class Image {
 public:
  explicit Image(base::ByteView bytes) : bytes_(bytes) {}

  template <class T>
  std::optional<T> at(std::uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof out);
    return out;
  }
  base::ByteView part(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return {};
    return bytes_.subspan(offset, size);
  }

 private:
  const base::ByteView bytes_;
};

std::string_view name_in(base::ByteView table, std::uint32_t offset) {
  if (offset >= table.size()) return {};
  const auto* begin = reinterpret_cast<const char*>(table.data()) + offset;
  return {begin, strnlen(begin, table.size() - offset)};
}

std::vector<Elf64_Shdr> sections_of(const Image& image, const Elf64_Ehdr& head) {
  std::vector<Elf64_Shdr> out;
  for (std::uint64_t i = 0; i < head.e_shnum; ++i) {
    const auto section = image.at<Elf64_Shdr>(head.e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) return {};
    out.push_back(*section);
  }
  return out;
}

bool is_shown(const Elf64_Sym& symbol) {
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return binding != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

void take_symbols(const Image& image, const Elf64_Shdr& table, base::ByteView names, Library& out) {
  for (std::uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= table.sh_size; offset += sizeof(Elf64_Sym)) {
    const auto symbol = image.at<Elf64_Sym>(table.sh_offset + offset);
    if (!symbol) return;
    const std::string_view name = name_in(names, symbol->st_name);
    if (name.empty() || !is_shown(*symbol)) continue;
    (symbol->st_shndx == SHN_UNDEF ? out.wanted : out.exported).emplace_back(name);
  }
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWord && text.front() >= 'a' && text.front() <= 'z' &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

void take_words(base::ByteView constants, Library& out) {
  const auto* at = reinterpret_cast<const char*>(constants.data());
  const auto* const end = at + constants.size();
  while (at < end && out.words.size() < kMaxWords) {
    const std::string_view text(at, strnlen(at, static_cast<std::size_t>(end - at)));
    if (is_word(text) && std::ranges::find(out.words, text) == out.words.end()) out.words.emplace_back(text);
    at += text.size() + 1;
  }
}

base::Result<base::Bytes> contents(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return base::fail(base::Fault::kGone, file.string() + ": " + error.message());
  if (size > kMaxFile) return base::fail(base::Fault::kDenied, file.string() + ": larger than 256 MiB");
  std::ifstream in(file, std::ios::binary);
  base::Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return base::fail(base::Fault::kInternal, file.string() + ": cannot be read");
  return bytes;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    out += (i == 0 ? "" : ", ") + base::escaped(names[i], 80);
  }
  return names.size() <= kShown ? out : out + fmt::format(" and {} more", names.size() - kShown);
}

}  // namespace

base::Result<Library> read_library(const std::filesystem::path& file) {
  const auto refuse = [&](std::string why) { return base::fail(base::Fault::kDenied, file.string() + ": " + why); };
  const auto bytes = contents(file);
  if (!bytes) return std::unexpected(bytes.error());
  const Image image(*bytes);
  const auto head = image.at<Elf64_Ehdr>(0);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64) {
    return refuse("is no 64-bit ELF file");
  }
  if (head->e_type != ET_DYN) return refuse("is no shared object; link it with -shared");
  const auto sections = sections_of(image, *head);
  Library out;
  bool found = false;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type == SHT_DYNSYM && section.sh_link < sections.size()) {
      const Elf64_Shdr& names = sections[section.sh_link];
      take_symbols(image, section, image.part(names.sh_offset, names.sh_size), out);
      found = true;
    }
    const bool constants = section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_ALLOC) != 0 &&
                           (section.sh_flags & (SHF_WRITE | SHF_EXECINSTR)) == 0;
    if (constants) take_words(image.part(section.sh_offset, section.sh_size), out);
  }
  if (!found) return refuse("has no table of dynamic symbols");
  std::ranges::sort(out.exported);
  std::ranges::sort(out.wanted);
  return out;
}

std::string wrong_symbols(const Library& library) {
  std::vector<std::string> others;
  std::ranges::copy_if(library.exported, std::back_inserter(others), [](const auto& name) { return name != kEntry; });
  if (others.size() == library.exported.size()) return "it does not export atlas_plugin_v1";
  if (!others.empty()) {
    return fmt::format(
        "exports {} besides atlas_plugin_v1, and a symbol of that name in another role would be taken for "
        "it; link with the version script of the SDK (atlas_add_plugin(), or pkg-config --libs "
        "atlas-sdk)",
        list_of(others));
  }
  std::vector<std::string> ours;
  std::ranges::copy_if(library.wanted, std::back_inserter(ours), [](const std::string& name) {
    return name.starts_with("atlas_") || name.starts_with("_ZN5atlas") || name.starts_with("_ZNK5atlas");
  });
  if (ours.empty()) return {};
  return fmt::format("wants {} from atlas, which exports nothing; ask the host for it by its table", list_of(ours));
}

}  // namespace atlas::trial
