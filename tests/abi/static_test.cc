// The roles as parts of a program: no file, no dlopen, found by their ids. This executable links them; see
// plugins/CMakeLists.txt.
#include <filesystem>

#include "host/builtin_roles.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kRoles = {"bootstrap", "discovery", "keepalive", "messaging", "relay"};

class StaticRoles : public HostTest {
 protected:
  StaticRoles() {
    std::string name = fs::temp_directory_path() / "atlas-static-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory = fs::canonical(name);
  }
  ~StaticRoles() override {
    host.reset();
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  }
  std::vector<std::string> load_roles(const std::vector<std::string>& ids) {
    HostSetup with = setup();
    with.search = {directory};
    host = std::make_unique<Host>(std::move(with));
    std::vector<std::string> out;
    for (const auto& problem : host->load(ids)) out.push_back(problem.to_string());
    return out;
  }
  fs::path directory;  // has no files
};

TEST_F(StaticRoles, AreFoundByTheirIdsWithoutAFile) {
  EXPECT_EQ(builtin_roles().size(), kRoles.size());
  ASSERT_THAT(load_roles(kRoles), IsEmpty());
  for (const std::string& role : kRoles) {
    EXPECT_EQ(row(role).state, "ready");
    EXPECT_EQ(row(role).file, "linked");
  }
  EXPECT_THAT(host->claims(), Contains("type 0x30: relay"));
  EXPECT_THAT(host->claims(), Contains("command ping: keepalive"));
}

TEST_F(StaticRoles, AreThereOnlyWhenEnabled) {
  ASSERT_THAT(load_roles({"keepalive"}), IsEmpty());
  EXPECT_EQ(host->plugins().size(), 1u);
  EXPECT_THAT(load_roles({"keepalive", "org.example.none"}),
              ElementsAre("plugin org.example.none: no org.example.none.so in " + directory.string()));
}

// There is nothing that the digest could be of.
TEST_F(StaticRoles, CannotBePinned) {
  config.plugin_tables["keepalive"]["sha256"] = {std::string(64, 'a'), 1, 1};
  EXPECT_THAT(load_roles({"keepalive"}), ElementsAre("keepalive: is part of this program and has no file; take "
                                                     "plugins.keepalive.sha256 out"));
}

TEST_F(StaticRoles, LiveAndStopWithoutAFault) {
  network.me.record.node_id = "atlas_" + std::string(64, 'c');
  network.me.record.address = "[::]:4433";
  ASSERT_THAT(load_roles(kRoles), IsEmpty());
  host->begin_start();
  settle();
  network.add_peer(7, "atlas_" + std::string(64, 'd'));
  host->peer_event({ATLAS_PEER_UP, 7, "atlas_" + std::string(64, 'd'), 0, true});
  for (int second = 0; second < 130; ++second) {
    pass(base::kSecond);
    store.commit();
  }
  EXPECT_THAT(network.requests, Contains(::testing::Field(&FakeNetwork::Request::sent,
                                                          ::testing::Field(&FakeNetwork::Sent::type, 0xf0))));
  stop();
  for (const PluginRow& row : host->plugins()) {
    EXPECT_EQ(row.state, "stopped") << row.id << ": " << row.reason;
    EXPECT_EQ(row.faults, 0u);
  }
}

// An operator may put another version of a role into a directory of plugins.search.
TEST_F(StaticRoles, AFileOfTheSearchGoesFirst) {
  fs::copy_file(ATLAS_BUILD_DIR "/plugins/keepalive.so", directory / "keepalive.so");
  fs::permissions(directory / "keepalive.so", fs::perms::owner_all);
  ASSERT_THAT(load_roles({"keepalive", "relay"}), IsEmpty());
  EXPECT_EQ(row("keepalive").file, directory / "keepalive.so");
  EXPECT_EQ(row("relay").file, "linked");
}

}  // namespace
}  // namespace atlas::host::test
