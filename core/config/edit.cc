// set_text and set_texts: one value of a file changed, every other byte kept. The text is searched with scan.h,
// changed, and then read again: unless it says exactly what it said before but for this one value, nothing is written.
#include <algorithm>

#include "config/check.h"
#include "config/config.h"
#include "config/document.h"
#include "config/file.h"
#include "config/scan.h"
#include "config/schema.h"
#include "config/values.h"

namespace atlas::config {
namespace {

using Path = std::vector<std::string>;

Path split(std::string_view dotted) {
  Path out;
  while (!dotted.empty()) {
    const std::size_t dot = std::min(dotted.find('.'), dotted.size());
    out.emplace_back(dotted.substr(0, dot));
    dotted.remove_prefix(std::min(dot + 1, dotted.size()));
  }
  return out;
}

std::string join(const Path& path, std::size_t from = 0) {
  std::string out;
  for (std::size_t i = from; i < path.size(); ++i) out += (out.empty() ? "" : ".") + path[i];
  return out;
}

Path full_path(const Statement& statement) {
  Path path = statement.table;
  path.insert(path.end(), statement.path.begin(), statement.path.end());
  return path;
}

bool begins_with(const Path& path, const Path& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

// One edit of a text: where `table`.`key` stands decides what it is.
class Edit {
 public:
  Edit(std::string text, std::string_view table, std::string_view key, std::string value)
      : text_(std::move(text)),
        table_(split(table)),
        key_(key),
        value_(std::move(value)),
        line_end_(text_.find("\r\n") != std::string::npos ? "\r\n" : "\n"),
        statements_(scan(text_)) {}

  std::string run() {
    if (!replace_value() && !insert_into_inline_table() && !insert_under_header() && !insert_beside_dotted_key()) {
      append_table();
    }
    return std::move(text_);
  }

 private:
  bool replace_value() {
    Path wanted = table_;
    wanted.push_back(key_);
    for (const Statement& statement : statements_) {
      if (statement.kind != Statement::Kind::kValue || full_path(statement) != wanted) continue;
      text_.replace(statement.value_begin, statement.value_end - statement.value_begin, value_);
      return true;
    }
    return false;
  }

  // table = { a = 1 }: behind the last value, unless the key is already in there; then a person must edit it, and the
  // duplicate that comes out here is noticed when the text is read again.
  bool insert_into_inline_table() {
    for (const Statement& statement : statements_) {
      if (statement.kind != Statement::Kind::kValue || full_path(statement) != table_) continue;
      if (text_[statement.value_begin] != '{') return false;
      std::size_t at = statement.value_end - 1;
      while (text_[at - 1] == ' ' || text_[at - 1] == '\t') --at;
      const bool empty = text_[at - 1] == '{';
      text_.insert(at, (empty ? " " : ", ") + key_ + " = " + value_ + (empty ? " " : ""));
      return true;
    }
    return false;
  }

  // [table]: behind its last value, before what blank lines and comments follow.
  bool insert_under_header() {
    const Statement* last = nullptr;
    bool inside = false;
    for (const Statement& statement : statements_) {
      if (statement.kind == Statement::Kind::kValue) {
        if (inside) last = &statement;
      } else {
        inside = statement.kind == Statement::Kind::kTable && statement.path == table_;
        if (inside) last = &statement;
      }
    }
    if (!last) return false;
    insert_line(last->end, indent_of(*last) + key_ + " = " + value_);
    return true;
  }

  // table.a = 1, where a header [table] would be refused.
  bool insert_beside_dotted_key() {
    const Statement* last = nullptr;
    for (const Statement& statement : statements_) {
      if (statement.kind != Statement::Kind::kValue || statement.table.size() >= table_.size()) continue;
      const Path path = full_path(statement);
      if (path.size() > table_.size() && begins_with(path, table_)) last = &statement;
    }
    if (!last) return false;
    insert_line(last->end, indent_of(*last) + join(table_, last->table.size()) + '.' + key_ + " = " + value_);
    return true;
  }

  void append_table() {
    std::string lines = '[' + join(table_) + ']' + line_end_ + key_ + " = " + value_;
    const bool blank = text_.find_first_not_of("\xef\xbb\xbf \t\r\n") == std::string::npos;
    if (!blank) lines = line_end_ + lines;
    insert_line(text_.size(), lines);
  }

  void insert_line(std::size_t at, const std::string& line) {
    const bool open_line = at > 0 && text_[at - 1] != '\n' && !(at == 3 && text_.starts_with("\xef\xbb\xbf"));
    text_.insert(at, (open_line ? line_end_ : "") + line + line_end_);
  }

  std::string indent_of(const Statement& statement) const {
    const std::size_t line_begin = text_.rfind('\n', statement.begin == 0 ? 0 : statement.begin - 1);
    const std::size_t from = line_begin == std::string::npos || statement.begin == 0 ? 0 : line_begin + 1;
    const std::string before = text_.substr(from, statement.begin - from);
    return before.find_first_not_of(" \t") == std::string::npos ? before : "";
  }

  std::string text_;
  const Path table_;
  const std::string key_, value_, line_end_;
  const std::vector<Statement> statements_;
};

base::Result<void> edit_file(const std::filesystem::path& file, std::string_view table, std::string_view key,
                             const std::string& value) {
  auto text = read_file(file, base::limits::config_file_bytes);
  if (!text && text.error().fault != base::Fault::kGone) {
    // The value that was asked for is not what is wrong.
    const bool unsafe = text.error().fault == base::Fault::kConfig;
    return base::fail(unsafe ? base::Fault::kConfig : base::Fault::kInternal,
                      file.string() + ": " + text.error().text + "; nothing was changed");
  }
  const std::string old_text = text ? std::move(*text) : std::string();
  auto before = leaves_of(old_text, file.string());
  if (!before) {
    return base::fail(base::Fault::kConfig, before.error().to_string() + "; correct this first, nothing was changed");
  }
  const std::string new_text = Edit(old_text, table, key, value).run();
  const auto after = leaves_of(new_text, file.string());
  const auto wanted = leaves_of(std::string(key) + " = " + value, "");
  const std::string full = std::string(table) + '.' + std::string(key);
  if (wanted) (*before)[full] = wanted->at(std::string(key));
  if (!wanted || !after || *after != *before) {
    return base::fail(base::Fault::kConfig, file.string() + ": " + full +
                                                " is written in a way that only a person can change; set it to " +
                                                value + " with an editor");
  }
  return write_file(file, new_text);
}

base::Error bad_value(std::string_view table, std::string_view key, const std::string& fault) {
  return {base::Fault::kArgument, std::string(table) + '.' + std::string(key) + ": " + fault};
}

}  // namespace

base::Result<void> set_text(const std::filesystem::path& file, std::string_view table, std::string_view key,
                            const std::string& value) {
  if (const Row* row = find_row(std::string(table) + '.' + std::string(key))) {
    if (row->type != Type::kText) return std::unexpected(bad_value(table, key, "is no text"));
    if (const auto fault = text_fault(*row, value); !fault.empty()) {
      return std::unexpected(bad_value(table, key, fault));
    }
  }
  return edit_file(file, table, key, toml_quoted(value));
}

base::Result<void> set_texts(const std::filesystem::path& file, std::string_view table, std::string_view key,
                             const std::vector<std::string>& values) {
  if (const Row* row = find_row(std::string(table) + '.' + std::string(key))) {
    if (row->type != Type::kTextList) return std::unexpected(bad_value(table, key, "is no array"));
    if (const auto faults = list_faults(*row, values); !faults.empty()) {
      return std::unexpected(bad_value(table, key, faults.front().text));
    }
  }
  return edit_file(file, table, key, toml_array(values));
}

}  // namespace atlas::config
