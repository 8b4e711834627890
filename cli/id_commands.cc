#include "cli/id_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/bytes.h"
#include "base/random.h"
#include "cli/config_commands.h"
#include "cli/display.h"
#include "cli/exit_codes.h"
#include "config/config.h"
#include "config/file.h"
#include "identity/node_key.h"

namespace atlas::cli {
namespace {

int report(const base::Error& error, std::ostream& err) {
  err << "atlas: " << terminal_safe(error.text) << '\n';
  return exit_code_of(error.fault);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + terminal_safe(text);
  return out.empty() ? "-" : out;
}

// What config.toml says of the node, for a command that is going to change it.
int current_identity(const Layout& layout, config::Identity& identity, std::ostream& err) {
  config::Config config;
  const int code = load_config(layout, config, err);
  if (code == kOk) identity = std::move(config.identity);
  return code;
}

// For a change of config.toml from its first look at the file on.
base::Result<config::EditLock> lock_config(const Layout& layout) {
  if (auto made = create_directories(layout); !made) return std::unexpected(made.error());
  return config::EditLock::take(layout.config);
}

int set_skills(const Layout& layout, const std::vector<std::string>& skills, std::ostream& out, std::ostream& err) {
  if (auto set = config::set_texts(layout.config, "identity", "skills", skills); !set) return report(set.error(), err);
  out << "skills: " << joined(skills) << '\n';
  return kOk;
}

int set_one(const Layout& layout, const char* key, const std::string& value, std::ostream& out, std::ostream& err) {
  const auto lock = lock_config(layout);
  if (!lock) return report(lock.error(), err);
  if (auto set = config::set_text(layout.config, "identity", key, value); !set) return report(set.error(), err);
  out << key << ": " << (value.empty() ? "-" : terminal_safe(value)) << '\n';
  return kOk;
}

}  // namespace

int id_init(const Layout& layout, bool json, std::ostream& out, std::ostream& err) {
  if (auto made = create_directories(layout); !made) return report(made.error(), err);
  std::error_code error;
  if (std::filesystem::symlink_status(layout.key, error).type() != std::filesystem::file_type::not_found) {
    err << "atlas: " << layout.key.string()
        << " exists already; it is kept, for whoever has it is this node. Move it away to make another\n";
    return kBusy;
  }
  base::SystemRandom random;
  const auto key = identity::NodeKey::generate(random);
  if (auto saved = key.save(layout.key); !saved) return report(saved.error(), err);
  if (json) {
    out << nlohmann::ordered_json{{"node_id", key.node_id()}}.dump() << '\n';
  } else {
    out << key.node_id() << '\n';
  }
  return kOk;
}

int id_show(const Layout& layout, bool json, std::ostream& out, std::ostream& err) {
  std::error_code error;
  if (!std::filesystem::exists(layout.key, error) && !error) {
    err << "atlas: " << layout.key.string() << ": there is no key yet; make one with `atlas id init`\n";
    return kNotFound;
  }
  const auto key = identity::NodeKey::load(layout.key);
  if (!key) {
    // Whatever is wrong with it, a key that is there and of no use is one code, as it is for `net listen`.
    const int code = report(key.error(), err);
    return code == kNotFound ? kNotFound : kFailure;
  }
  config::Identity identity;
  if (const int code = current_identity(layout, identity, err); code != kOk) return code;
  const std::string public_key = base::to_hex(key->public_key());
  if (json) {
    const nlohmann::ordered_json document{{"node_id", key->node_id()},
                                          {"name", identity.name},
                                          {"bio", identity.bio},
                                          {"skills", identity.skills},
                                          {"public_key", public_key}};
    out << document.dump() << '\n';
    return kOk;
  }
  const auto shown = [](const std::string& text) { return text.empty() ? "-" : terminal_safe(text); };
  out << "node id     " << key->node_id() << '\n'
      << "name        " << shown(identity.name) << '\n'
      << "bio         " << shown(identity.bio) << '\n'
      << "skills      " << joined(identity.skills) << '\n'
      << "public key  " << public_key << '\n';
  return kOk;
}

int id_set_name(const Layout& layout, const std::string& name, std::ostream& out, std::ostream& err) {
  return set_one(layout, "name", name, out, err);
}

int id_set_bio(const Layout& layout, const std::string& bio, std::ostream& out, std::ostream& err) {
  return set_one(layout, "bio", bio, out, err);
}

int id_add_skill(const Layout& layout, const std::string& skill, std::ostream& out, std::ostream& err) {
  const auto lock = lock_config(layout);
  if (!lock) return report(lock.error(), err);
  config::Identity identity;
  if (const int code = current_identity(layout, identity, err); code != kOk) return code;
  auto& skills = identity.skills;
  if (std::find(skills.begin(), skills.end(), skill) == skills.end()) skills.push_back(skill);
  return set_skills(layout, skills, out, err);
}

int id_remove_skill(const Layout& layout, const std::string& skill, std::ostream& out, std::ostream& err) {
  const auto lock = lock_config(layout);
  if (!lock) return report(lock.error(), err);
  config::Identity identity;
  if (const int code = current_identity(layout, identity, err); code != kOk) return code;
  auto& skills = identity.skills;
  const auto found = std::find(skills.begin(), skills.end(), skill);
  if (found == skills.end()) {
    err << "atlas: the node has no skill \"" << terminal_safe(skill) << "\"; it has: " << joined(skills) << '\n';
    return kNotFound;
  }
  skills.erase(found);
  return set_skills(layout, skills, out, err);
}

}  // namespace atlas::cli
