// atlas.identity/1
#include "identity/node_key.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::HasSubstr;

class Identity : public HostTest {
 protected:
  Identity() : key(identity::NodeKey::generate(random)) {}
  ~Identity() override { host.reset(); }

  void start_with_key(int count = 1) {
    HostSetup with = setup();
    with.key = &key;
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(scripts[0]);
    descriptors[1] = Scripted<1>::descriptor(scripts[1]);
    for (int i = 0; i < count; ++i) host->add_linked(&descriptors[i]);
    ASSERT_TRUE(host->load({}).empty());
    host->begin_start();
    settle();
  }
  const atlas_ext_identity& table(int i = 0) const { return *scripts[i].table<atlas_ext_identity>(ATLAS_EXT_IDENTITY); }
  atlas_signature sign(std::string_view context, std::string_view message, atlas_status expected = ATLAS_OK) {
    atlas_signature out{};
    EXPECT_EQ(table().sign(script.host, text_of(context), bytes_of(message), &out), expected);
    return out;
  }
  atlas_status verify(int by, std::string_view plugin, std::string_view context, std::string_view message,
                      const atlas_signature& signature) {
    atlas_public_key own{};
    EXPECT_EQ(table(by).self(scripts[by].host, &own), ATLAS_OK);
    return table(by).verify(scripts[by].host, &own, text_of(plugin), text_of(context), bytes_of(message), &signature);
  }

  identity::NodeKey key;
};

TEST_F(Identity, SignaturesAreBoundToPluginContextAndMessage) {
  start_with_key(2);
  const atlas_signature signature = sign("record", "hello");
  EXPECT_EQ(verify(0, "", "record", "hello", signature), ATLAS_OK);
  EXPECT_EQ(verify(0, "plugin0", "record", "hello", signature), ATLAS_OK);
  EXPECT_EQ(verify(1, "plugin0", "record", "hello", signature), ATLAS_OK);
  EXPECT_EQ(verify(1, "", "record", "hello", signature), ATLAS_E_DENIED);
  EXPECT_EQ(verify(0, "", "other", "hello", signature), ATLAS_E_DENIED);
  EXPECT_EQ(verify(0, "", "record", "hellO", signature), ATLAS_E_DENIED);
  // What moves a byte from one part to the next is another text.
  EXPECT_EQ(verify(0, "", "recor", "dhello", signature), ATLAS_E_DENIED);
}

TEST_F(Identity, WhatIsSignedIsAsTheHeaderSays) {
  start_with_key();
  const atlas_signature signature = sign("ctx", "m");
  const std::string text = std::string("atlas-plugin-signature-v1") + '\0' + '\x07' + "plugin0" + '\x03' + "ctx" + "m";
  EXPECT_TRUE(identity::verify(key.public_key(), base::as_bytes(text), {signature.bytes, 64}));
}

TEST_F(Identity, ThePluginCannotSpeakAsTheNode) {
  start_with_key();
  // Whatever it asks to be signed begins with the domain, so no text of the handshake can come out.
  const atlas_signature signature = sign("x", "challenge");
  EXPECT_FALSE(identity::verify(key.public_key(), base::as_bytes("challenge"), {signature.bytes, 64}));
}

TEST_F(Identity, KeysHaveNodeIds) {
  start_with_key();
  atlas_public_key own{};
  ASSERT_EQ(table().self(script.host, &own), ATLAS_OK);
  atlas_node_id id{};
  ASSERT_EQ(table().node_id(script.host, &own, &id), ATLAS_OK);
  EXPECT_EQ(std::string_view(id.text, sizeof id.text), key.node_id());
  const atlas_public_key zero{};
  EXPECT_EQ(table().node_id(script.host, &zero, &id), ATLAS_E_ARG);
  EXPECT_EQ(table().node_id(script.host, nullptr, &id), ATLAS_E_ARG);
}

TEST_F(Identity, KeysOfPeersAreThoseOfTheirSessions) {
  start_with_key();
  network.add_peer(7, key.node_id());
  network.live_peers.at(7).key = key.public_key();
  atlas_public_key out{};
  EXPECT_EQ(table().peer(script.host, 7, &out), ATLAS_OK);
  EXPECT_EQ(0, std::memcmp(out.bytes, key.public_key().data(), 32));
  EXPECT_EQ(table().peer(script.host, 8, &out), ATLAS_E_GONE);
  EXPECT_EQ(table().peer(script.host, 7, nullptr), ATLAS_E_ARG);
}

TEST_F(Identity, MessagesAreBounded) {
  start_with_key();
  const std::string most(base::limits::plugins_signed_bytes, 'x');
  const atlas_signature signature = sign("ctx", most);
  EXPECT_EQ(verify(0, "", "ctx", most, signature), ATLAS_OK);
  sign("ctx", most + "x", ATLAS_E_ARG);
  EXPECT_THAT(script.last_error(), HasSubstr("at most 1048576"));
  sign("", "x", ATLAS_E_ARG);
  sign(std::string(65, 'c'), "x", ATLAS_E_ARG);
  sign("\xff", "x", ATLAS_E_ARG);
}

TEST_F(Identity, ThereIsNoneWhereThereIsNoNode) {
  start();
  sign("ctx", "x", ATLAS_E_DENIED);
  atlas_public_key out{};
  EXPECT_EQ(table().self(script.host, &out), ATLAS_E_DENIED);
}

}  // namespace
}  // namespace atlas::host::test
