#include "cli/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/exit_codes.h"

namespace atlas::cli {
namespace {

constexpr std::size_t kMaxColumn = 48;  // terminal columns; the last one is cut by terminal_safe only
constexpr int kInterrupted = 128;       // exit codes above it: a signal ended the command
constexpr std::string_view kBold = "\x1b[1m", kPlain = "\x1b[0m";

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

}  // namespace

Printer::Printer(const Command& command, const Style& style, std::ostream& out, std::ostream& err)
    : command_(command), style_(style), out_(out), err_(err), columns_(parse_display(command.display)) {}

void Printer::row(std::string_view json) {
  Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) return;
  any_rows_ = true;
  if (command_.rows_are_array) {
    held_.push_back(std::move(value));
  } else if (style_.json) {
    out_ << compact(value) << '\n' << std::flush;
  } else {
    print_row(value, now_s());
    out_ << std::flush;
  }
}

void Printer::progress(std::string_view text) {
  if (style_.json || style_.quiet) return;
  err_ << terminal_safe(text) << '\n' << std::flush;
}

void Printer::result(std::string_view json) {
  const Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) return;
  any_result_ = true;
  if (style_.json) {
    out_ << compact(value) << '\n';
  } else if (value.is_array()) {
    print_table(value.get<std::vector<Json>>());
  } else if (value.is_object()) {
    print_object(value);
  } else if (!value.is_null()) {
    out_ << shown_value(value, Format::kText, {now_s(), false}) << '\n';
  }
}

int Printer::finish(int exit_code, std::string_view error) {
  const bool worked = exit_code == kOk;
  if (command_.rows_are_array && !any_result_ && (worked || any_rows_)) {
    if (style_.json) {
      out_ << compact(Json(held_)) << '\n';
    } else {
      print_table(held_);
    }
  }
  out_ << std::flush;
  if (worked && !out_) return print_error(style_, kFailure, "the output could not be written", out_, err_);
  if (worked) return kOk;
  // A result that tells of the failure, as of a ping without an answer, is the one document of --json.
  if ((any_result_ || exit_code > kInterrupted) && error.empty()) return exit_code;
  const std::string text =
      error.empty() ? "it did not work, and the node gave no reason; see its log" : std::string(error);
  Style style = style_;
  style.json = style_.json && !any_result_;
  return print_error(style, exit_code, command_.path + ": " + text, out_, err_);
}

std::vector<std::string> Printer::cells_of(const Json& row, std::int64_t now_s) const {
  const CellContext context{now_s, true};
  std::vector<std::string> cells;
  for (const Column& column : columns_) {
    std::string text = row.is_object() ? cell(row, column, context) : shown_value(row, column.format, context);
    cells.push_back(cells.size() + 1 == columns_.size() ? std::move(text) : cut_to_width(text, kMaxColumn));
  }
  return cells;
}

void Printer::print_cells(const std::vector<std::string>& cells, bool header) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths_[i] - display_width(cells[i]) + 2, ' ');
  }
  if (header && style_.color) line = std::string(kBold) + line + std::string(kPlain);
  out_ << line << '\n';
}

// A command without a display spec shows the keys of its first row; rows that are no objects have one column.
void Printer::choose_columns(const Json& row) {
  if (columns_.empty()) columns_ = columns_of(row);
  if (columns_.empty()) columns_.push_back({"", Format::kText, "value"});
}

// Rows come one by one, so the widths grow with what has been seen.
void Printer::print_row(const Json& row, std::int64_t now_s) {
  choose_columns(row);
  const std::vector<std::string> cells = cells_of(row, now_s);
  const bool first = widths_.empty();
  widths_.resize(columns_.size(), 0);
  std::vector<std::string> header;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    header.push_back(upper(columns_[i].header));
    widths_[i] = std::max({widths_[i], display_width(cells[i]), first ? display_width(header[i]) : 0});
  }
  if (first) print_cells(header, true);
  print_cells(cells, false);
}

void Printer::print_table(const std::vector<Json>& rows) {
  if (rows.empty()) {
    const std::string sentence =
        command_.when_empty.empty() ? command_.path + ": nothing to show" : command_.when_empty;
    if (!style_.quiet) err_ << sentence << '\n';
    return;
  }
  choose_columns(rows.front());
  columns_ = columns_in_use(columns_, rows);
  const std::int64_t now = now_s();  // one for the whole table, or its columns might not fit
  widths_.assign(columns_.size(), 0);
  for (std::size_t i = 0; i < columns_.size(); ++i) widths_[i] = display_width(upper(columns_[i].header));
  for (const Json& row : rows) {
    const std::vector<std::string> cells = cells_of(row, now);
    for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], display_width(cells[i]));
  }
  std::vector<std::string> header;
  for (const Column& column : columns_) header.push_back(upper(column.header));
  print_cells(header, true);
  for (const Json& row : rows) print_row(row, now);
}

void Printer::print_object(const Json& object) {
  const std::vector<Column> columns = columns_.empty() ? columns_of(object) : columns_;
  const std::int64_t now = now_s();
  std::size_t width = 0;
  for (const Column& column : columns) width = std::max(width, display_width(column.header) + 1);
  for (const Column& column : columns) {
    const std::string label = column.header + ':';
    out_ << label << std::string(width - display_width(label) + 2, ' ') << cell(object, column, {now, false}) << '\n';
  }
}

std::string_view exit_code_name(int exit_code) {
  switch (exit_code) {
    case kOk:
      return "ok";
    case kUsage:
      return "usage";
    case kConfig:
      return "config";
    case kUnreachable:
      return "unreachable";
    case kRefused:
      return "refused";
    case kNotFound:
      return "not_found";
    case kBusy:
      return "busy";
    default:
      return "failure";
  }
}

int print_error(const Style& style, int exit_code, std::string_view text, std::ostream& out, std::ostream& err) {
  err << "atlas: " << safe_lines(text) << std::endl;
  if (style.json) print_json_error(exit_code, text, out);
  return exit_code;
}

void print_json_error(int exit_code, std::string_view text, std::ostream& out) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const Json error = {{"error", {{"exit_code", exit_code}, {"name", exit_code_name(exit_code)}, {"text", text}}}};
  out << compact(error) << std::endl;
}

std::string with_command(std::string_view lines, std::string_view command, std::string_view head) {
  constexpr std::string_view kProgram = "atlas: ";
  std::string out;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end);
    if (line.starts_with(kProgram)) {
      line.remove_prefix(kProgram.size());
      out.append(head).append(command).append(": ");
    }
    out += line;
  }
  return out;
}

}  // namespace atlas::cli
