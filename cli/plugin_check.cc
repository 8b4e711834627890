#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ostream>
#include <utility>

#include "atlas/plugin.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/command_runner.h"
#include "cli/plugin_commands.h"
#include "cli/render.h"
#include "host/builtin_roles.h"
#include "host/loader.h"
#include "trial/check.h"
#include "trial/steps.h"

namespace atlas::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostSeconds = 3600;

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string known_steps() {
  std::string out;
  for (const trial::Step& step : trial::steps()) out += (out.empty() ? "" : ", ") + std::string(step.name);
  return out;
}

std::string_view result_of(const trial::Told& told) {
  if (told.skipped) return "skipped";
  return told.outcome.ok ? "pass" : "fail";
}

Json json_of(const trial::Told& told) {
  Json out = {{"step", told.step}, {"result", result_of(told)}, {"ms", told.outcome.took / base::kMillisecond}};
  if (told.skipped || told.outcome.ok) return out;
  out["why"] = told.outcome.why;
  out["where"] = told.outcome.where;
  out["log"] = told.outcome.log;
  return out;
}

// A line for each step, and below one that was not passed what is known of it.
void print_step(const trial::Told& told, const Terminal& terminal) {
  if (terminal.style.quiet && told.outcome.ok) return;
  terminal.out << fmt::format("{:<8} {:<11} {}\n", result_of(told), told.step, told.doc);
  if (!told.skipped && !told.outcome.ok) {
    terminal.out << "         " << terminal_safe(told.outcome.why) << '\n';
    if (!told.outcome.where.empty()) terminal.out << "         when: " << terminal_safe(told.outcome.where) << '\n';
    if (!told.outcome.log.empty()) {
      terminal.err << fmt::format("--- what it wrote in step {}\n{}\n---", told.step, safe_lines(told.outcome.log))
                   << std::endl;
    }
  }
  terminal.out << std::flush;
}

base::Result<trial::Order> order_of(const Invocation& invocation, const std::string& version) {
  const auto file = find_role_file(invocation.value("file").value_or(""));
  if (!file) return std::unexpected(file.error());
  trial::Order order{file->path, file->id, version, 30 * base::kSecond, invocation.value("--step").value_or("")};
  const auto steps = trial::steps();
  if (!order.only.empty() && std::ranges::find(steps, order.only, &trial::Step::name) == steps.end()) {
    return base::fail(base::Fault::kArgument,
                      fmt::format("--step: \"{}\" is none of {}", base::escaped(order.only, 80), known_steps()));
  }
  if (const auto given = invocation.value("--timeout")) {
    std::int64_t seconds = 0;
    std::from_chars(given->data(), given->data() + given->size(), seconds);
    if (seconds < 1 || seconds > kMostSeconds) {
      return base::fail(base::Fault::kArgument, fmt::format("--timeout is 1 to {} seconds", kMostSeconds));
    }
    order.limit = static_cast<base::MonoNs>(seconds) * base::kSecond;
  }
  return order;
}

// The keys as people would write them.
std::string readable(const std::string& claims) {
  Json json = Json::parse(claims, nullptr, false);
  if (!json.is_object() || !json.contains("keys")) return claims;
  Json keys = Json::array();
  for (const Json& key : json["keys"]) {
    keys.push_back(fmt::format("{} = {}", key.value("key", ""), key.value("default", "")));
  }
  json["keys"] = std::move(keys);
  return dump(json);
}

// What the node of this root says of it; null where none runs or it is not among its roles.
Json row_in_node(const Layout& layout, const std::string& id) {
  Json row;
  const control::Answers answers{.row = {}, .progress = {}, .result = [&](std::string_view text) {
                                   const Json all = Json::parse(text, nullptr, false);
                                   if (!all.is_array()) return;
                                   for (const Json& one : all) {
                                     if (one.is_object() && one.value("id", "") == id) row = one;
                                   }
                                 }};
  static_cast<void>(make_socket_runner(layout.socket)->run(control::Request{"plugins", {}}, answers));
  return row;
}

