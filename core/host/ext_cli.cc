// atlas.cli/1
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/utf8.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

constexpr std::size_t kMaxArgs = base::limits::plugins_command_args;
constexpr std::size_t kMaxEmit = base::limits::control_line_bytes;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// Lower-case words with one space between them.
bool is_path(std::string_view path) {
  if (path.empty() || path.size() > 64 || path.front() == ' ' || path.back() == ' ') return false;
  if (path.find("  ") != path.npos) return false;
  return std::ranges::all_of(path, [](char c) { return c == ' ' || is_word_char(c); });
}

bool is_arg_name(std::string_view name, std::uint32_t kind) {
  const bool option = name.starts_with("--");
  if (option) name.remove_prefix(2);
  if (kind == ATLAS_ARG_FLAG && !option) return false;
  if (kind == ATLAS_ARG_REST && option) return false;
  return !name.empty() && name.size() <= 32 && name.front() != '-' && std::ranges::all_of(name, is_word_char);
}

std::string words(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

// False when one of them is not as the header says. The plugin's struct may be longer or shorter than ours.
bool copy_args(const atlas_cli_command& given, std::vector<CommandArg>& out) {
  if (given.arg_count > kMaxArgs || (given.args == nullptr && given.arg_count != 0)) return false;
  const auto* at = reinterpret_cast<const std::uint8_t*>(given.args);
  for (std::size_t i = 0; i < given.arg_count; ++i) {
    const auto arg = copy_prefix(reinterpret_cast<const atlas_cli_arg*>(at));
    at += arg.struct_size;
    if (arg.struct_size < offsetof(atlas_cli_arg, help) || arg.kind < ATLAS_ARG_TEXT || arg.kind > ATLAS_ARG_REST) {
      return false;
    }
    const std::string name = words(arg.name);
    const bool taken = std::ranges::any_of(out, [&](const CommandArg& other) { return other.name == name; });
    const bool after_rest = !out.empty() && out.back().kind == ATLAS_ARG_REST && !name.starts_with("--");
    if (!is_arg_name(name, arg.kind) || taken || after_rest) return false;
    out.push_back({name, arg.kind, arg.required != 0, words(arg.help)});
  }
  return true;
}

atlas_status command(const atlas_host* host, const atlas_cli_command* given,
                     atlas_status (*run)(void*, const atlas_cli_run*), void (*cancelled)(void*, atlas_call)) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "a command is registered outside init");
  if (given == nullptr || run == nullptr) return plugin.contract_break(ATLAS_E_ARG, "command(): no command");
  const auto known = copy_prefix(given);
  auto spec = std::make_unique<CommandSpec>();
  spec->shown.path = words(known.path);
  spec->shown.plugin = plugin.id;
  spec->shown.summary = words(known.summary);
  spec->shown.display = words(known.display);
  spec->shown.where = known.where;
  spec->run = run;
  spec->cancelled = cancelled;
  constexpr std::uint32_t kPlaces = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT;
  const bool known_place = known.where != 0 && (known.where & ~kPlaces) == 0;
  if (!is_path(spec->shown.path) || !known_place || !copy_args(known, spec->shown.args)) {
    return plugin.contract_break(ATLAS_E_ARG, fmt::format("command \"{}\": its path, place or arguments are not as "
                                                          "atlas/ext/cli.h says",
                                                          base::escaped(spec->shown.path, 64)));
  }
  if (const auto claimed = plugin.services->claims.claim_command(plugin.owner, spec->shown.path); !claimed) {
    return plugin.refuse_claim(claimed.error());
  }
  plugin.commands.push_back(std::move(spec));
  return ATLAS_OK;
}

// A call of this plugin that still runs.
std::shared_ptr<Call> call_of(Plugin& plugin, atlas_call token) {
  auto call = plugin.services->calls.find(token);
  return call && call->plugin == &plugin ? call : nullptr;
}

atlas_status emit(const atlas_host* host, atlas_call token, std::uint32_t kind, atlas_text value) {
  Plugin& plugin = Plugin::of(host);
  const std::string_view text = view(value);
  const auto call = call_of(plugin, token);
  if (!call) return plugin.refuse(ATLAS_E_GONE, "nobody waits for this command");
  if (text.size() > kMaxEmit || !base::is_utf8(text)) {
    return plugin.contract_break(ATLAS_E_ARG, "emit(): not UTF-8, or longer than a line may be");
  }
  switch (kind) {
    case ATLAS_EMIT_ROW:
      call->output->row(text);
      return ATLAS_OK;
    case ATLAS_EMIT_PROGRESS:
      call->output->progress(text);
      return ATLAS_OK;
    case ATLAS_EMIT_RESULT:
      if (call->result.exchange(true)) return plugin.contract_break(ATLAS_E_STATE, "emit(): a second result");
      call->output->result(text);
      return ATLAS_OK;
  }
  return plugin.contract_break(ATLAS_E_ARG, "emit(): a kind that this host does not know");
}

atlas_status finish(const atlas_host* host, atlas_call token, atlas_status status, atlas_text error) {
  Plugin& plugin = Plugin::of(host);
  if (!call_of(plugin, token)) return plugin.refuse(ATLAS_E_GONE, "nobody waits for this command");
  const auto call = plugin.services->calls.take(token);
  if (!call) return plugin.refuse(ATLAS_E_GONE, "nobody waits for this command");
  call->output->finish(status > 0 ? ATLAS_OK : status, view(error));
  return ATLAS_OK;
}

}  // namespace

const atlas_ext_cli kCliTable = {sizeof(atlas_ext_cli), command, emit, finish};

}  // namespace atlas::host
