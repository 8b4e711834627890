// The bootstrap role over its exported object: what it claims, `net registry`, and hosts that lack something.
#include <nlohmann/json.hpp>

#include "bootstrap/role_fixture.h"
#include "kit/documented_keys.h"

namespace bootstrap::test {
namespace {

TEST_F(Bootstrap, ClaimsItsTwoTypesOnly) {
  host.run();
  EXPECT_EQ(host.claimed.size(), 2u);
  EXPECT_TRUE(host.claimed.contains(0x20) && host.claimed.contains(0x21));
}

TEST_F(Bootstrap, NetRegistryListsRecords) {
  host.run();
  add(1, {.name = "one", .skills = {"go"}});
  host.lose_peer(add(2, {.name = "two", .operator_username = "bob"}), 0);
  EXPECT_EQ(host.commands.at("registry").where, ATLAS_CLI_DAEMON);
  const auto& all = host.calls.at(host.run_command("registry", {}));
  EXPECT_EQ(all.status, ATLAS_OK);
  EXPECT_THAT(all.progress.at(0), HasSubstr("2 of at most 100000 records, 1 skills, 1 operators"));
  EXPECT_THAT(*all.result,
              HasSubstr("\"name\":\"one\",\"skills\":[\"go\"],\"operator_username\":null,\"trust_level\":\"unknown\""));
  EXPECT_THAT(*all.result, HasSubstr("\"operator_username\":\"bob\""));
  EXPECT_THAT(*all.result, HasSubstr("\"connected\":false"));
  EXPECT_EQ(*host.calls.at(host.run_command("registry", {{"--skill", "none"}})).result, "[]");
  EXPECT_THAT(*host.calls.at(host.run_command("registry", {{"--operator", "@bob"}})).result, HasSubstr("two"));
  EXPECT_EQ(host.calls.at(host.run_command("registry", {{"--limit", "0"}})).status, ATLAS_E_ARG);
}

TEST_F(Bootstrap, NetRegistryPrintsTheKeysOfTheReference) {
  host.run();
  const auto documented = atlas::kit::documented_keys("net registry");
  ASSERT_EQ(documented.size(), 1u);
  add(1);
  const auto bare = nlohmann::json::parse(*host.calls.at(host.run_command("registry", {})).result).at(0);
  EXPECT_EQ(atlas::kit::keys_of(bare), documented[0]);
  EXPECT_TRUE(bare.at("public_address").is_null());
  EXPECT_TRUE(bare.at("operator_username").is_null());
  send(join(1), {.node_id = node_id(1),
                 .texts = {{"operator_username", "bob"}, {"public_address", "127.0.0.1:500"}},
                 .relays = {{"203.0.113.9:4433"}}});
  const auto full = nlohmann::json::parse(*host.calls.at(host.run_command("registry", {})).result).at(0);
  EXPECT_EQ(atlas::kit::keys_of(full), documented[0]);
  EXPECT_EQ(full.at("public_address"), "127.0.0.1:500");
  EXPECT_EQ(full.at("operator_username"), "bob");
}

TEST_F(Bootstrap, NetRegistrySaysWhenItLeavesSomethingOut) {
  host.run();
  std::vector<std::string> skills;
  for (int s = 0; s < 32; ++s)
    skills.push_back(std::string(60, '\x01') + std::to_string(s));  // six times as long in JSON
  for (int i = 0; i < 400; ++i) send(join(i), {.node_id = node_id(i), .skills = skills});
  const auto& few = host.calls.at(host.run_command("registry", {{"--limit", "3"}}));
  EXPECT_THAT(few.progress.at(0), HasSubstr("more match"));
  const auto& all = host.calls.at(host.run_command("registry", {}));
  EXPECT_THAT(all.progress.at(0), HasSubstr("more match"));
  EXPECT_LE(all.result->size(), 4u << 20);
  EXPECT_GT(all.result->size(), 4'000'000u);
}

TEST_F(Bootstrap, DeclaresItsKeys) {
  FakeHost describing(atlas_plugin_v1, ATLAS_MODE_DESCRIBE);
  ASSERT_EQ(describing.init(), ATLAS_OK);
  EXPECT_EQ(describing.asked.at("max_records"), "integer 100000 1 10000000");
  EXPECT_EQ(describing.asked.at("allow_foreign_address"), "boolean false");
}

TEST_F(Bootstrap, WithoutPeersThereIsNobodyToRegister) {
  host.run();
  const auto peer = join(1);
  host.tables.peers.struct_size = offsetof(atlas_ext_peers, info);  // an older host
  EXPECT_EQ(send(peer, {.node_id = node_id(1)}).error_code, 2003u);
}

}  // namespace
}  // namespace bootstrap::test
