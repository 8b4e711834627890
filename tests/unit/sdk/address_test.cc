// What people give as a target, and what they are told when it is none.
#include <gtest/gtest.h>

#include <atlas/address.hpp>
#include <string>

namespace atlas {
namespace {

const std::string kId = "atlas_" + std::string(64, 'a');

TEST(Target, AddressesAndNodeIdsAreTargets) {
  for (const std::string& good :
       {kId, std::string("192.0.2.1:1"), std::string("[2001:db8::1]:65535"), std::string("[::ffff:192.0.2.1]:4433")}) {
    EXPECT_EQ(why_no_target(good), "") << good;
  }
}

TEST(Target, WhatIsWrongIsSaidOfThisOne) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "the target is empty: give ip:port, [ipv6]:port or a node id"},
      {"foo", "foo: neither ip:port nor a node id; host names are not looked up"},
      {"127.0.0.1", "127.0.0.1: no port; 127.0.0.1:4433?"},
      {"127.0.0.1:", "127.0.0.1:: no port; 127.0.0.1:4433?"},
      {"::1", "::1: no port; [::1]:4433?"},
      {"[::1]", "[::1]: no port; [::1]:4433?"},
      {"127.0.0.1:0", "127.0.0.1:0: a port is a number from 1 to 65535, not 0"},
      {"[::1]:70000", "[::1]:70000: a port is a number from 1 to 65535, not 70000"},
      {"127.0.0.1:04433", "127.0.0.1:04433: a port is a number from 1 to 65535, not 04433"},
      {"localhost:4433", "localhost:4433: host names are not looked up; give the ip address of localhost"},
      {"127.0.0.256:4433", "127.0.0.256:4433: 127.0.0.256 is no IPv4 address"},
      {":4433", ":4433: no ip address before the port"},
      {"fe80::12345:1", "fe80::12345:1: no IPv6 address in brackets and a port, such as [2001:db8::1]:4433"},
      {"[::g]:1", "[::g]:1: no IPv6 address in brackets and a port, such as [2001:db8::1]:4433"},
      {"atlas_0123456789ab", "atlas_0123456789ab: a node id is atlas_ and 64 lower-case hex digits; this one has 12"},
  };
  for (const auto& [text, why] : cases) EXPECT_EQ(why_no_target(text), why);
}

TEST(Target, ANodeIdInUpperCaseIsNone) {
  const std::string form = ": a node id is atlas_ and 64 lower-case hex digits";
  const std::string digits = "atlas_" + std::string(63, 'a') + "A", whole = "ATLAS_" + std::string(64, 'A');
  EXPECT_FALSE(is_node_id(digits));
  EXPECT_EQ(why_no_target(digits), digits + form + "; number 64 is none");
  EXPECT_EQ(why_no_target(whole), whole + form);
  EXPECT_EQ(why_no_node_id(kId), "");
  EXPECT_EQ(why_no_node_id("127.0.0.1:4433"), "127.0.0.1:4433" + form);
  EXPECT_EQ(why_no_node_id(""), form);
}

TEST(Target, OfALongTextTheBeginningIsShown) {
  std::string text(99, 'x');
  text += "\u00e9" + std::string(100'000, 'x');  // cut before the letter of two bytes, not within
  const std::string why = why_no_target(text);
  EXPECT_TRUE(why.starts_with(std::string(99, 'x') + "...: ")) << why;
  EXPECT_LT(why.size(), 300u);
}

}  // namespace
}  // namespace atlas
