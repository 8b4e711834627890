// The words that stand for trust and failures on the wire and in the database, and what a node id looks like.
#include "wire/peer_record.h"

#include <gtest/gtest.h>

namespace atlas::wire {
namespace {

TEST(PeerRecord, TrustWordsReadBack) {
  for (const auto& [trust, text] : {std::pair(Trust::kUnknown, "unknown"), std::pair(Trust::kVerified, "verified"),
                                    std::pair(Trust::kBootstrap, "bootstrap"), std::pair(Trust::kRelay, "relay")}) {
    EXPECT_EQ(to_text(trust), text);
    EXPECT_EQ(trust_from(text), trust);
  }
  EXPECT_FALSE(trust_from("Verified"));
  EXPECT_FALSE(trust_from(""));
}

TEST(PeerRecord, FailureWordsReadBack) {
  for (const auto& [failure, text] :
       {std::pair(DialFailure::kUnreachable, "unreachable"), std::pair(DialFailure::kRejected, "rejected"),
        std::pair(DialFailure::kExpired, "expired"), std::pair(DialFailure::kReset, "reset"),
        std::pair(DialFailure::kDisconnected, "disconnected")}) {
    EXPECT_EQ(to_text(failure), text);
    EXPECT_EQ(dial_failure_from(text), failure);
  }
  EXPECT_FALSE(dial_failure_from("timeout"));
}

TEST(PeerRecord, NodeIdsAreExact) {
  const std::string good = "atlas_21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9";
  EXPECT_TRUE(is_node_id(good));
  EXPECT_FALSE(is_node_id(good + "0"));
  EXPECT_FALSE(is_node_id(good.substr(0, good.size() - 1)));
  EXPECT_FALSE(is_node_id("ATLAS_" + good.substr(6)));
  EXPECT_FALSE(is_node_id(""));
  for (const char wrong : {'A', 'F', 'g', ' ', '\0', '/', ':', '@', '`'}) {
    std::string id = good;
    id.back() = wrong;
    EXPECT_FALSE(is_node_id(id)) << wrong;
  }
}

}  // namespace
}  // namespace atlas::wire
