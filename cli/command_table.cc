#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace atlas::cli {
namespace {

using Kind = ArgumentKind;

std::vector<Command> id_commands() {
  return {
      {.path = "id init",
       .summary = "make the node's key; its node id follows from it",
       .where = kWhereHere,
       .json = "`{node_id}`"},
      {.path = "id show",
       .summary = "show the node id and what the node says of itself",
       .where = kWhereHere,
       .json = "`{node_id,name,bio,skills,public_key}`"},
      {.path = "id set-name",
       .summary = "choose the name that other nodes see",
       .where = kWhereHere,
       .args = {{"name", Kind::kText, true, "at most 64 bytes of UTF-8; \"\" takes the name away"}},
       .json = "`{done}`"},
      {.path = "id set-bio",
       .summary = "describe the node in a sentence or two",
       .where = kWhereHere,
       .args = {{"text", Kind::kRest, true, "at most 512 bytes of UTF-8"}},
       .json = "`{done}`"},
      {.path = "id add-skill",
       .summary = "add a skill that other nodes can look for",
       .where = kWhereHere,
       .args = {{"skill", Kind::kText, true, "at most 64 bytes of UTF-8; a node has at most 32 skills"}},
       .json = "`{done}`"},
      {.path = "id remove-skill",
       .summary = "take a skill away",
       .where = kWhereHere,
       .args = {{"skill", Kind::kText, true, "as `atlas id show` spells it"}},
       .json = "`{done}`"},
  };
}

std::vector<Command> config_commands() {
  return {
      {.path = "config check",
       .summary = "check config.toml, the plugins' tables included, and list all that is wrong",
       .where = kWhereHere,
       .json = "`{file,problems:[{line,column,text}]}`, also when there are problems"},
      {.path = "config show",
       .summary = "show every key, its value and where the value comes from",
       .where = kWhereHere,
       .json = "`{file,values:{key:{value,origin,line?}}}`; origin is `default` or `file`"},
      {.path = "config init",
       .summary = "write a commented config.toml for a role",
       .where = kWhereHere,
       .args = {{"--role", Kind::kText, true, "bootstrap, relay or agent", "ROLE"},
                {"--force", Kind::kFlag, false, "replace a config.toml that is there already"}},
       .json = "`{done}`"},
  };
}

std::vector<Command> net_commands() {
  return {
      {.path = "net listen",
       .summary = "run the node until SIGINT or SIGTERM; prints `ready <address> <node id>` once it accepts",
       .where = kWhereHere,
       .args = {{"--port", Kind::kInteger, false, "UDP port in place of network.port; 0 lets the system choose",
                 "PORT"},
                {"--bind", Kind::kList, false, "IP address to bind in place of network.bind; repeatable", "IP"},
                {"--bootstrap", Kind::kList, false, "bootstrap node in place of network.bootstrap; repeatable",
                 "ADDRESS"},
                {"--relay", Kind::kList, false, "relay in place of network.relays, to be used; repeatable", "ADDRESS"},
                {"--set", Kind::kList, false,
                 "any other key of the core for this run, as transport.max_connections=50; lists with commas; "
                 "repeatable",
                 "KEY=VALUE"},
                {"--safe-mode", Kind::kFlag, false,
                 "start the roles that come with atlas only, from where it was installed"},
                {"--log-level", Kind::kText, false, "debug, info, warn, error or off", "LEVEL"},
                {"--log-format", Kind::kText, false, "text or json", "FORMAT"}},
       .json = "a line `{ready:{address,node_id}}` for each address"},
      {.path = "net status",
       .summary = "show what the running node does",
       .where = kWhereDaemon,
       .display =
           "node_id=node id, version, listen:list, public_address=public address, uptime_s:span=uptime, sessions, "
           "plugins:list, nat.behind_nat=behind a NAT, nat.warning=warning, paths:list",
       .json =
           "`{node_id,version,listen,public_address,uptime_s,sessions,plugins,…}`; listen is an array of addresses, "
           "sessions their number, plugins an array of `{id,version,state,reason}`. `nat` says how others see this "
           "node: `{behind_nat,mapping_v4,mapping_v6,warning,stun:[{server,mapped,failure}]}`, behind_nat null "
           "while it cannot be told, mapping `same`, `dependent` (a NAT that gives each destination another port) "
           "or `unknown`, warning null or what to do about it. `paths` is an array of `{node_id,path,reason}`, one "
           "for each session that began through a relay; path is `direct`, or `relay` and why, for people; reason "
           "is null, or why there is no direct path: `no_address`, `no_answer`, `peer_did_not_come`, `went_silent`, "
           "`symmetric_here`, `symmetric_there`, `symmetric_both` or `udp_blocked`. `connections`, `store` and "
           "`udp` are objects of counters of the transport, the database and the sockets, `counters` of everything "
           "else that the node did or refused, `metrics` those of the roles; docs/reference/limits.md says which of "
           "them moves when a limit bites"},
      {.path = "net peers",
       .summary = "list the peers that the node knows, newest first",
       .where = kWhereDaemon | kWhereClient,
       .args = {{"--limit", Kind::kInteger, false, "at most so many; 1000 when not given, 10000 at most", "N"}},
       .display = "node_id:id=node id, name, address, trust_level=trust, connected, last_seen:ago=last seen, "
                  "skills:list, last_failure=failure, ban_until:ago=banned until",
       .when_empty = "no peers yet; `atlas net connect <address>` meets one, `atlas net discover` asks bootstrap nodes",
       .json =
           "an array of peer records: `node_id`, `address`, `public_address`, `name`, `skills`, `operator_username`, "
           "`trust_level`, `last_seen` (Unix s), `relays`, `last_failure`, `ban_until` (Unix s), `connected`. What "
           "is not known is null",
       .rows_are_array = true},
      {.path = "net connect",
       .summary = "connect to a peer and keep the session",
       .where = kWhereDaemon | kWhereClient,
       .args = {{"target", Kind::kText, true, "ip:port, [ipv6]:port or a node id"}},
       .display = "node_id=node id, name, address, path, trust_level=trust, rtt_ms:ms=round trip",
       .json = "`{node_id,name,address,path,trust_level,rtt_ms}`; path is `direct` or `relay`"},
      {.path = "net disconnect",
       .summary = "end the session with a peer",
       .where = kWhereDaemon,
       .args = {{"target", Kind::kText, true, "node id, or the address of a connected peer"}},
       .display = "node_id=node id, disconnected",
       .json = "`{node_id,disconnected}`"},
  };
}

std::vector<Command> plugin_commands() {
  return {
      {.path = "plugin list",
       .summary = "list the enabled plugins, what they claim and how they fare",
       .where = kWhereDaemon | kWhereHere,
       .display = "id=plugin, version, state, types:list, commands:list, reason, summary",
       .when_empty = "no plugins are enabled; see [plugins] in config.toml",
       .json = "an array of `{id,version,summary,state,file,reason,types,commands}`, from a running node also "
               "`callbacks`, `faults`, `dropped`. types are the message type bytes in hex"},
      {.path = "plugin info",
       .summary = "show what one role claims: types, keys, commands and metrics",
       .where = kWhereHere,
       .args = {{"target", Kind::kText, true, "an id, or the path of a file"}},
       .display =
           "id=plugin, version, state, reason, summary, file, types:list, commands:list, keys:list, metrics:list",
       .json = "`{id,version,summary,file,abi,needs,types,commands,keys,metrics,state,reason}`; keys is an array of "
               "`{key,type,default,bounds,doc}`, state and reason are those of `plugin list` in the running node, null "
               "where none runs or the role is not enabled"},
      {.path = "plugin new",
       .summary = "write a project for a role of your own, which builds with the installed SDK",
       .where = kWhereHere,
       .args = {{"name", Kind::kText, true, "its id, as org.example.thing: 1 to 64 of a-z 0-9 . _ -"},
                {"--lang", Kind::kText, false, "c, cpp or rust; cpp when not given", "LANG"},
                {"--dir", Kind::kText, false, "where to; a directory of the role's name when not given", "DIR"}},
       .display = "id=plugin, lang, dir, files:list",
       .json = "`{id,lang,dir,files}`"},
      {.path = "plugin check",
       .summary = "see what a role stands: its file, its claims, and a scripted run of abuse, without a node",
       .where = kWhereHere,
       .args = {{"file", Kind::kText, true, "the role's file, <id>.so"},
                {"--step", Kind::kText, false, "this step alone", "NAME"},
                {"--timeout", Kind::kInteger, false, "seconds that a step may take; 30 when not given", "SECONDS"}},
       .json = "`{file,id,passed,claims,steps}`; claims are those of `plugin info`, null when the role could not tell, "
               "steps an array of `{step,result,ms,why?,where?,log?}` with result `pass`, `fail` or `skipped`"},
      {.path = "plugin run",
       .summary = "start two nodes with a role on loopback, and a prompt to talk to it",
       .where = kWhereHere,
       .args = {{"file", Kind::kText, true, "the role's file, <id>.so"},
                {"--with", Kind::kText, false, "other roles, with commas between them, as keepalive,messaging",
                 "ROLES"}},
       .json = "the answers are JSON in either case, a line each"},
  };
}

std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint32_t number_at(const nlohmann::json& object, const char* key, std::uint32_t fallback) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint32_t>() : fallback;
}

