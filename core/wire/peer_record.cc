#include "wire/peer_record.h"

#include <algorithm>
#include <array>

namespace atlas::wire {
namespace {

// In the order of the enums.
constexpr std::array<std::string_view, 4> kTrustTexts = {"unknown", "verified", "bootstrap", "relay"};
constexpr std::array<std::string_view, 5> kFailureTexts = {"unreachable", "rejected", "expired", "reset",
                                                           "disconnected"};

template <class Enum, std::size_t N>
std::optional<Enum> find_text(const std::array<std::string_view, N>& texts, std::string_view text) {
  const auto found = std::ranges::find(texts, text);
  if (found == texts.end()) return std::nullopt;
  return static_cast<Enum>(found - texts.begin());
}

bool is_lower_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

std::string_view to_text(Trust trust) {
  return kTrustTexts[static_cast<std::size_t>(trust)];
}
std::optional<Trust> trust_from(std::string_view text) {
  return find_text<Trust>(kTrustTexts, text);
}

std::string_view to_text(DialFailure failure) {
  return kFailureTexts[static_cast<std::size_t>(failure)];
}
std::optional<DialFailure> dial_failure_from(std::string_view text) {
  return find_text<DialFailure>(kFailureTexts, text);
}

bool is_node_id(std::string_view text) {
  return text.size() == kNodeIdSize && text.starts_with(kNodeIdPrefix) &&
         std::ranges::all_of(text.substr(kNodeIdPrefix.size()), is_lower_hex);
}

}  // namespace atlas::wire
