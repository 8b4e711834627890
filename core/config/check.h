// The rules of the schema applied to values, wherever they come from: the file, the command line, `atlas id set-name`.
// Any thread; pure functions. A fault is a sentence for people without the key's name; empty when there is none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/schema.h"

namespace atlas::config {

std::string integer_fault(const Row& row, std::int64_t value);
// `shown` is the value as it was written.
std::string duration_fault(const Row& row, std::int64_t milliseconds, std::string_view shown);
std::string text_fault(const Row& row, std::string_view text);

struct ItemFault {
  std::size_t index;  // of the element at fault; the list's size when it is the list itself
  std::string text;
};
std::vector<ItemFault> list_faults(const Row& row, const std::vector<std::string>& items);

// Values that are each fine and do not go together; `key` is the one to change, `other` what it clashes with (or
// empty).
struct Contradiction {
  std::string key, other, text;
};
std::vector<Contradiction> contradictions(const Config& config);

// What a person wrote, quoted, escaped and cut, for a message.
std::string shown(std::string_view text);

}  // namespace atlas::config
