#include "tidy/code_view.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace atlas::tidy {
namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Walks over text and turns what is no code into spaces; line ends stay where they are.
class Blanker {
 public:
  explicit Blanker(std::string text) : text_(std::move(text)) {}

  std::string run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (starts("//")) {
        blank_until(text_.find('\n', at_));
      } else if (starts("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        blank_until(end == std::string::npos ? end : end + 2);
      } else if (c == '"' && after_raw_prefix()) {
        raw_string();
      } else if (c == '"' || (c == '\'' && !is_digit_separator())) {
        literal(c);
      } else {
        ++at_;
      }
    }
    return std::move(text_);
  }

 private:
  bool starts(std::string_view what) const { return std::string_view(text_).substr(at_).starts_with(what); }
  bool after_raw_prefix() const {
    return at_ > 0 && text_[at_ - 1] == 'R' && (at_ < 2 || !is_word_char(text_[at_ - 2]));
  }
  bool is_digit_separator() const {
    return at_ > 0 && at_ + 1 < text_.size() && is_word_char(text_[at_ - 1]) && is_word_char(text_[at_ + 1]) &&
           begins_with_digit();
  }
  bool begins_with_digit() const {
    std::size_t begin = at_;
    while (begin > 0 && (is_word_char(text_[begin - 1]) || text_[begin - 1] == '\'')) --begin;
    return std::isdigit(static_cast<unsigned char>(text_[begin])) != 0;
  }

  void blank_until(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_) {
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
  }
  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string::npos) return blank_until(text_.size());
    const std::string close = ")" + text_.substr(at_ + 1, open - at_ - 1) + "\"";
    const std::size_t end = text_.find(close, open);
    ++at_;
    blank_until(end == std::string::npos ? end : end + close.size() - 1);
    if (at_ < text_.size()) ++at_;
  }
  void literal(char quote) {
    for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) text_[at_++] = ' ';
      if (text_[at_] != '\n') text_[at_] = ' ';
    }
    if (at_ < text_.size()) ++at_;
  }

  std::string text_;
  std::size_t at_ = 0;
};

std::string join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Where `word` stands on its own at or behind `from`.
std::size_t find_word(std::string_view line, std::string_view word, std::size_t from) {
  for (std::size_t at = line.find(word, from); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_char(line[at - 1])) && (end == line.size() || !is_word_char(line[end]))) return at;
  }
  return std::string_view::npos;
}

std::string_view last_word(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && is_word_char(text[begin - 1])) --begin;
  return text.substr(begin);
}

std::string_view right_trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Is what follows `before` a free function of the C or C++ library, seen as a call?
bool is_free_call(std::string_view before) {
  before = right_trimmed(before);
  if (before.ends_with(".") || before.ends_with("->")) return false;
  if (before.ends_with("::")) {
    const std::string_view scope = last_word(before.substr(0, before.size() - 2));
    return scope.empty() || scope == "std" || scope == "this_thread";
  }
  const std::string_view word = last_word(before);
  static constexpr std::array<std::string_view, 9> kBeforeCalls = {"return",   "else", "do",  "case", "co_return",
                                                                   "co_await", "not",  "and", "or"};
  return word.empty() || std::ranges::find(kBeforeCalls, word) != kBeforeCalls.end();
}

// Does the #if above line `from` have an #else or #elif of its own?
bool has_else_branch(const std::vector<std::string>& lines, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < lines.size(); ++i) {
    const std::size_t first = lines[i].find_first_not_of(" \t");
    if (first == std::string::npos || lines[i][first] != '#') continue;
    const std::size_t word = std::min(lines[i].find_first_not_of(" \t", first + 1), lines[i].size());
    const std::string_view name = std::string_view(lines[i]).substr(word);
    if (name.starts_with("if")) ++depth;
    if (name.starts_with("el") && depth == 0) return true;
    if (name.starts_with("endif") && depth-- == 0) return false;
  }
  return false;
}

// Which branches of an #if ... #else ... #endif are read: a function whose head stands in both would open twice.
enum class Branches { kFirst, kLast };

// Preprocessor lines, with the lines that continue them, turned into empty ones, and with them every branch but one.
std::vector<std::string> one_branch(std::vector<std::string> lines, Branches which) {
  struct Level {
    bool first = true, has_else = false;
  };
  std::vector<Level> levels;
  bool continues = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line = lines[i];
    const std::size_t first = line.find_first_not_of(" \t");
    const bool directive = continues || (first != std::string::npos && line[first] == '#');
    if (directive && !continues) {
      const std::size_t word = std::min(line.find_first_not_of(" \t", first + 1), line.size());
      const std::string_view name = std::string_view(line).substr(word);
      if (name.starts_with("if")) levels.push_back({true, has_else_branch(lines, i + 1)});
      if (name.starts_with("el") && !levels.empty()) levels.back().first = false;
      if (name.starts_with("endif") && !levels.empty()) levels.pop_back();
    }
    continues = directive && line.ends_with('\\');
    const bool left_out = std::ranges::any_of(
        levels, [&](const Level& level) { return level.has_else && level.first != (which == Branches::kFirst); });
    if (directive || left_out) lines[i].clear();
  }
  return lines;
}

