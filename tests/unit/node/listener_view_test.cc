// How the node is reached, in the words of atlas/ext/listener.h.
#include "node/listener_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atlas::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Nat = host::Listener::Nat;

const std::vector<net::SocketAddress> kBound = {*net::SocketAddress::parse("0.0.0.0:4433"),
                                                *net::SocketAddress::parse("[::]:4433")};
const std::vector<std::string> kServed = {"atlas/1", "daytime/1"};

Nat nat(net::Mapping mapping, std::optional<bool> behind) {
  return listener_view(kBound, kServed, "", mapping, behind).nat;
}

TEST(ListenerViewTest, NamesSocketsAndProtocols) {
  const auto view = listener_view(kBound, kServed, "192.0.2.1:4433", net::Mapping::kUnknown, std::nullopt);
  EXPECT_THAT(view.bound, ElementsAre("0.0.0.0:4433", "[::]:4433"));
  EXPECT_THAT(view.protocols, ElementsAre("atlas/1", "daytime/1"));
  EXPECT_EQ(view.public_address, "192.0.2.1:4433");
}

TEST(ListenerViewTest, ANodeThatOnlyDialsServesNothing) {
  const auto view = listener_view({}, kServed, "", net::Mapping::kUnknown, std::nullopt);
  EXPECT_THAT(view.bound, IsEmpty());
  EXPECT_THAT(view.protocols, IsEmpty());
}

TEST(ListenerViewTest, ANatIsNamedOnlyWhenItIsKnown) {
  EXPECT_EQ(nat(net::Mapping::kUnknown, std::nullopt), Nat::kUnknown);
  EXPECT_EQ(nat(net::Mapping::kSame, std::nullopt), Nat::kUnknown);
  EXPECT_EQ(nat(net::Mapping::kUnknown, true), Nat::kUnknown) << "it may be of either kind";
  EXPECT_EQ(nat(net::Mapping::kUnknown, false), Nat::kNone);
  EXPECT_EQ(nat(net::Mapping::kSame, false), Nat::kNone);
  EXPECT_EQ(nat(net::Mapping::kSame, true), Nat::kMapped);
  EXPECT_EQ(nat(net::Mapping::kDependent, true), Nat::kSymmetric);
  EXPECT_EQ(nat(net::Mapping::kDependent, std::nullopt), Nat::kSymmetric);
}

}  // namespace
}  // namespace atlas::node
