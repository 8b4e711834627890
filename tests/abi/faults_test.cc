// Every call that a plugin makes in init and start fails once, one after the other: whatever it makes of that, the host
// is afterwards as if it had not been there. For the roles that ship with atlas and for one that uses everything. And
// the roles on hosts whose tables are shorter than theirs.
#include "abi/every_fixture.h"
#include "abi/failing_host.h"

namespace atlas::host::test {
namespace {

using ::testing::IsEmpty;

constexpr std::size_t kMostCalls = 500;  // that a plugin makes before it runs

struct Subject {
  std::string id, file;
  friend void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.id; }
};

class Faults : public EveryTest, public ::testing::WithParamInterface<Subject> {
 protected:
  // With settings that give the roles something to begin.
  Faults() {
    config.network.bootstrap = {"192.0.2.5:4433", "192.0.2.6:4433"};
    config.network.relays = {"192.0.2.7:4433"};
    config.transport.enable_relay = true;
    config.transport.offer_relay = true;
    network.me.record.node_id = "atlas_" + std::string(64, 'c');
    network.me.record.address = "[::]:4433";
  }
  struct Outcome {
    std::size_t calls = 0;
    std::string failed;  // empty: nothing was left to fail
    bool refused = false, faulted = false;
  };

  // What the registries hold when the neighbour is alone: loaded, running and stopped.
  struct Alone {
    std::vector<std::string> loaded, running, stopped;
    std::vector<std::string> commands;
  };
  Alone alone() {
    Alone out;
    EXPECT_THAT(load_with({}), IsEmpty());
    out.loaded = host->holdings();
    out.commands = commands();
    host->begin_start();
    settle();
    out.running = host->holdings();
    stop();
    out.stopped = host->holdings();
    host.reset();
    return out;
  }
  std::vector<std::string> commands() const {
    std::vector<std::string> out;
    for (const Command& command : host->commands()) out.push_back(command.path);
    return out;
  }
  std::size_t metrics_of(const std::string& id) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        host->metrics(), [&](const MetricRow& metric) { return metric.name.starts_with("atlas_" + id + "_"); }));
  }
  // Nothing that the network was asked to keep for a plugin is still there for it.
  void expect_nothing_outside(const std::string& id) {
    EXPECT_THAT(network.credentials, IsEmpty());
    EXPECT_FALSE(host->provides_paths());
    for (const MetricRow& metric : host->metrics()) {
      if (!metric.name.starts_with("atlas_" + id)) continue;
      const bool counts_open = metric.name.ends_with("_streams") || metric.name.ends_with("_connections");
      EXPECT_TRUE(!counts_open || metric.value == 0) << metric.name << " is " << metric.value;
    }
  }
  void forget_calls() {
    network.requests.clear();
    network.dials.clear();
    network.routes.clear();
    network.streams.clear();
    network.protocol_dials.clear();
    network.connection_streams.clear();
    store.waiting.clear();
    store.rows.clear();
  }

  // One life in which call number `fail_at` fails.
  Outcome live(const ::atlas_plugin& plugin, std::size_t fail_at, atlas_status with, const Alone& before) {
    Outcome out;
    FailingHost failing(plugin, fail_at, with);
    const auto problems = load_with({failing.descriptor()});
    const std::string id = plugin.id;
    out.refused = row(id).state == "refused";
    EXPECT_EQ(out.refused, !problems.empty());
    if (out.refused) {
      EXPECT_EQ(host->holdings(), before.loaded);
      EXPECT_EQ(commands(), before.commands);
      EXPECT_EQ(metrics_of(id), metrics_of("neighbour")) << "has metrics of its own left";
      EXPECT_THAT(store.waiting, IsEmpty());
      EXPECT_THAT(row(id).reason, ::testing::HasSubstr("init failed"));
    } else {
      host->begin_start();
      settle();
      out.faulted = row(id).state == "faulted";
      if (out.faulted) {
        EXPECT_EQ(host->holdings(), before.running);
        EXPECT_EQ(commands(), before.commands);
        EXPECT_THAT(row(id).reason, ::testing::HasSubstr("start failed"));
        expect_nothing_outside(id);
      } else {
        EXPECT_EQ(row(id).state, "running") << row(id).reason;
      }
      store.commit();
      pass(base::kSecond);
      EXPECT_EQ(row("neighbour").state, "running");
      stop();
      EXPECT_EQ(host->holdings(), before.stopped);
      expect_nothing_outside(id);
    }
    out.calls = failing.calls();
    out.failed = failing.failed();
    host.reset();
    forget_calls();
    return out;
  }

  void fail_each(atlas_status with) {
    const ::atlas_plugin* plugin = exported_by(GetParam().file);
    ASSERT_NE(plugin, nullptr) << GetParam().file << ": " << dlerror();
    const Alone before = alone();
    const Outcome whole = live(*plugin, 0, with, before);
    ASSERT_FALSE(whole.refused || whole.faulted);
    ASSERT_GT(whole.calls, 3u);
    std::size_t refused = 0, faulted = 0;
    for (std::size_t at = 1; at <= kMostCalls; ++at) {
      SCOPED_TRACE("call " + std::to_string(at));
      const Outcome one = live(*plugin, at, with, before);
      if (one.failed.empty()) break;
      SCOPED_TRACE(one.failed);
      ASSERT_LT(at, kMostCalls);
      ASSERT_FALSE(HasFailure()) << one.failed;
      refused += one.refused;
      faulted += one.faulted;
    }
    RecordProperty("calls", static_cast<int>(whole.calls));
    RecordProperty("refused", static_cast<int>(refused));
    RecordProperty("faulted", static_cast<int>(faulted));
    EXPECT_GT(refused, 0u) << "no call of init mattered";
    if (GetParam().id == "every") {
      EXPECT_EQ(refused, 37u) << "14 tables, 9 metrics, 8 claims and 6 keys";
      EXPECT_EQ(faulted, 18u) << "calls of start";
    }
  }
};

