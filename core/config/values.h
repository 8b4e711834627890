// Rules for single values, and how values are written in TOML. Any thread; pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atlas::config {

// Each says why the text is no good, and what to write; empty when it is fine.
std::string line_fault(std::string_view text);       // no control characters
std::string prose_fault(std::string_view text);      // line ends are allowed
std::string skill_fault(std::string_view text);      // a line, and not empty
std::string ip_fault(std::string_view text);         // an IP address without port
std::string directory_fault(std::string_view text);  // an absolute path

// A basic string with quotes and escapes; bytes that are not UTF-8 are the caller's fault.
std::string toml_quoted(std::string_view text);
std::string toml_array(const std::vector<std::string>& texts);

}  // namespace atlas::config
