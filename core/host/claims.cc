#include "host/claims.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace atlas::host {
namespace {

struct Role {
  std::uint8_t first, last;
  std::string_view name;
};
constexpr Role kRoles[] = {
    {0x10, 0x11, "messaging"}, {0x20, 0x21, "bootstrap"}, {0x22, 0x22, "discovery"},
    {0x30, 0x33, "relay"},     {0xf0, 0xf1, "keepalive"},
};

// Verbs of `atlas net` that the node answers itself, and words of the control socket.
constexpr std::string_view kCoreCommands[] = {"listen",  "status",     "peers",   "connect",
                                              "plugins", "disconnect", "commands"};

std::string shown(const std::string& id, const std::string& file) {
  return fmt::format("{} ({})", id, file);
}

}  // namespace

TypeRange range_of(std::uint8_t type) {
  if (type <= 0x0f || (type >= 0xe0 && type <= 0xef) || type == 0xff) return TypeRange::kCore;
  if (!role_of(type).empty()) return TypeRange::kRole;
  if (type >= 0x40 && type <= 0x7f) return TypeRange::kProject;
  if (type >= 0x80 && type <= 0xdf) return TypeRange::kFree;
  return TypeRange::kUnassigned;
}

std::string_view role_of(std::uint8_t type) {
  for (const Role& role : kRoles) {
    if (type >= role.first && type <= role.last) return role.name;
  }
  return {};
}

bool is_role(std::string_view name) {
  return std::ranges::any_of(kRoles, [&](const Role& role) { return role.name == name; });
}

base::Result<void> Claims::claim_type(const Owner& owner, std::uint8_t type) {
  const std::string who = shown(owner.id, owner.file);
  switch (range_of(type)) {
    case TypeRange::kCore:
      return base::fail(base::Fault::kDenied,
                        fmt::format("{} claims message type 0x{:02x}, which belongs to the core", who, type));
    case TypeRange::kProject:
      return base::fail(base::Fault::kDenied, fmt::format("{} claims message type 0x{:02x}; 0x40-0x7f are reserved for "
                                                          "roles of this project, use 0x80-0xdf",
                                                          who, type));
    case TypeRange::kUnassigned:
      return base::fail(base::Fault::kDenied, fmt::format("{} claims message type 0x{:02x}, which is not assigned yet; "
                                                          "use 0x80-0xdf",
                                                          who, type));
    case TypeRange::kRole: {
      const std::string role(role_of(type));
      if (owner.id == role || std::ranges::find(owner.replaces, role) != owner.replaces.end()) break;
      return base::fail(base::Fault::kDenied,
                        fmt::format("{} claims message type 0x{:02x}, which is reserved for {}; to let it take that "
                                    "role's place, write [plugins.{}] replaces = \"{}\"",
                                    who, type, role, owner.id, role));
    }
    case TypeRange::kFree:
      break;
  }
  const std::lock_guard lock(mutex_);
  Holder& holder = types_[type];
  if (!holder.id.empty()) {
    return base::fail(base::Fault::kConflict,
                      fmt::format("message type 0x{:02x} is claimed by {} and by {}; enable one of them", type,
                                  shown(holder.id, holder.file), who));
  }
  holder = {owner.id, owner.file};
  return {};
}

base::Result<void> Claims::claim_name(std::map<std::string, Holder, std::less<>>& table, const char* kind,
                                      const Owner& owner, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto [entry, fresh] = table.try_emplace(std::string(name), Holder{owner.id, owner.file});
  if (fresh) return {};
  return base::fail(base::Fault::kConflict,
                    fmt::format("{} \"{}\" is claimed by {} and by {}", kind, name,
                                shown(entry->second.id, entry->second.file), shown(owner.id, owner.file)));
}

base::Result<void> Claims::claim_command(const Owner& owner, std::string_view path) {
  if (std::ranges::find(kCoreCommands, path) != std::end(kCoreCommands)) {
    return base::fail(base::Fault::kConflict, fmt::format("command \"{}\" is claimed by {} and belongs to the core",
                                                          path, shown(owner.id, owner.file)));
  }
  return claim_name(commands_, "command", owner, path);
}

base::Result<void> Claims::claim_metric(const Owner& owner, std::string_view name) {
  return claim_name(metrics_, "metric", owner, name);
}

base::Result<void> Claims::claim_protocol(const Owner& owner, std::string_view alpn) {
  if (alpn.starts_with("atlas/")) {
    return base::fail(base::Fault::kDenied, fmt::format("protocol \"{}\" is claimed by {} and belongs to the core",
                                                        base::escaped(alpn, 255), shown(owner.id, owner.file)));
  }
  {
    const std::lock_guard lock(mutex_);
    if (protocols_.size() + 1 >= base::limits::quic_protocols && !protocols_.contains(alpn)) {
      return base::fail(
          base::Fault::kFull,
          fmt::format("protocol \"{}\" is claimed by {}; a node serves no more than {}", base::escaped(alpn, 255),
                      shown(owner.id, owner.file), base::limits::quic_protocols));
    }
  }
  return claim_name(protocols_, "protocol", owner, alpn);
}

base::Result<void> Claims::claim_paths(const Owner& owner) {
  const std::lock_guard lock(mutex_);
  if (!paths_.id.empty()) {
    return base::fail(base::Fault::kConflict,
                      fmt::format("the finding of paths is claimed by {} and by {}; enable one of them",
                                  shown(paths_.id, paths_.file), shown(owner.id, owner.file)));
  }
  paths_ = {owner.id, owner.file};
  return {};
}

void Claims::release(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (paths_.id == id) paths_ = {};
  for (Holder& holder : types_) {
    if (holder.id == id) holder = {};
  }
  const auto mine = [&](const auto& entry) { return entry.second.id == id; };
  std::erase_if(commands_, mine);
  std::erase_if(metrics_, mine);
  std::erase_if(protocols_, mine);
}

std::vector<std::string> Claims::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (std::size_t type = 0; type < types_.size(); ++type) {
    if (!types_[type].id.empty()) out.push_back(fmt::format("type 0x{:02x}: {}", type, types_[type].id));
  }
  for (const auto& [path, holder] : commands_) out.push_back(fmt::format("command {}: {}", path, holder.id));
  for (const auto& [name, holder] : metrics_) out.push_back(fmt::format("metric {}: {}", name, holder.id));
  for (const auto& [alpn, holder] : protocols_) out.push_back(fmt::format("protocol {}: {}", alpn, holder.id));
  if (!paths_.id.empty()) out.push_back(fmt::format("paths: {}", paths_.id));
  return out;
}

}  // namespace atlas::host
