// `atlas id …`: the node's key and what the node says of itself.
// Main thread only. Each command prints its result on `out` and what is wrong on `err`, and returns an ExitCode.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/root.h"

namespace atlas::cli {

// Makes keys/node-key.pem and prints the node id; kBusy when there is a key already. --json: {"node_id": …}.
int id_init(const Layout& layout, bool json, std::ostream& out, std::ostream& err);
// --json: {"node_id","name","bio","skills","public_key"}, public_key as lower-case hex.
int id_show(const Layout& layout, bool json, std::ostream& out, std::ostream& err);

// These edit [identity] of config.toml and nothing else in it; a running node reads it at its next start.
int id_set_name(const Layout& layout, const std::string& name, std::ostream& out, std::ostream& err);
int id_set_bio(const Layout& layout, const std::string& bio, std::ostream& out, std::ostream& err);
int id_add_skill(const Layout& layout, const std::string& skill, std::ostream& out, std::ostream& err);
// kNotFound when the node has no such skill.
int id_remove_skill(const Layout& layout, const std::string& skill, std::ostream& out, std::ostream& err);

}  // namespace atlas::cli