bool flag_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::vector<Argument> arguments_of(const nlohmann::json& command) {
  std::vector<Argument> args;
  const auto list = command.find("args");
  if (list == command.end() || !list->is_array()) return args;
  for (const auto& entry : *list) {
    if (!entry.is_object()) continue;
    Argument arg{text_at(entry, "name"), Kind::kText, flag_at(entry, "required"), text_at(entry, "help")};
    const std::uint32_t kind = number_at(entry, "kind", 1);
    if (kind >= 1 && kind <= 4) arg.kind = static_cast<Kind>(kind);
    if (!arg.name.empty()) args.push_back(std::move(arg));
  }
  return args;
}

}  // namespace

const std::vector<Command>& fixed_commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> commands;
    for (auto part : {id_commands(), config_commands(), net_commands(), plugin_commands()}) {
      commands.insert(commands.end(), part.begin(), part.end());
    }
    return commands;
  }();
  return all;
}

std::string group_summary(std::string_view group) {
  if (group == "id") return "the node's key, and what the node says of itself";
  if (group == "config") return "check, show and make config.toml";
  if (group == "net") return "run the node, and talk to the network through it";
  if (group == "plugin") return "the roles that the node plays";
  return "commands of a plugin";
}

const Command* find_command(const std::vector<Command>& commands, std::string_view path) {
  for (const Command& command : commands) {
    if (command.path == path) return &command;
  }
  return nullptr;
}

base::Result<std::vector<Command>> commands_from_json(std::string_view text) {
  const auto list = nlohmann::json::parse(text, nullptr, false);
  if (!list.is_array()) return base::fail(base::Fault::kInternal, "the node's list of commands cannot be read");
  std::vector<Command> commands;
  for (const auto& entry : list) {
    if (!entry.is_object() || text_at(entry, "path").empty()) continue;
    commands.push_back({.path = "net " + text_at(entry, "path"),
                        .summary = text_at(entry, "summary"),
                        .where = number_at(entry, "where", kWhereDaemon) & (kWhereDaemon | kWhereClient),
                        .args = arguments_of(entry),
                        .display = text_at(entry, "display")});
  }
  return commands;
}

}  // namespace atlas::cli