// How it fares in the node beside what it claims.
std::string with_state(const std::string& claims, const Json& row) {
  Json json = Json::parse(claims, nullptr, false);
  if (!json.is_object()) return claims;
  json["state"] = row.is_object() ? row.value("state", Json()) : Json();
  json["reason"] = row.is_object() ? row.value("reason", Json()) : Json();
  return dump(json);
}

struct Findings {
  Json steps = Json::array();
  Json claims;  // null until it was described
  std::vector<std::string> failed;
};

std::string summary_of(const Findings& found) {
  std::string names;
  for (const std::string& name : found.failed) names += (names.empty() ? "" : ", ") + name;
  return fmt::format("{} of {} steps were not passed: {}; `--step NAME` runs one alone", found.failed.size(),
                     found.steps.size(), names);
}

}  // namespace

base::Result<RoleFile> find_role_file(const std::string& text) {
  std::error_code error;
  const fs::path path = fs::absolute(text, error).lexically_normal();
  if (error || !fs::exists(path, error)) {
    return base::fail(base::Fault::kGone, base::escaped(text, 200) + ": there is no such file");
  }
  RoleFile out{path, path.parent_path(), path.stem().string()};
  if (path.extension() != ".so" || !host::is_plugin_id(out.id)) {
    return base::fail(base::Fault::kArgument,
                      base::escaped(text, 200) + ": a role's file is called <id>.so, as org.example.thing.so");
  }
  return out;
}

int plugin_check(const Command& command, const Invocation& invocation, const std::string& version, Terminal terminal) {
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  const auto order = order_of(invocation, version);
  if (!order) return printer.finish(exit_code_of(order.error().fault), order.error().text);
  Findings found;
  const bool passed = trial::check(*order, base::SystemClock(), [&](const trial::Told& told) {
    if (!terminal.style.json) print_step(told, terminal);
    if (told.step == "describe") found.claims = Json::parse(told.outcome.info, nullptr, false);
    if (!told.skipped && !told.outcome.ok) found.failed.emplace_back(told.step);
    found.steps.push_back(json_of(told));
  });
  if (terminal.style.json) {
    if (found.claims.is_discarded()) found.claims = nullptr;
    printer.result(dump({{"file", order->file.string()},
                         {"id", order->id},
                         {"passed", passed},
                         {"claims", found.claims},
                         {"steps", found.steps}}));
  }
  if (passed) return printer.finish(kOk, {});
  // --json has said it already.
  return printer.finish(kFailure, terminal.style.json ? "" : summary_of(found));
}

int plugin_info(const Layout& layout, const Command& command, const Invocation& invocation, const std::string& version,
                Terminal terminal) {
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  const std::string target = invocation.value("target").value_or("");
  std::string file = target;
  if (target.find('/') == std::string::npos && !target.ends_with(".so")) {
    file = file_of_role(layout, target);
    const auto is_target = [&](const ::atlas_plugin* role) { return target == role->id; };
    if (file.empty() && std::ranges::any_of(host::builtin_roles(), is_target)) {
      return printer.finish(kNotFound, fmt::format("{} is part of this atlas and has no file to look into; "
                                                   "atlas plugin list shows it",
                                                   target));
    }
    if (file.empty()) {
      return printer.finish(kNotFound, fmt::format("no {}.so in plugins.search or where atlas was installed; "
                                                   "give the path of a file",
                                                   base::escaped(target, 80)));
    }
  }
  const auto role = find_role_file(file);
  if (!role) return printer.finish(exit_code_of(role.error().fault), role.error().text);
  std::string claims, why;
  for (const char* step : {"abi", "describe"}) {
    const trial::Order order{role->path, role->id, version, 30 * base::kSecond, step};
    trial::check(order, base::SystemClock(), [&](const trial::Told& told) {
      claims = told.outcome.info;
      if (!told.outcome.ok && why.empty()) why = told.outcome.why;
    });
  }
  if (!claims.empty()) {
    claims = with_state(claims, row_in_node(layout, role->id));
    printer.result(terminal.style.json ? claims : readable(claims));
  }
  return why.empty() ? printer.finish(kOk, {}) : printer.finish(kFailure, why);
}

}  // namespace atlas::cli
