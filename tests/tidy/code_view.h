// C and C++ text as the rules need it: without comments and literals, its calls, its functions and their lengths.
// This is no parser; it reads code that clang-format has laid out and says so when it cannot. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atlas::tidy {

// The same lines with comments and the contents of string and character literals turned into spaces. Names of included
// files in "" go as well.
std::vector<std::string> code_only(const std::vector<std::string>& lines);

// Does this line of code_only() call the function `name`? Members of objects (x.name(), x->name()) and of other classes
// (X::name()) are not meant, nor are declarations; std::name() and ::name() are. `with_arguments`: name() with nothing
// in its brackets is not meant either.
bool calls(std::string_view code_line, std::string_view name, bool with_arguments);
// The word stands there on its own, whatever is around it.
bool has_word(std::string_view line, std::string_view word);

struct Function {
  std::string head;  // its declaration on one line, for people
  std::size_t first_line, last_line;
  std::size_t length() const { return last_line - first_line + 1; }
};

struct Functions {
  std::vector<Function> all;
  bool balanced = true;  // false: braces do not match, `all` cannot be trusted
};

// The function bodies in code_only() text, lambdas inside a function counted as part of it. Of an #if with an #else the
// first branch is read, and then the last.
Functions functions(const std::vector<std::string>& code_lines);

}  // namespace atlas::tidy
