#include "store/text_list.h"

#include <algorithm>
#include <atlas/json.hpp>
#include <atlas/msgpack.hpp>

namespace atlas::store {

std::string to_json(const std::vector<std::string>& texts) {
  json::Array out;
  for (const auto& text : texts) out.text(text);
  return out.str();
}

// Strict: people may have edited the row.
std::optional<std::vector<std::string>> from_json(std::string_view text) {
  constexpr std::uint32_t kDepth = 1;  // no list inside the list
  const auto packed = json::to_msgpack(text, kDepth);
  if (!packed) return std::nullopt;
  const msgpack::View list(*packed);
  if (list.kind() != msgpack::Kind::kArray) return std::nullopt;
  std::vector<std::string> texts;
  texts.reserve(std::min<std::size_t>(list.array().size(), kMaxListItems));
  for (const msgpack::View item : list.array()) {
    const auto item_text = item.text();
    if (!item_text) return std::nullopt;
    if (texts.size() < kMaxListItems) texts.emplace_back(*item_text);
  }
  return texts;
}

}  // namespace atlas::store
