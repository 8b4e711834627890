// Which addresses a node may register: its own, not other people's (protocol, section 7).
// Any thread; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "atlas/address.hpp"

namespace bootstrap {

struct AddressVerdict {
  std::optional<atlas::Address> address;  // what to store: an unspecified host has been filled in
  std::string reason;                     // why there is none
};

// `field` names the field in the reason. `seen` is the host that the session comes from.
AddressVerdict judge_address(std::string_view field, std::string_view text, const atlas::HostAddress& seen,
                             bool allow_foreign);

}  // namespace bootstrap