// What stands before a brace outside of functions.
enum class Scope { kNamespace, kType, kFunction, kOther };

std::string without_template_clause(std::string head) {
  while (head.starts_with("template")) {
    const std::size_t open = head.find('<');
    if (open == std::string::npos) return head;
    int depth = 0;
    std::size_t at = open;
    for (; at < head.size(); ++at) {
      if (head[at] == '<') ++depth;
      if (head[at] == '>' && --depth == 0) break;
    }
    head.erase(0, std::min(head.size(), at + 1));
    head.erase(0, std::min(head.size(), head.find_first_not_of(' ')));
  }
  return head;
}

bool has_outer_assignment(std::string_view head) {
  int depth = 0;
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '(') ++depth;
    if (head[i] == ')') --depth;
    if (head[i] == '=' && depth == 0) return find_word(head.substr(0, i), "operator", 0) == std::string_view::npos;
  }
  return false;
}

Scope classify(const std::string& raw_head) {
  const std::string head = without_template_clause(raw_head);
  const bool round = head.find('(') != std::string::npos;
  if (find_word(head, "namespace", 0) != std::string::npos || (head.starts_with("extern") && !round)) {
    return Scope::kNamespace;
  }
  if (has_outer_assignment(head)) return head.find('[') < head.find('(') && round ? Scope::kFunction : Scope::kOther;
  const std::string_view until_round = std::string_view(head).substr(0, head.find('('));
  for (const std::string_view word : {"class", "struct", "union", "enum"}) {
    if (find_word(until_round, word, 0) != std::string_view::npos && !round) return Scope::kType;
  }
  return round ? Scope::kFunction : Scope::kOther;
}

class FunctionFinder {
 public:
  explicit FunctionFinder(const std::vector<std::string>& lines) : text_(join(lines)) {}

  Functions run() {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '{') {
        open();
      } else if (c == '}') {
        close();
      } else if (inside_ == 0) {
        outside(c);
      }
    }
    found_.balanced = found_.balanced && scopes_.empty();
    return std::move(found_);
  }

 private:
  void outside(char c) {
    if (c == ';' || (c == ':' && is_label())) return head_.clear();
    if (head_.empty() && is_space(c)) return;
    if (head_.empty()) head_line_ = line_;
    head_.push_back(is_space(c) ? ' ' : c);
  }
  bool is_label() const { return head_ == "public" || head_ == "private" || head_ == "protected"; }

  void open() {
    if (inside_ > 0) {
      ++inside_;
      return;
    }
    const Scope scope = classify(head_);
    scopes_.push_back(scope);
    if (scope == Scope::kNamespace || scope == Scope::kType) {
      head_.clear();
    } else {
      inside_ = 1;
    }
  }
  void close() {
    if (scopes_.empty()) {
      found_.balanced = false;
      return;
    }
    if (inside_ > 1) {
      --inside_;
      return;
    }
    const bool was_inside = inside_ == 1;
    const Scope scope = scopes_.back();
    scopes_.pop_back();
    inside_ = 0;
    // `: member_{1}, other_{2} {` is the start of a constructor, not three functions.
    const std::size_t next = text_.find_first_not_of(" \t\n", at_ + 1);
    const bool goes_on = was_inside && next != std::string::npos && (text_[next] == ',' || text_[next] == '{');
    if (goes_on) return;
    if (scope == Scope::kFunction) found_.all.push_back({head_, head_line_, line_});
    head_.clear();
  }

  const std::string text_;
  Functions found_;
  std::vector<Scope> scopes_;  // outside of functions; the last may be a function
  int inside_ = 0;             // braces open since the function or initializer began
  std::string head_;
  std::size_t at_ = 0, line_ = 1, head_line_ = 1;
};

}  // namespace

std::vector<std::string> code_only(const std::vector<std::string>& lines) {
  return split(Blanker(join(lines)).run());
}

bool has_word(std::string_view line, std::string_view word) {
  return find_word(line, word, 0) != std::string_view::npos;
}

bool calls(std::string_view code_line, std::string_view name, bool with_arguments) {
  for (std::size_t at = find_word(code_line, name, 0); at != std::string_view::npos;
       at = find_word(code_line, name, at + 1)) {
    const std::size_t bracket = code_line.find_first_not_of(' ', at + name.size());
    if (bracket == std::string_view::npos || code_line[bracket] != '(') continue;
    if (with_arguments && code_line.substr(bracket).starts_with("()")) continue;
    if (is_free_call(code_line.substr(0, at))) return true;
  }
  return false;
}

Functions functions(const std::vector<std::string>& code_lines) {
  Functions found = FunctionFinder(one_branch(code_lines, Branches::kFirst)).run();
  Functions other = FunctionFinder(one_branch(code_lines, Branches::kLast)).run();
  found.balanced = found.balanced && other.balanced;
  for (Function& function : other.all) {
    const auto same = [&](const Function& known) { return known.first_line == function.first_line; };
    if (std::ranges::none_of(found.all, same)) found.all.push_back(std::move(function));
  }
  return found;
}

}  // namespace atlas::tidy
