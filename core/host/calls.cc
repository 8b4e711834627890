#include "host/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "config/config.h"

namespace atlas::host {

std::uint64_t Calls::add(std::shared_ptr<Call> call) {
  const std::lock_guard lock(mutex_);
  return slots_.emplace(std::move(call));
}

std::shared_ptr<Call> Calls::find(std::uint64_t token) const {
  const std::lock_guard lock(mutex_);
  const auto* found = slots_.find(token);
  return found == nullptr ? nullptr : *found;
}

std::shared_ptr<Call> Calls::take(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  auto* found = slots_.find(token);
  if (found == nullptr) return nullptr;
  std::shared_ptr<Call> out = std::move(*found);
  slots_.erase(token);
  return out;
}

std::size_t Calls::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

std::vector<std::shared_ptr<Call>> Calls::take_all(const Plugin& plugin) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Call>> out;
  std::vector<std::uint64_t> tokens;
  slots_.each([&](std::uint64_t token, const std::shared_ptr<Call>& call) {
    if (call->plugin != &plugin) return;
    tokens.push_back(token);
    out.push_back(call);
  });
  for (const std::uint64_t token : tokens) slots_.erase(token);
  return out;
}

namespace {

bool is_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string check_value(const Command& command, const CommandArg& arg, const std::string& value) {
  if (!base::is_utf8(value)) return fmt::format("{}: {} is not UTF-8", command.path, arg.name);
  if (arg.kind == ATLAS_ARG_INTEGER && !is_integer(value)) {
    return fmt::format("{}: {} = {}, expected an integer", command.path, arg.name, value);
  }
  if (arg.kind == ATLAS_ARG_FLAG && value != "true" && value != "false") {
    return fmt::format("{}: {} takes no value", command.path, arg.name);
  }
  return {};
}

}  // namespace

base::Result<std::vector<std::pair<std::string, std::string>>> check_args(
    const Command& command, const std::map<std::string, std::string>& args) {
  std::vector<std::pair<std::string, std::string>> out;
  std::vector<std::string> known;
  for (const CommandArg& arg : command.args) known.push_back(arg.name);
  for (const auto& [name, value] : args) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const auto near = config::nearest(name, known);
    return base::fail(base::Fault::kArgument, fmt::format("{}: unknown argument {}{}", command.path, name,
                                                          near ? fmt::format("; did you mean {}?", *near) : ""));
  }
  for (const CommandArg& arg : command.args) {
    const auto given = args.find(arg.name);
    if (given == args.end()) {
      if (!arg.required) continue;
      return base::fail(base::Fault::kArgument, fmt::format("{}: {} is missing: {}", command.path, arg.name, arg.help));
    }
    if (std::string fault = check_value(command, arg, given->second); !fault.empty()) {
      return base::fail(base::Fault::kArgument, std::move(fault));
    }
    if (arg.kind == ATLAS_ARG_FLAG && given->second == "false") continue;
    out.emplace_back(arg.name, given->second);
  }
  return out;
}

}  // namespace atlas::host
