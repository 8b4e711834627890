// The addresses of this machine's network interfaces.
// Any thread; asks the system at each call.
#pragma once

#include <vector>

#include "net/address.h"

namespace atlas::net {

// Of interfaces that are up, without repeats. Empty when the system does not say.
std::vector<IpAddress> interface_addresses();

}  // namespace atlas::net
