#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kNode = "atlas_" + std::string(64, 'a');
const std::string kOther = "atlas_" + std::string(64, 'b');

// "node_id address peer"
std::string shown(const atlas_peer_info* info) {
  return std::string(view(info->node_id)) + " " + std::string(view(info->address)) + " " + std::to_string(info->peer);
}

class Peers : public HostTest {
 protected:
  static void note(void* arg, const atlas_peer_info* info) {
    EXPECT_EQ(info->struct_size, sizeof(atlas_peer_info));
    static_cast<std::vector<std::string>*>(arg)->push_back(shown(info));
  }
  static atlas_status note_row(void* arg, const atlas_peer_info* info) {
    note(arg, info);
    return ATLAS_OK;
  }
  atlas_peer_info told() {
    atlas_peer_info out{};
    out.struct_size = sizeof out;
    out.node_id = text_of(kNode);
    out.address = text_of("192.0.2.5:4433");
    out.name = text_of("five");
    out.last_seen = 1000;
    return out;
  }
  std::vector<std::string> seen;
};

TEST_F(Peers, SelfInfoAndFind) {
  network.me.record.node_id = kOther;
  network.me.record.address = "[::]:4433";
  network.add_peer(7, kNode);
  start();
  EXPECT_EQ(script.peers().self(script.host, &seen, note), ATLAS_OK);
  EXPECT_EQ(script.peers().info(script.host, 7, &seen, note), ATLAS_OK);
  EXPECT_EQ(script.peers().info(script.host, 8, &seen, note), ATLAS_E_GONE);
  EXPECT_THAT(seen, ElementsAre(kOther + " [::]:4433 0", kNode + " 192.0.2.1:4433 7"));
  atlas_peer found = 99;
  EXPECT_EQ(script.peers().find(script.host, text_of(kNode), &found), ATLAS_OK);
  EXPECT_EQ(found, 7u);
  EXPECT_EQ(script.peers().find(script.host, text_of(kOther), &found), ATLAS_E_GONE);
  EXPECT_EQ(found, 0u);
}

TEST_F(Peers, ListsSessionsAndTheDatabaseWithLiveOnesMarked) {
  network.add_peer(7, kNode);
  wire::PeerRecord row;
  row.node_id = kNode;
  row.address = "198.51.100.1:1";
  store.known.push_back(row);
  row.node_id = kOther;
  store.known.push_back(row);
  start();
  EXPECT_EQ(script.peers().list(script.host, ATLAS_PEERS_LIVE, &seen, note_row), ATLAS_OK);
  EXPECT_THAT(seen, ElementsAre(kNode + " 192.0.2.1:4433 7"));
  seen.clear();
  EXPECT_EQ(script.peers().list(script.host, ATLAS_PEERS_KNOWN, &seen, note_row), ATLAS_OK);
  EXPECT_THAT(seen, ElementsAre(kNode + " 192.0.2.1:4433 7", kOther + " 198.51.100.1:1 0"));
  seen.clear();
  const auto first_only = [](void* arg, const atlas_peer_info* info) -> atlas_status {
    note(arg, info);
    return ATLAS_E_FULL;
  };
  EXPECT_EQ(script.peers().list(script.host, ATLAS_PEERS_KNOWN, &seen, first_only), ATLAS_OK);
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(script.peers().list(script.host, 3, &seen, note_row), ATLAS_E_ARG);
}

