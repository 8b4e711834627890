#include "control/protocol.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

namespace atlas::control {
namespace {

using json = nlohmann::ordered_json;  // people and scripts see keys in the order that the command chose

std::string json_text(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Checked before the text is parsed, for printing a parsed value recurses.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// A line of either direction as an object; nothing when it is none.
std::optional<json> parse_object(std::string_view line) {
  if (line.size() > kMaxLine || too_deep(line)) return std::nullopt;
  json value = json::parse(line, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  return value;
}

}  // namespace

std::string to_line(const Request& request) {
  return fmt::format(R"({{"id":{},"path":{},"args":{}}})", request.id, json_text(request.path),
                     json(request.args).dump(-1, ' ', false, json::error_handler_t::replace));
}

base::Result<Request> parse_request(std::string_view line) {
  const auto refuse = [](std::string_view why) {
    return base::fail(base::Fault::kArgument, fmt::format("control request refused: {}", why));
  };
  const auto value = parse_object(line);
  if (!value) return refuse("the line is not a JSON object");
  Request request;
  if (const auto id = value->find("id"); id != value->end()) {
    if (!id->is_number_unsigned()) return refuse("\"id\" is not an unsigned integer");
    request.id = id->get<std::uint64_t>();
  }
  const auto path = value->find("path");
  if (path == value->end() || !path->is_string() || path->get_ref<const std::string&>().empty()) {
    return refuse("\"path\" is not a non-empty string");
  }
  request.path = path->get<std::string>();
  if (const auto args = value->find("args"); args != value->end()) {
    if (!args->is_object()) return refuse("\"args\" is not an object");
    for (const auto& [name, arg] : args->items()) {
      if (!arg.is_string()) return refuse("a value in \"args\" is not a string");
      request.args.emplace(name, arg.get<std::string>());
    }
  }
  return request;
}

base::Result<std::string> compact_json(std::string_view text) {
  if (too_deep(text)) {
    return base::fail(base::Fault::kArgument, fmt::format("JSON is nested deeper than {} levels", kMaxDepth));
  }
  if (!json::accept(text)) return base::fail(base::Fault::kArgument, "text is not one JSON value");
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += text[++i];
      if (c == '"') in_string = false;
    } else if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
      in_string = c == '"';
      out += c;
    }
  }
  return out;
}

base::Result<std::string> json_line(std::uint64_t id, AnswerKind kind, std::string_view text) {
  auto compact = compact_json(text);
  if (!compact) return std::unexpected(compact.error());
  return fmt::format(R"({{"id":{},"{}":{}}})", id, kind == AnswerKind::kRow ? "row" : "result", *compact);
}

std::string progress_line(std::uint64_t id, std::string_view text) {
  return fmt::format(R"({{"id":{},"progress":{}}})", id, json_text(text));
}

std::string done_line(std::uint64_t id, int exit_code, std::string_view error) {
  if (error.empty()) return fmt::format(R"({{"id":{},"done":{}}})", id, exit_code);
  return fmt::format(R"({{"id":{},"done":{},"error":{}}})", id, exit_code, json_text(error));
}

base::Result<AnswerLine> parse_answer(std::string_view line) {
  const auto refuse = [] { return base::fail(base::Fault::kInternal, "the node sent a line that is no answer"); };
  const auto value = parse_object(line);
  if (!value) return refuse();
  AnswerLine answer;
  if (const auto row = value->find("row"); row != value->end()) {
    answer.kind = AnswerKind::kRow;
    answer.text = row->dump();
  } else if (const auto result = value->find("result"); result != value->end()) {
    answer.kind = AnswerKind::kResult;
    answer.text = result->dump();
  } else if (const auto progress = value->find("progress"); progress != value->end()) {
    if (!progress->is_string()) return refuse();
    answer.kind = AnswerKind::kProgress;
    answer.text = progress->get<std::string>();
  } else if (const auto done = value->find("done"); done != value->end()) {
    if (!done->is_number_integer()) return refuse();
    answer.exit_code = done->get<int>();
    if (const auto error = value->find("error"); error != value->end() && error->is_string()) {
      answer.text = error->get<std::string>();
    }
  } else {
    return refuse();
  }
  return answer;
}

}  // namespace atlas::control
