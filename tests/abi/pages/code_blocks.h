// The fenced code blocks of a Markdown page. A block may be told apart by the line above it:
//   <!-- cut from FILE -->            its lines stand in FILE, which is built elsewhere
//   <!-- run by FILE, FILE -->        its commands are run there
//   <!-- inside FILE -->              it is compiled in the place of the line @block@ of FILE
//   <!-- said by FILE -->             what the program says: the words of each line are in FILE, whatever its numbers
// and by what stands behind its language: ```cpp hello.cc is the file hello.cc. Pure; any thread.
#pragma once

#include <string>
#include <vector>

namespace atlas::pages {

struct CodeBlock {
  std::size_t line = 0;  // of its fence
  std::string language;  // "" for a drawing
  std::string file;
  std::string cut_from, inside, said_by;
  std::vector<std::string> run_by;
  std::string text;
  bool behind_commands = false;  // some block of commands stands above it
};

// Throws std::runtime_error at a fence that does not end.
std::vector<CodeBlock> code_blocks(const std::string& page);

// Whether all lines of the block stand in the file, one after the other, however far they are indented.
bool stands_in(const std::string& block, const std::string& file);

// Whether the words of a line, without its numbers and the names of files and capabilities, stand in a source file.
bool is_said(const std::string& line, const std::string& source);

// "atlas --root x net listen --port 0  # comment" -> {"atlas", "net", "listen"}: what a command is, without its
// options.
std::vector<std::string> command_words(const std::string& line);

}  // namespace atlas::pages
