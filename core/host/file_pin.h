// A plugin's file as the operator knows it: the SHA-256 of its content, which [plugins.<id>] sha256 can pin
// (FIPS 180-4). Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atlas::host {

// 64 digits of 0-9 and a-f.
bool is_pin(std::string_view text);
// Of the whole file; kDenied when it cannot be read.
base::Result<std::string> pin_of(const std::filesystem::path& file);

}  // namespace atlas::host
