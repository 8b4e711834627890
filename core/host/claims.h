// Who owns which message type, command and exported metric in this node, and who finds paths.
//
// Claims are made while plugins initialise, before any of them starts, so that every conflict is found in one go and
// its text can name both sides. Ownership of a claim ends in release() only: the one place that takes back what a
// plugin registered, whatever the reason. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atlas::host {

// What the wire protocol's registry (section 3) says about a type byte.
enum class TypeRange {
  kCore,        // 00-0F, E0-EF, FF: never a plugin's
  kRole,        // assigned to a role of this project
  kProject,     // 40-7F: for roles of this project that do not exist yet
  kUnassigned,  // the rest of 10-3F and F0-FE
  kFree,        // 80-DF: third parties
};
TypeRange range_of(std::uint8_t type);
// The role that the registry gives a byte to, empty for none: 0x20 -> "bootstrap".
std::string_view role_of(std::uint8_t type);
// Whether any byte belongs to a role of this name: what `replaces` may name.
bool is_role(std::string_view name);

// How a claim's owner shows in errors: the plugin's id and the file it came from.
struct Owner {
  std::string id;
  std::string file;
  std::vector<std::string> replaces;  // roles whose bytes the operator lets it take
};

class Claims {
 public:
  // kDenied when the registry reserves the byte, kConflict (naming both owners) when another plugin has it.
  base::Result<void> claim_type(const Owner& owner, std::uint8_t type);
  // Commands of the core count as taken.
  base::Result<void> claim_command(const Owner& owner, std::string_view path);
  // The full exported name.
  base::Result<void> claim_metric(const Owner& owner, std::string_view name);
  // An ALPN.
  base::Result<void> claim_protocol(const Owner& owner, std::string_view alpn);
  // To find the paths that dials ask for.
  base::Result<void> claim_paths(const Owner& owner);

  // Everything of one plugin, by id.
  void release(std::string_view id);

  // Every claim as "type 0x90: echo", in one order: equal lists mean equal registries.
  std::vector<std::string> snapshot() const;

 private:
  struct Holder {
    std::string id, file;
  };
  base::Result<void> claim_name(std::map<std::string, Holder, std::less<>>& table, const char* kind, const Owner& owner,
                                std::string_view name);

  mutable std::mutex mutex_;
  std::array<Holder, 256> types_;
  Holder paths_;
  std::map<std::string, Holder, std::less<>> commands_;
  std::map<std::string, Holder, std::less<>> metrics_;
  std::map<std::string, Holder, std::less<>> protocols_;
};

}  // namespace atlas::host