TEST_P(Faults, LeaveNothingBehind) {
  fail_each(ATLAS_E_INTERNAL);
}

// A full host is one that role authors meet: some go on without, and are then to run.
TEST_P(Faults, OfAFullHostLeaveNothingBehind) {
  fail_each(ATLAS_E_FULL);
}

// The roles on hosts of which one table ends early, at each of its functions: the wrapper calls none that is not there.
class ShorterTables : public Faults {};

TEST_P(ShorterTables, AreNeverCalledPastTheirEnd) {
  const ::atlas_plugin* plugin = exported_by(GetParam().file);
  ASSERT_NE(plugin, nullptr) << dlerror();
  std::size_t ran = 0, lives = 0;
  for (const auto& [id, size] : FailingHost::tables()) {
    for (std::size_t bytes = sizeof(std::uint64_t); bytes < size; bytes += sizeof(std::uint64_t)) {
      FailingHost shorter(*plugin, 0, ATLAS_OK);
      shorter.shorten(id, bytes);
      load_with({shorter.descriptor()});
      host->begin_start();
      settle();
      ran += row(GetParam().id).state == "running";
      ++lives;
      for (const std::uint8_t type : row(GetParam().id).types) deliver(type, 1, "\x80");
      host->peer_event({ATLAS_PEER_UP, 7, kPeer, 0, false});
      pass(70 * base::kSecond);
      stop();
      host.reset();
      forget_calls();
    }
  }
  EXPECT_GT(lives, 60u);
  EXPECT_GT(ran, lives / 3) << "what a role does not use it does not miss";
}

INSTANTIATE_TEST_SUITE_P(Roles, ShorterTables,
                         ::testing::Values(Subject{"bootstrap", ATLAS_BUILD_DIR "/plugins/bootstrap.so"},
                                           Subject{"discovery", ATLAS_BUILD_DIR "/plugins/discovery.so"},
                                           Subject{"keepalive", ATLAS_BUILD_DIR "/plugins/keepalive.so"},
                                           Subject{"messaging", ATLAS_BUILD_DIR "/plugins/messaging.so"},
                                           Subject{"relay", ATLAS_BUILD_DIR "/plugins/relay.so"}),
                         [](const auto& subject) { return subject.param.id; });

INSTANTIATE_TEST_SUITE_P(Plugins, Faults,
                         ::testing::Values(Subject{"every", ABI_PLUGIN_DIR "/every.so"},
                                           Subject{"bootstrap", ATLAS_BUILD_DIR "/plugins/bootstrap.so"},
                                           Subject{"discovery", ATLAS_BUILD_DIR "/plugins/discovery.so"},
                                           Subject{"keepalive", ATLAS_BUILD_DIR "/plugins/keepalive.so"},
                                           Subject{"messaging", ATLAS_BUILD_DIR "/plugins/messaging.so"},
                                           Subject{"relay", ATLAS_BUILD_DIR "/plugins/relay.so"}),
                         [](const auto& subject) { return subject.param.id; });

}  // namespace
}  // namespace atlas::host::test
