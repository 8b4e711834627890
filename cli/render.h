// What a command prints: tables and lines for people, JSON for programs, errors for both.
// Main thread. A Printer belongs to one run of one command; it owns nothing but what it holds back.
//
//   people    an array of objects, or rows: a table. One object: "key: value" lines. Progress goes to stderr.
//   --json    the result on one line; rows as one document a line, or as one array where the command says so.
//   errors    "atlas: <what>: <where>: <what to do>" on stderr; under --json also {"error":{…}} on stdout.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/display.h"

namespace atlas::cli {

struct Style {
  bool json = false;
  bool quiet = false;
  bool color = false;  // stdout is a terminal and NO_COLOR is not set
  // Unix seconds, asked anew for each thing that is shown, for a command may go on for days. Not set: 1970.
  std::function<std::int64_t()> now_s = {};
};

class Printer {
 public:
  // `command` gives display, when_empty and rows_are_array; it must outlive the printer.
  Printer(const Command& command, const Style& style, std::ostream& out, std::ostream& err);

  void row(std::string_view json);
  void progress(std::string_view text);
  void result(std::string_view json);
  // Prints what was held back, then the error if there is one. Returns the exit code.
  int finish(int exit_code, std::string_view error);

 private:
  void print_table(const std::vector<Json>& rows);
  void print_object(const Json& object);
  void print_row(const Json& row, std::int64_t now_s);
  void choose_columns(const Json& row);
  void print_cells(const std::vector<std::string>& cells, bool header);
  std::vector<std::string> cells_of(const Json& row, std::int64_t now_s) const;
  std::int64_t now_s() const { return style_.now_s ? style_.now_s() : 0; }

  const Command& command_;
  const Style style_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;  // of the table that is being printed
  std::vector<Json> held_;           // rows of a command whose rows are one array
  bool any_rows_ = false;
  bool any_result_ = false;
};

// "unreachable" for 4, …: the names of docs/reference/cli.md.
std::string_view exit_code_name(int exit_code);
// Returns the exit code.
int print_error(const Style& style, int exit_code, std::string_view text, std::ostream& out, std::ostream& err);
// The same on stdout only, for programs.
void print_json_error(int exit_code, std::string_view text, std::ostream& out);
// Of lines that begin with "atlas: " each becomes `head`, the command and a colon, and what stood there; others stay.
std::string with_command(std::string_view lines, std::string_view command, std::string_view head);

}  // namespace atlas::cli
