#include "host/loader.h"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/utf8.h"
#include "host/builtin_roles.h"
#include "host/ext.h"
#include "host/file_pin.h"
#include "host/start_order.h"

namespace atlas::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNeeds = base::limits::plugins_needs;
constexpr std::size_t kMaxText = 256;  // version and summary
// The first release had every field up to here.
constexpr std::size_t kSmallest = offsetof(::atlas_plugin, peer_event) + sizeof(::atlas_plugin::peer_event);

std::unexpected<base::Error> refuse(const std::string& file, std::string why) {
  return base::fail(base::Fault::kDenied, fmt::format("{}: {}", file, why));
}

std::string host_abi() {
  return fmt::format("{}.{}", ATLAS_ABI_MAJOR, ATLAS_ABI_MINOR);
}

std::string bounded(const char* text) {
  if (text == nullptr) return {};
  const std::string_view cut(text, strnlen(text, kMaxText));
  return base::is_utf8(cut) ? std::string(cut) : base::escaped(cut, kMaxText);
}

std::string_view name_of(std::string_view extension) {
  return extension.substr(0, extension.rfind('/'));
}

// Why this host cannot give an extension, as one sentence.
std::string missing_extension(std::string_view wanted) {
  for (const Extension& known : extensions()) {
    if (name_of(known.id) != name_of(wanted)) continue;
    return fmt::format("needs {}, this atlas has {}; install the atlas or the plugin that fits the other", wanted,
                       known.id);
  }
  return fmt::format("needs {}, which this atlas (plugin ABI {}) does not have; update atlas", wanted, host_abi());
}

// The major for which a library without our symbol was built, 0 when it is no plugin at all.
unsigned other_major(void* library) {
  for (unsigned major = 0; major <= 16; ++major) {
    if (major == ATLAS_ABI_MAJOR) continue;
    if (dlsym(library, fmt::format("atlas_plugin_v{}", major).c_str()) != nullptr) return major;
  }
  return ATLAS_ABI_MAJOR;
}

// Nobody but root and this user may be able to change what we are about to run.
std::string writable_by_others(const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return fmt::format("belongs to user {}, expected root or user {}", status.st_uid, geteuid());
  }
  if ((status.st_mode & 022) == 0) return {};
  return fmt::format("can be written by others (mode {:04o})", status.st_mode & 07777);
}

}  // namespace

bool is_plugin_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