TEST_F(Peers, ConnectCompletesOnTheStrand) {
  const auto done = [](void* arg, const atlas_connected* result) {
    static_cast<std::vector<std::string>*>(arg)->push_back(
        std::to_string(result->status) + " " + std::to_string(result->peer) + " " + std::string(view(result->node_id)) +
        " " + std::string(view(result->error)) + " " + std::to_string(result->existing));
  };
  start();
  const auto& peers = script.peers();
  EXPECT_EQ(peers.connect(script.host, text_of("192.0.2.1:4433"), 5000, done, &seen), ATLAS_OK);
  EXPECT_EQ(peers.connect(script.host, text_of(kNode), 5000, done, &seen), ATLAS_OK);
  ASSERT_EQ(network.dials.size(), 2u);
  EXPECT_EQ(network.dials[0].target, "192.0.2.1:4433");
  EXPECT_EQ(network.dials[0].timeout, 5 * base::kSecond);
  Connected made;
  made.ok = true;
  made.peer = 7;
  made.node_id = kNode;
  made.existing = true;
  network.dials[0].done(std::move(made));
  Connected refused;
  refused.fault = base::Fault::kUnreachable;
  refused.error = "no route";
  network.dials[1].done(std::move(refused));
  EXPECT_THAT(seen, IsEmpty());
  settle();
  EXPECT_THAT(seen, ElementsAre("0 7 " + kNode + "  1", "-11 0  no route 0"));
  EXPECT_EQ(peers.connect(script.host, {}, 5000, done, &seen), ATLAS_E_ARG);
  EXPECT_EQ(peers.connect(script.host, text_of("x"), 0, done, &seen), ATLAS_E_ARG);
  EXPECT_EQ(peers.connect(script.host, text_of("x"), 60'001, done, &seen), ATLAS_E_ARG);
  EXPECT_EQ(peers.connect(script.host, text_of("x"), 5000, nullptr, &seen), ATLAS_E_ARG);
}

TEST_F(Peers, DisconnectNeedsALiveSession) {
  network.add_peer(7, kNode);
  start();
  EXPECT_EQ(script.peers().disconnect(script.host, 8, 1, {}), ATLAS_E_GONE);
  EXPECT_EQ(script.peers().disconnect(script.host, 7, ATLAS_DISCONNECT_IDLE, text_of("silent")), ATLAS_OK);
  ASSERT_EQ(network.disconnects.size(), 1u);
  EXPECT_EQ(network.disconnects[0].reason, 1u);
  EXPECT_EQ(network.disconnects[0].note, "silent");
}

TEST_F(Peers, TargetsAndNotesAreBounded) {
  network.add_peer(7, kNode);
  start();
  const auto done = [](void*, const atlas_connected*) {};
  const std::string longest(base::limits::plugins_target_bytes, '1'), longer = longest + "1";
  EXPECT_EQ(script.peers().connect(script.host, text_of(longest), 5000, done, &seen), ATLAS_OK);
  EXPECT_EQ(script.peers().connect(script.host, text_of(longer), 5000, done, &seen), ATLAS_E_ARG);
  EXPECT_EQ(network.dials.size(), 1u);
  const std::string note(base::limits::plugins_note_bytes + 1, 'n');
  EXPECT_EQ(script.peers().disconnect(script.host, 7, ATLAS_DISCONNECT_IDLE, text_of(note)), ATLAS_OK);
  ASSERT_EQ(network.disconnects.size(), 1u);
  EXPECT_EQ(network.disconnects[0].note.size(), base::limits::plugins_note_bytes);
}

TEST_F(Peers, RelaysOfARecordAreBounded) {
  start();
  const std::vector<atlas_text> relays(base::limits::plugins_record_relays + 1, text_of("192.0.2.1:1"));
  auto info = told();
  info.relays = relays.data();
  info.relay_count = base::limits::plugins_record_relays;
  EXPECT_EQ(script.peers().upsert(script.host, &info), ATLAS_OK);
  info.relay_count = base::limits::plugins_record_relays + 1;
  EXPECT_EQ(script.peers().upsert(script.host, &info), ATLAS_E_ARG);
  EXPECT_EQ(store.told.size(), 1u);
}

TEST_F(Peers, UpsertTakesOnlyRecordsThatHold) {
  start();
  const auto upsert = [&](const atlas_peer_info& info) { return script.peers().upsert(script.host, &info); };
  EXPECT_EQ(upsert(told()), ATLAS_OK);
  ASSERT_EQ(store.told.size(), 1u);
  EXPECT_EQ(store.told[0].node_id, kNode);
  EXPECT_EQ(store.told[0].name, "five");

  auto bad = told();
  bad.node_id = text_of("atlas_short");
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  bad = told();
  bad.address = text_of("example.org:4433");
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  bad = told();
  bad.public_address = text_of("nowhere");
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  bad = told();
  const std::string long_name(65, 'x');
  bad.name = text_of(long_name);
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  bad = told();
  bad.skill_count = 33;
  const std::vector<atlas_text> skills(33, text_of("s"));
  bad.skills = skills.data();
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  const atlas_text relay = text_of("not an address");
  bad = told();
  bad.relays = &relay;
  bad.relay_count = 1;
  EXPECT_EQ(upsert(bad), ATLAS_E_ARG);
  EXPECT_EQ(script.peers().upsert(script.host, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(store.told.size(), 1u);
}

TEST_F(Peers, UpsertReadsOnlyAsFarAsThePluginKnows) {
  start();
  auto old = told();  // as a plugin writes it whose header ends before skills
  old.struct_size = offsetof(atlas_peer_info, skills);
  old.skills = reinterpret_cast<const atlas_text*>(std::uintptr_t{1});
  old.skill_count = 5;
  EXPECT_EQ(script.peers().upsert(script.host, &old), ATLAS_OK);
  ASSERT_EQ(store.told.size(), 1u);
  EXPECT_THAT(store.told[0].skills, IsEmpty());
}

}  // namespace
}  // namespace atlas::host::test
