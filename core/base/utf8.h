// Strict UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF.
#pragma once

#include <string_view>

namespace atlas::base {

// Bytes of the character that text begins with; 0 when they are no character.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace atlas::base