base::Result<void> check_plugin_file(const fs::path& file) {
  struct stat status {};
  struct stat directory {};
  if (stat(file.c_str(), &status) != 0 || stat(file.parent_path().c_str(), &directory) != 0) {
    return refuse(file.string(), fmt::format("cannot be looked at: {}", std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) return refuse(file.string(), "is not a regular file");
  if (std::string why = writable_by_others(status); !why.empty()) {
    return refuse(file.string(), fmt::format("{}; chmod go-w it", why));
  }
  // In a sticky directory nobody can replace another's file.
  if (std::string why = writable_by_others(directory); !why.empty() && (directory.st_mode & S_ISVTX) == 0) {
    return refuse(file.string(), fmt::format("its directory {}; chmod go-w it", why));
  }
  return {};
}

base::Result<Descriptor> read_descriptor(const ::atlas_plugin* object, std::size_t symbol_size,
                                         const std::string& file) {
  if (symbol_size != 0 && symbol_size < kSmallest) {
    return refuse(file, fmt::format("atlas_plugin_v1 has {} bytes, expected at least {}", symbol_size, kSmallest));
  }
  if (object->struct_size < kSmallest || (symbol_size != 0 && object->struct_size > symbol_size)) {
    return refuse(file, fmt::format("atlas_plugin_v1 says that it has {} bytes, expected {}..{}", object->struct_size,
                                    kSmallest, symbol_size != 0 ? symbol_size : sizeof(::atlas_plugin)));
  }
  Descriptor out;
  out.file = file;
  out.code = copy_prefix(object);
  if (out.code.abi_major != ATLAS_ABI_MAJOR) {
    return refuse(file, fmt::format("built for plugin ABI {}, this atlas has {}; rebuild the plugin",
                                    out.code.abi_major, host_abi()));
  }
  if (out.code.abi_minor_min > ATLAS_ABI_MINOR) {
    return refuse(file, fmt::format("needs plugin ABI {}.{}, this atlas has {}; update atlas, or rebuild the plugin "
                                    "with abi_minor_min = {}",
                                    out.code.abi_major, out.code.abi_minor_min, host_abi(), ATLAS_ABI_MINOR));
  }
  out.id = bounded(out.code.id);
  if (!is_plugin_id(out.id)) {
    return refuse(file, fmt::format("its id \"{}\" is not 1 to 64 characters of a-z, 0-9, '.', '_' and '-'",
                                    base::escaped(out.id, 64)));
  }
  out.version = bounded(out.code.version);
  out.summary = bounded(out.code.summary);
  if (out.code.init == nullptr) return refuse(file, "it has no init function");
  for (std::size_t i = 0; out.code.needs != nullptr && out.code.needs[i] != nullptr; ++i) {
    const std::string wanted = bounded(out.code.needs[i]);
    if (i == kMaxNeeds) return refuse(file, fmt::format("it needs more than {} extensions", kMaxNeeds));
    if (is_plugin_need(wanted)) {
      if (!is_plugin_id(wanted)) {
        return refuse(file, fmt::format("needs \"{}\", which is neither a capability nor a plugin's id",
                                        base::escaped(wanted, 64)));
      }
      out.needs.push_back(wanted);
      continue;
    }
    if (std::ranges::find(extensions(), wanted, &Extension::id) == extensions().end()) {
      return refuse(file, missing_extension(base::escaped(wanted, 64)));
    }
  }
  return out;
}

base::Result<fs::path> Loader::find(const std::string& id) const {
  std::string looked;
  for (const fs::path& directory : search_) {
    if (!directory.is_absolute()) {
      return base::fail(base::Fault::kConfig,
                        fmt::format("plugins.search: \"{}\" is not an absolute path", directory.string()));
    }
    const fs::path file = directory / (id + ".so");
    std::error_code ignored;
    if (fs::exists(file, ignored)) return file;
    looked += (looked.empty() ? "" : ", ") + directory.string();
  }
  return base::fail(base::Fault::kGone, fmt::format("plugin {}: no {}.so in {}", id, id,
                                                    looked.empty() ? "plugins.search, which is empty" : looked));
}

base::Result<void> Loader::check_file(const fs::path& file, const std::string& id, const std::string& pin) {
  if (auto checked = check_plugin_file(file); !checked) return checked;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    return refuse(file.string(), fmt::format("cannot be looked at: {}", std::strerror(errno)));
  }
  const auto [entry, fresh] = loaded_.try_emplace({status.st_dev, status.st_ino}, id);
  if (!fresh) return refuse(file.string(), fmt::format("the same file as plugin {}", entry->second));
  if (pin.empty()) return {};
  const auto found = pin_of(file);
  if (!found) return std::unexpected(found.error());
  if (*found == pin) return {};
  return refuse(file.string(), fmt::format("its SHA-256 is {}, but plugins.{}.sha256 wants {}; put the file back, or "
                                           "change the key if you trust the new one",
                                           *found, id, pin));
}

namespace {

const ::atlas_plugin* builtin_role(const std::string& id) {
  for (const ::atlas_plugin* role : builtin_roles()) {
    if (id == role->id) return role;
  }
  return nullptr;
}

}  // namespace

base::Result<Descriptor> Loader::load(const std::string& id, const std::string& pin) {
  if (!is_plugin_id(id)) {
    return base::fail(base::Fault::kConfig,
                      fmt::format("plugins.enabled: \"{}\" is no plugin id (1 to 64 characters of a-z, 0-9, '.', '_' "
                                  "and '-')",
                                  base::escaped(id, 64)));
  }
  const auto found = find(id);
  if (!found) {
    const ::atlas_plugin* const role = found.error().fault == base::Fault::kGone ? builtin_role(id) : nullptr;
    if (role == nullptr) return std::unexpected(found.error());
    if (!pin.empty()) {
      return refuse(id, fmt::format("is part of this program and has no file; take plugins.{}.sha256 out", id));
    }
    return read_descriptor(role, 0, "linked");
  }
  std::error_code error;
  const fs::path file = fs::canonical(*found, error);
  if (error) return refuse(found->string(), error.message());
  if (auto checked = check_file(file, id, pin); !checked) return std::unexpected(checked.error());

  const RunningEntry running(id.c_str(), "load", -1);  // constructors of the library run
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* why = dlerror();
    return base::fail(base::Fault::kDenied, why == nullptr ? file.string() + ": cannot be loaded" : std::string(why));
  }
  const auto* object = static_cast<const ::atlas_plugin*>(dlsym(library, "atlas_plugin_v1"));
  if (object == nullptr) {
    const unsigned major = other_major(library);
    if (major == ATLAS_ABI_MAJOR) return refuse(file.string(), "is no plugin: it does not export atlas_plugin_v1");
    return refuse(file.string(), fmt::format("built for plugin ABI {}, this atlas has {}; {}", major, host_abi(),
                                             major > ATLAS_ABI_MAJOR ? "update atlas" : "rebuild the plugin"));
  }
  Dl_info where{};
  void* symbol = nullptr;
  const bool sized = dladdr1(object, &where, &symbol, RTLD_DL_SYMENT) != 0 && symbol != nullptr;
  auto out = read_descriptor(object, sized ? static_cast<const ElfW(Sym)*>(symbol)->st_size : 0, file.string());
  if (out && out->id != id) {
    return refuse(file.string(), fmt::format("its id is {}; call the file {}.so", out->id, out->id));
  }
  return out;
}

}  // namespace atlas::host
