#include "host/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atlas::host {
namespace {

const Owner kEcho{"echo", "/plugins/echo.so", {}};
const Owner kOther{"other", "/plugins/other.so", {}};

TEST(Claims, CoreBytesAreNeverAPlugins) {
  Claims claims;
  const Owner greedy{"greedy", "/plugins/greedy.so", {"bootstrap", "relay", "messaging", "discovery", "keepalive"}};
  for (int type = 0; type < 256; ++type) {
    const bool core = type <= 0x0f || (type >= 0xe0 && type <= 0xef) || type == 0xff;
    if (!core) continue;
    const auto claimed = claims.claim_type(greedy, static_cast<std::uint8_t>(type));
    ASSERT_FALSE(claimed) << type;
    EXPECT_EQ(claimed.error().fault, base::Fault::kDenied);
  }
  EXPECT_TRUE(claims.snapshot().empty());
}

TEST(Claims, RoleBytesBelongToTheirRole) {
  const std::pair<std::uint8_t, const char*> kOwned[] = {{0x10, "messaging"}, {0x11, "messaging"}, {0x20, "bootstrap"},
                                                         {0x21, "bootstrap"}, {0x22, "discovery"}, {0x30, "relay"},
                                                         {0x33, "relay"},     {0xf0, "keepalive"}, {0xf1, "keepalive"}};
  for (const auto& [type, role] : kOwned) {
    Claims claims;
    const auto denied = claims.claim_type(kEcho, type);
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().fault, base::Fault::kDenied);
    EXPECT_THAT(denied.error().text, ::testing::HasSubstr(std::string("replaces = \"") + role + "\""));
    EXPECT_TRUE(claims.claim_type({role, "x.so", {}}, type));
  }
}

TEST(Claims, WhatIsDeniedIsSaidWithTheWayOut) {
  Claims claims;
  const auto text = [&](std::uint8_t type) { return claims.claim_type(kEcho, type).error().text; };
  EXPECT_EQ(text(0x05), "echo (/plugins/echo.so) claims message type 0x05, which belongs to the core");
  EXPECT_EQ(text(0xe0), "echo (/plugins/echo.so) claims message type 0xe0, which belongs to the core");
  EXPECT_EQ(text(0x30),
            "echo (/plugins/echo.so) claims message type 0x30, which is reserved for relay; to let it take that role's "
            "place, write [plugins.echo] replaces = \"relay\"");
  EXPECT_EQ(text(0x42),
            "echo (/plugins/echo.so) claims message type 0x42; 0x40-0x7f are reserved for roles of this project, use "
            "0x80-0xdf");
  EXPECT_EQ(text(0x23), "echo (/plugins/echo.so) claims message type 0x23, which is not assigned yet; use 0x80-0xdf");
}

TEST(Claims, ReplacesLetsAnotherTakeARolesBytes) {
  Claims claims;
  const Owner mine{"org.example.registry", "/plugins/org.example.registry.so", {"bootstrap"}};
  EXPECT_TRUE(claims.claim_type(mine, 0x20));
  EXPECT_FALSE(claims.claim_type(mine, 0x22));
}

TEST(Claims, UnassignedAndProjectBytesAreDenied) {
  Claims claims;
  for (const int type : {0x12, 0x1f, 0x23, 0x2f, 0x34, 0x3f, 0x40, 0x7f, 0xf2, 0xfe}) {
    EXPECT_FALSE(claims.claim_type(kEcho, static_cast<std::uint8_t>(type))) << type;
  }
  for (int type = 0x80; type <= 0xdf; ++type) {
    EXPECT_TRUE(claims.claim_type(kEcho, static_cast<std::uint8_t>(type))) << type;
  }
}

TEST(Claims, ConflictNamesBothOwnersAndTheirFiles) {
  Claims claims;
  ASSERT_TRUE(claims.claim_type(kEcho, 0x90));
  const auto second = claims.claim_type(kOther, 0x90);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_EQ(second.error().text,
            "message type 0x90 is claimed by echo (/plugins/echo.so) and by other (/plugins/other.so); enable one of "
            "them");
  ASSERT_TRUE(claims.claim_command(kEcho, "echo"));
  EXPECT_EQ(claims.claim_command(kOther, "echo").error().text,
            "command \"echo\" is claimed by echo (/plugins/echo.so) and by other (/plugins/other.so)");
  ASSERT_TRUE(claims.claim_metric(kEcho, "atlas_a_b_c"));
  EXPECT_EQ(claims.claim_metric(kOther, "atlas_a_b_c").error().text,
            "metric \"atlas_a_b_c\" is claimed by echo (/plugins/echo.so) and by other (/plugins/other.so)");
  ASSERT_TRUE(claims.claim_protocol(kEcho, "echo/1"));
  EXPECT_EQ(claims.claim_protocol(kOther, "echo/1").error().text,
            "protocol \"echo/1\" is claimed by echo (/plugins/echo.so) and by other (/plugins/other.so)");
  EXPECT_EQ(claims.claim_protocol(kOther, "atlas/9").error().text,
            "protocol \"atlas/9\" is claimed by other (/plugins/other.so) and belongs to the core");
}

TEST(Claims, CommandsOfTheCoreAreTaken) {
  Claims claims;
  const auto claimed = claims.claim_command(kEcho, "status");
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().fault, base::Fault::kConflict);
  EXPECT_EQ(claimed.error().text, "command \"status\" is claimed by echo (/plugins/echo.so) and belongs to the core");
}

TEST(Claims, ReleaseTakesBackOnePluginsClaimsOnly) {
  Claims claims;
  ASSERT_TRUE(claims.claim_type(kEcho, 0x90));
  const auto before = claims.snapshot();
  ASSERT_TRUE(claims.claim_type(kOther, 0x91));
  ASSERT_TRUE(claims.claim_command(kOther, "other"));
  ASSERT_TRUE(claims.claim_metric(kOther, "atlas_other_x"));
  EXPECT_EQ(claims.snapshot().size(), 4u);
  claims.release("other");
  EXPECT_EQ(claims.snapshot(), before);
}

TEST(Claims, PathsAreFoundByOne) {
  Claims claims;
  ASSERT_TRUE(claims.claim_paths(kEcho));
  EXPECT_THAT(claims.snapshot(), ::testing::ElementsAre("paths: echo"));
  const auto second = claims.claim_paths(kOther);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_EQ(second.error().text,
            "the finding of paths is claimed by echo (/plugins/echo.so) and by other (/plugins/other.so); "
            "enable one of them");
  claims.release("other");
  EXPECT_FALSE(claims.claim_paths(kOther)) << "it had none to release";
  claims.release("echo");
  EXPECT_THAT(claims.snapshot(), ::testing::IsEmpty());
  EXPECT_TRUE(claims.claim_paths(kOther));
}

}  // namespace
}  // namespace atlas::host
