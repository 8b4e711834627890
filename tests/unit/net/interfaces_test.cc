#include "net/interfaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atlas::net {
namespace {

TEST(Interfaces, TheLoopbackIsOneAndNoneIsThereTwice) {
  const auto addresses = interface_addresses();
  EXPECT_THAT(addresses, testing::Contains(*IpAddress::parse("127.0.0.1")));
  for (const auto& address : addresses) {
    EXPECT_THAT(addresses, testing::Contains(address).Times(1)) << address.text();
  }
}

}  // namespace
}  // namespace atlas::net
