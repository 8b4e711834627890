// Plugins of other minors in this host: built against every released header, against shorter ones than ours and against
// longer ones.
#include <fmt/format.h>

#include <filesystem>

#include "abi/every_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Releases : public EveryTest {
 protected:
  // The metrics' names have no dots.
  std::int64_t counted(std::string id, const std::string& what) {
    std::ranges::replace(id, '.', '_');
    return metric("atlas_" + id + "_" + what);
  }

  // Everything that a plugin goes through, from a host that has just loaded it. `knows_peers`: it has a peer_event.
  void live(const std::string& id, bool knows_peers) {
    host->begin_start();
    settle();
    EXPECT_EQ(row(id).state, "running") << row(id).reason;
    EXPECT_EQ(counted(id, "contract_breaks"), 0);
    EXPECT_EQ(counted(id, "posts"), 1);

    deliver(0xa0, 1, "hello");
    settle();
    ASSERT_EQ(network.replies.size(), 1u);
    EXPECT_EQ(network.replies[0].type, 0xa1);
    EXPECT_EQ(string_of(network.replies[0].payload), "hello");
    EXPECT_EQ(counted(id, "messages"), 1);

    ASSERT_EQ(network.requests.size(), 1u);
    Answer answer;
    answer.ok = true;
    answer.type = 0xa1;
    answer.body = {1, 2, 3};
    network.requests[0].done(std::move(answer));
    store.commit();
    pass(base::kSecond);
    pass(base::kSecond);
    EXPECT_EQ(counted(id, "answers"), 2) << "of the peer and of the neighbour";
    EXPECT_EQ(counted(id, "durable"), 1);
    EXPECT_EQ(counted(id, "ticks"), 2);

    const std::int64_t before = counted(id, "events");
    publish_news();
    host->listener_changed();
    settle();
    EXPECT_EQ(counted(id, "events"), before + 2);
    host->peer_event({ATLAS_PEER_UP, 7, kPeer, 0, false});
    settle();
    EXPECT_EQ(counted(id, "peers"), knows_peers ? 1 : 0);
    run_its_command();
    end(id);
  }

  void forget() {
    network.requests.clear();
    network.replies.clear();
    network.streams.clear();
    store.rows.clear();
  }

  void run_its_command() {
    const auto output = std::make_shared<RecordedOutput>();
    EXPECT_NE(host->run_command("every thing", {{"first", "x"}, {"--second", "2"}}, output), 0u);
    settle();
    EXPECT_THAT(output->results, ElementsAre("{\"ok\":true}"));
    const auto missing = std::make_shared<RecordedOutput>();
    host->run_command("every thing", {{"--second", "2"}}, missing);
    ASSERT_EQ(missing->ended.size(), 1u);
    EXPECT_EQ(missing->ended[0].first, ATLAS_E_ARG);
  }

  void end(const std::string& id) {
    host->drain(base::after(clock.mono_ns(), 500 * base::kMillisecond));
    settle();
    EXPECT_EQ(counted(id, "drains"), 1);
    stop();
    EXPECT_EQ(row(id).state, "stopped");
    EXPECT_EQ(row(id).faults, 0u);
    EXPECT_EQ(counted(id, "contract_breaks"), 0);
    EXPECT_THAT(network.credentials, IsEmpty());
  }
};

TEST_F(Releases, TodaysPluginDoesEverything) {
  ASSERT_THAT(load_with({}, {"every"}), IsEmpty());
  live("every", true);
}

// One for each directory of sdk/abi.
class ReleasedHeader : public Releases, public ::testing::WithParamInterface<std::string> {};

TEST_P(ReleasedHeader, ItsPluginDoesEverythingHere) {
  const std::string id = "every_" + GetParam();
  ASSERT_THAT(load_with({}, {id}), IsEmpty());
  live(id, true);
}

INSTANTIATE_TEST_SUITE_P(Abi, ReleasedHeader, ::testing::Values(ABI_RELEASED), [](const auto& version) {
  std::string name = "v" + version.param;
  std::ranges::replace(name, '.', '_');
  return name;
});

// Files that were built with past releases, called every_<version>.so, where somebody keeps them.
TEST_F(Releases, BinariesOfPastReleases) {
  const std::string directory = ABI_OLD_PLUGINS;
  if (directory.empty()) GTEST_SKIP() << "ATLAS_OLD_PLUGINS of the build names no directory of them";
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.path().stem().string().starts_with("every_1.")) continue;
    SCOPED_TRACE(entry.path());
    const ::atlas_plugin* object = exported_by(entry.path());
    ASSERT_NE(object, nullptr) << dlerror();
    ASSERT_THAT(load_with({object}), IsEmpty());
    live(object->id, true);
    host.reset();
    forget();
    ++seen;
  }
  EXPECT_GT(seen, 0u) << directory;
}

// What such a plugin hands over ends before the fields that it does not know: options, limits, arguments of a command
// (in an array, so their distance is what they say), and its descriptor.
TEST_F(Releases, ShorterStructsAreReadToTheirEnd) {
  const ::atlas_plugin* object = exported_by(ABI_PLUGIN_DIR "/every_earlier.so");
  ASSERT_NE(object, nullptr);
  EXPECT_LT(object->struct_size, sizeof(::atlas_plugin));
  ::atlas_plugin plugin = copy_prefix(object);
  EXPECT_EQ(plugin.peer_event, nullptr);
  // As if the release before had been the first, so that the loader would take it.
  plugin.struct_size = sizeof plugin;
  ASSERT_THAT(load_with({&plugin}), IsEmpty());
  for (const Command& command : host->commands()) {
    if (command.path != "every thing") continue;
    ASSERT_EQ(command.args.size(), 2u);
    EXPECT_EQ(command.args[0].name, "first");
    EXPECT_TRUE(command.args[0].required);
    EXPECT_EQ(command.args[1].name, "--second");
    EXPECT_EQ(command.args[1].help, "");
    EXPECT_EQ(command.display, "");
  }
  ASSERT_EQ(host->protocols().size(), 1u);
  EXPECT_EQ(host->protocols()[0].second.max_connections, 9u);
  live("every_earlier", false);
}

TEST_F(Releases, ADescriptorShorterThanTheFirstReleasesIsRefused) {
  const auto problems = load_with({}, {"every_earlier"});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].to_string(),
            std::string(ABI_PLUGIN_DIR) + "/every_earlier.so: atlas_plugin_v1 has 72 bytes, expected at least 80");
}

// For a plugin of a later minor this host is an old one: what is new is not there, and it sees that.
TEST_F(Releases, ALaterPluginFindsWhatIsNewAbsent) {
  const ::atlas_plugin* object = exported_by(ABI_PLUGIN_DIR "/every_later.so");
  ASSERT_NE(object, nullptr);
  EXPECT_GT(object->struct_size, sizeof(::atlas_plugin));
  ASSERT_THAT(load_with({}, {"every_later"}), IsEmpty());
  live("every_later", true);
  EXPECT_EQ(counted("every_later", "absent"), 2);
}

TEST_F(Releases, OneThatCannotDoWithoutIsRefused) {
  const auto problems = load_with({}, {"every_required"});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(
      problems[0].to_string(),
      fmt::format("{}/every_required.so: needs plugin ABI 1.{}, this atlas has 1.{}; update atlas, or rebuild the "
                  "plugin with abi_minor_min = {}",
                  ABI_PLUGIN_DIR, ATLAS_ABI_MINOR + 1, ATLAS_ABI_MINOR, ATLAS_ABI_MINOR));
  EXPECT_EQ(row("every_required").state, "refused");
}

}  // namespace
}  // namespace atlas::host::test
