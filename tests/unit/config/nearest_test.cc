#include <gtest/gtest.h>

#include "config/config.h"

namespace atlas::config {
namespace {

const std::vector<std::string> kNames = {"port", "bind", "bootstrap", "relays", "max_connections", "idle_timeout"};

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("prot", kNames), "port");
  EXPECT_EQ(nearest("Port", kNames), "port");
  EXPECT_EQ(nearest("relay", kNames), "relays");
  EXPECT_EQ(nearest("max-connections", kNames), "max_connections");
  EXPECT_EQ(nearest("maxconnection", kNames), "max_connections");
  EXPECT_EQ(nearest("idletimeout", kNames), "idle_timeout");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("", kNames), std::nullopt);
  EXPECT_EQ(nearest("x", kNames), std::nullopt);
  EXPECT_EQ(nearest("wallet", kNames), std::nullopt);
  EXPECT_EQ(nearest("bandwidth", kNames), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'p'), kNames), std::nullopt);
  EXPECT_EQ(nearest("port", {}), std::nullopt);
}

}  // namespace
}  // namespace atlas::config
