#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;

class StoreTable : public HostTest {
 protected:
  // Runs fn on the strand.
  void on_strand(std::function<void()> fn) {
    script.host->post(
        script.host, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); }, &fn);
    settle();
  }
  static void note(void* arg, atlas_status status) { static_cast<std::vector<int>*>(arg)->push_back(status); }
  std::string get(std::string_view key, atlas_status expected = ATLAS_OK) {
    std::string out;
    const atlas_sink sink{sizeof(atlas_sink), &out, [](void* ctx, atlas_bytes chunk) {
                            *static_cast<std::string*>(ctx) += string_of(chunk);
                            return ATLAS_OK + 0;
                          }};
    EXPECT_EQ(script.store().get(script.host, bytes_of(key), &sink), expected);
    return out;
  }
  std::vector<int> committed;
};

TEST_F(StoreTable, PutIsSeenAtOnceAndCommittedLater) {
  start();
  on_strand([&] {
    EXPECT_EQ(script.store().put(script.host, bytes_of("k"), bytes_of("value"), note, &committed), ATLAS_OK);
    EXPECT_EQ(get("k"), "value");
    EXPECT_EQ(get("other", ATLAS_E_GONE), "");
  });
  EXPECT_TRUE(committed.empty());
  store.commit();
  EXPECT_TRUE(committed.empty());  // not on the writer's thread
  settle();
  EXPECT_THAT(committed, ElementsAre(ATLAS_OK));
  on_strand([&] {
    EXPECT_EQ(script.store().remove(script.host, bytes_of("k"), nullptr, nullptr), ATLAS_OK);
    get("k", ATLAS_E_GONE);
  });
  store.commit();
  settle();
  EXPECT_EQ(committed.size(), 1u);
}

TEST_F(StoreTable, FailuresArriveAsStatuses) {
  start();
  EXPECT_EQ(script.store().put(script.host, bytes_of("k"), bytes_of("v"), note, &committed), ATLAS_OK);
  store.commit(base::fail(base::Fault::kInternal, "disk"));
  settle();
  EXPECT_THAT(committed, ElementsAre(ATLAS_E_INTERNAL));
  store.full = true;  // refused at once: the status is the answer, the callback stays silent
  EXPECT_EQ(script.store().put(script.host, bytes_of("k"), bytes_of("v"), note, &committed), ATLAS_E_FULL);
  store.commit();
  settle();
  EXPECT_EQ(committed.size(), 1u);
}

TEST_F(StoreTable, ScanGoesInOrderAndEndsOnDemand) {
  start();
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) {
    script.store().put(script.host, bytes_of(key), bytes_of("v"), nullptr, nullptr);
  }
  scripts[0].calls.clear();
  const auto row = [](void* arg, atlas_bytes key, atlas_bytes) -> atlas_status {
    auto& calls = static_cast<Script*>(arg)->calls;
    calls.push_back(string_of(key));
    return calls.size() == 2 ? ATLAS_E_FULL : ATLAS_OK;
  };
  on_strand(
      [&] { EXPECT_EQ(script.store().scan(script.host, bytes_of("a/"), bytes_of("a/1"), &script, row), ATLAS_OK); });
  EXPECT_THAT(script.calls, ElementsAre("a/2", "a/3"));
}

TEST_F(StoreTable, PluginsDoNotSeeEachOther) {
  start(2);
  scripts[1].store().put(scripts[1].host, bytes_of("k"), bytes_of("mine"), nullptr, nullptr);
  on_strand([&] { get("k", ATLAS_E_GONE); });
}

TEST_F(StoreTable, ReadsBelongToTheStrand) {
  start();
  get("k", ATLAS_E_STATE);
  EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 1);
}

TEST_F(StoreTable, SizesAreChecked) {
  start();
  const std::string long_key(513, 'k');
  const std::string long_value(base::limits::store_value_bytes + 1, 'v');
  const auto& table = script.store();
  EXPECT_EQ(table.put(script.host, {}, bytes_of("v"), nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(table.put(script.host, bytes_of(long_key), bytes_of("v"), nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(table.put(script.host, bytes_of("k"), bytes_of(long_value), nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(table.put(script.host, bytes_of("k"), {nullptr, 3}, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(table.remove(script.host, {}, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_TRUE(store.rows.empty());
}

}  // namespace
}  // namespace atlas::host::test
