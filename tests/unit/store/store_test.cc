// The store as the node uses it: order, read-your-writes, quotas, bounded queues, and a disk that fails under it.
#include "store/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

using base::Fault;

class StoreTest : public testing::Test {
 protected:
  void open(base::Executor& on) {
    store.reset();
    auto opened = Store::open({folder / "peers.db", limits, &on, &clock});
    ASSERT_TRUE(opened) << opened.error().text;
    store = std::move(*opened);
  }
  void open() { open(held); }
  Durable into(std::vector<std::string>& log, std::string name) {
    return [&log, name](const base::Result<void>& result) {
      log.push_back(name + (result ? " ok" : " fault " + std::to_string(static_cast<int>(result.error().fault))));
    };
  }
  base::Result<void> put(std::string_view key, std::string_view value, Durable done = {}) {
    return store->put("p", bytes(key), bytes(value), std::move(done));
  }
  std::string get(std::string_view key) {
    const auto value = store->get("p", bytes(key));
    return value ? text(*value) : "(none)";
  }
  std::string keys(std::string_view prefix = "", std::string_view after = "") {
    std::string out;
    store->scan("p", bytes(prefix), bytes(after), [&](base::ByteView key, base::ByteView value) {
      out += std::string(base::as_text(key)) + "=" + std::string(base::as_text(value)) + " ";
      return true;
    });
    return out;
  }

  TempFolder folder;
  FakeClock clock;
  HeldExecutor held;
  StoreLimits limits;
  std::unique_ptr<Store> store;
};

// --- queue and commits ---

TEST_F(StoreTest, WritesAreSeenAfterTheExecutorOrAFlush) {
  open();
  store->put_proved(peer_record(1));
  EXPECT_FALSE(store->peer(node_id(1)));
  held.run_all();
  EXPECT_TRUE(store->peer(node_id(1)));
  store->put_proved(peer_record(2));
  store->flush();
  EXPECT_TRUE(store->peer(node_id(2)));
}

TEST_F(StoreTest, ManyWritesShareACommit) {
  open();
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(put("k" + std::to_string(i), "v"));
  held.run_all();
  EXPECT_EQ(store->counters().writes, 500u);
  EXPECT_EQ(store->counters().commits, 1u);
}

TEST_F(StoreTest, DurableRunsOnTheExecutorAfterTheCommitInOrder) {
  open();
  std::vector<std::string> log;
  put("a", "1", into(log, "a"));
  store->remove("p", bytes("a"), into(log, "b"));
  store->flush();
  EXPECT_TRUE(log.empty());  // committed, but flush() is not the executor
  EXPECT_EQ(ask(folder / "peers.db", "SELECT count(*) FROM plugin_rows"), "0");
  held.run_all();
  EXPECT_THAT(log, testing::ElementsAre("a ok", "b ok"));
}

TEST_F(StoreTest, ExecutorThatRunsAtOnceWorksToo) {
  InlineExecutor at_once;
  open(at_once);
  int seen = 0;
  ASSERT_TRUE(put("a", "1", [&](const base::Result<void>&) {
    ++seen;
    ASSERT_TRUE(put("b", "2", [&](const base::Result<void>&) { ++seen; }));  // from within a completion
  }));
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(keys(), "a=1 b=2 ");
  store.reset();
}

TEST_F(StoreTest, ClosingCommitsWhatIsQueuedAndItsCompletionsStillRun) {
  open();
  std::vector<std::string> log;
  put("a", "1", into(log, "a"));
  store.reset();
  EXPECT_FALSE(std::filesystem::exists(folder / "peers.db-wal"));
  held.run_all();
  EXPECT_THAT(log, testing::ElementsAre("a ok"));
  open();
  EXPECT_EQ(get("a"), "1");
}

TEST_F(StoreTest, QueueIsBoundedAndTheLastEighthIsTheNodes) {
  limits.max_queue = 80;
  open();
  int accepted = 0;
  while (auto taken = put("k" + std::to_string(accepted), "v")) ++accepted;
  EXPECT_EQ(accepted, 70);
  EXPECT_EQ(put("x", "v").error().fault, Fault::kFull);
  for (std::uint64_t i = 0; i < 50; ++i) store->put_told(peer_record(i));
  EXPECT_EQ(store->counters().queued, 80u);
  EXPECT_EQ(store->counters().refused_full, 2u + 40u);
  held.run_all();
  EXPECT_EQ(store->counters().queued, 0u);
  EXPECT_TRUE(put("x", "v"));
}

TEST_F(StoreTest, QueueIsBoundedInBytes) {
  limits.max_queue_bytes = 1 << 20;
  open();
  int accepted = 0;
  const std::string value(100'000, 'v');
  while (auto taken = put("k" + std::to_string(accepted), value)) ++accepted;
  EXPECT_EQ(accepted, 9);  // 7/8 of a MiB
}

TEST_F(StoreTest, CompletionsThatNobodyRunsCountToo) {
  limits.max_queue = 80;
  open();
  int accepted = 0;
  while (true) {
    if (!put("k", "v", [](const base::Result<void>&) {})) break;
    ++accepted;
    store->flush();
    ASSERT_LT(accepted, 1000);
  }
  EXPECT_EQ(accepted, 70);
}

// --- peers and sessions ---

TEST_F(StoreTest, RowsThatBreakALimitAreCountedAndNotWritten) {
  open();
  wire::PeerRecord record = peer_record(1);
  record.name = std::string(65, 'n');
  store->put_told(record);
  record.node_id = "atlas_nothing";
  store->put_proved(record);
  store->set_ban("'; DROP TABLE peers; --", clock.unix_seconds + 5, "x");
  store->put_session({"nobody", "192.0.2.1:1"});
  held.run_all();
  EXPECT_EQ(store->counters().refused_row, 4u);
  EXPECT_EQ(store->counters().writes, 0u);
}

TEST_F(StoreTest, BansSurviveARestartAndEndByTheClock) {
  open();
  store->put_proved(peer_record(1));
  store->set_ban(node_id(1), clock.unix_seconds + 600, "3 violations");
  open();
  auto bans = store->bans();
  ASSERT_EQ(bans.size(), 1u);
  EXPECT_EQ(bans[0].ban_until, clock.unix_seconds + 600);
  EXPECT_EQ(bans[0].ban_reason, "3 violations");
  clock.unix_seconds += 600;
  EXPECT_TRUE(store->bans().empty());
  open();
  EXPECT_EQ(store->peer(node_id(1))->ban_until, std::nullopt);
}

TEST_F(StoreTest, EvictionIsCounted) {
  limits.max_peers = 10;
  open();
  for (std::uint64_t i = 0; i < 25; ++i) store->put_told(peer_record(i, 1'600'000'000 + static_cast<std::int64_t>(i)));
  held.run_all();
  EXPECT_EQ(store->counters().evicted_peers, 15u);
  EXPECT_EQ(store->peers(100).size(), 10u);
  EXPECT_EQ(store->peers(100)[0].node_id, node_id(24));
  open();  // the cap holds over a restart
  store->put_told(peer_record(99, 1'650'000'000));
  held.run_all();
  EXPECT_EQ(store->peers(100).size(), 10u);
}

TEST_F(StoreTest, SessionsComeGoAndAreClearedAtStart) {
  limits.max_sessions = 3;
  open();
  for (std::uint64_t i = 1; i <= 5; ++i) {
    store->put_session(
        {node_id(i), "192.0.2.1:" + std::to_string(i), 1, 1000 + static_cast<std::int64_t>(i), wire::Trust::kVerified});
  }
  store->put_session({node_id(2), "192.0.2.9:9", 1, 2000, wire::Trust::kRelay});
  held.run_all();
  auto sessions = store->sessions();
  ASSERT_EQ(sessions.size(), 3u);  // the cap
  EXPECT_EQ(sessions[0].node_id, node_id(1));
  EXPECT_EQ(sessions[0].trust, wire::Trust::kVerified);
  EXPECT_EQ(sessions[2].address, "192.0.2.9:9");
  EXPECT_EQ(sessions[2].trust, wire::Trust::kRelay);
  EXPECT_EQ(ask(folder / "peers.db", "SELECT protocol_version, trust_level FROM sessions ORDER BY connected_at"),
            "1|verified|1|verified|1|relay");
  store->remove_session(node_id(1));
  store->remove_session(node_id(77));
  held.run_all();
  EXPECT_EQ(store->sessions().size(), 2u);
  open();
  EXPECT_EQ(store->sessions().size(), 2u);  // as after a kill
  store->clear_sessions();
  store->put_session({node_id(8), "192.0.2.1:8"});
  held.run_all();
  EXPECT_EQ(store->sessions().size(), 1u);
}

// --- key-value rows ---

TEST_F(StoreTest, ReadsSeeEveryAcceptedPutBeforeItsCommit) {
  open();
  put("a", "1");
  EXPECT_EQ(get("a"), "1");
  held.run_all();
  EXPECT_EQ(get("a"), "1");
  put("a", "2");
  EXPECT_EQ(get("a"), "2");
  store->remove("p", bytes("a"), {});
  EXPECT_EQ(get("a"), "(none)");
  held.run_all();
  EXPECT_EQ(get("a"), "(none)");
}

TEST_F(StoreTest, PluginsDoNotSeeEachOther) {
  open();
  put("a", "1");
  store->put("q", bytes("a"), bytes("other"), {});
  EXPECT_EQ(get("a"), "1");
  held.run_all();
  EXPECT_EQ(keys(), "a=1 ");
  EXPECT_EQ(text(*store->get("q", bytes("a"))), "other");
}

TEST_F(StoreTest, ScanMergesWhatWaitsWithWhatIsCommitted) {
  open();
  for (const char* key : {"a1", "b1", "b3", "b5", "c1"}) put(key, "old");
  held.run_all();
  put("b2", "new");
  put("b3", "new");
  store->remove("p", bytes("b5"), {});
  put("b9", "new");
  const std::string before = keys("b");
  EXPECT_EQ(before, "b1=old b2=new b3=new b9=new ");
  EXPECT_EQ(keys("b", "b2"), "b3=new b9=new ");
  EXPECT_EQ(keys("b", "a"), before);
  EXPECT_EQ(keys("b", "c"), "");
  EXPECT_EQ(keys("", "b9"), "c1=old ");
  held.run_all();
  EXPECT_EQ(keys("b"), before);
}

TEST_F(StoreTest, ScanOfManyRowsIsCompleteWhateverWaits) {
  open();
  std::map<std::string, std::string> wanted;
  std::uint64_t state = 1;
  const auto next = [&] { return (state = state * 6364136223846793005u + 1442695040888963407u) >> 33; };
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 1500; ++i) {
      const std::string key = "k" + std::to_string(next() % 2000);
      if (next() % 4 == 0) {
        store->remove("p", bytes(key), {});
        wanted.erase(key);
      } else {
        put(key, std::to_string(i));
        wanted[key] = std::to_string(i);
      }
    }
    std::map<std::string, std::string> found;
    std::string last;
    store->scan("p", {}, {}, [&](base::ByteView key, base::ByteView value) {
      EXPECT_LT(last, base::as_text(key));
      last = base::as_text(key);
      found[last] = base::as_text(value);
      return true;
    });
    ASSERT_EQ(found, wanted) << round;
    if (round % 2 == 0) held.run_all();
  }
}

TEST_F(StoreTest, ScanStopsWhenToldAndMayUseTheStore) {
  open();
  for (int i = 0; i < 600; ++i) put("k" + std::to_string(1000 + i), "v");
  held.run_all();
  int seen = 0;
  store->scan("p", {}, {}, [&](base::ByteView key, base::ByteView) {
    EXPECT_TRUE(store->get("p", key));
    EXPECT_TRUE(store->remove("p", key, {}));
    return ++seen < 300;
  });
  EXPECT_EQ(seen, 300);
  held.run_all();
  int left = 0;
  store->scan("p", {}, {}, [&](base::ByteView, base::ByteView) { return ++left > 0; });
  EXPECT_EQ(left, 300);
}

TEST_F(StoreTest, KeysAndValuesAreBytesAndPrefixesMayEndTheAlphabet) {
  open();
  const base::Bytes key = {0xff, 0x00, 0xff}, value = {0x00, 0xff};
  ASSERT_TRUE(store->put("p", key, value, {}));
  ASSERT_TRUE(store->put("p", base::Bytes{0xff}, {}, {}));
  held.run_all();
  EXPECT_EQ(store->get("p", key), value);
  EXPECT_EQ(store->get("p", base::Bytes{0xff}), base::Bytes{});
  int seen = 0;
  store->scan("p", base::Bytes{0xff}, {}, [&](base::ByteView, base::ByteView) { return ++seen > 0; });
  EXPECT_EQ(seen, 2);
}

TEST_F(StoreTest, SizesAreHeldToTheirLimits) {
  open();
  EXPECT_EQ(put("", "v").error().fault, Fault::kArgument);
  EXPECT_EQ(put(std::string(513, 'k'), "v").error().fault, Fault::kArgument);
  EXPECT_EQ(put("k", std::string(kMaxValueBytes + 1, 'v')).error().fault, Fault::kArgument);
  EXPECT_EQ(store->put("", bytes("k"), bytes("v"), {}).error().fault, Fault::kArgument);
  ASSERT_TRUE(put(std::string(512, 'k'), std::string(kMaxValueBytes, 'v')));
  held.run_all();
  EXPECT_EQ(get(std::string(512, 'k')).size(), kMaxValueBytes);
}

TEST_F(StoreTest, RowsNeedAPluginOfABoundedName) {
  open();
  const std::string longest(kMaxPluginNameBytes, 'p');
  EXPECT_TRUE(store->put(longest, bytes("k"), bytes("v"), {}));
  for (const std::string& name : {longest + "p", std::string()}) {
    const auto refused = store->put(name, bytes("k"), bytes("v"), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::kArgument);
  }
}

TEST_F(StoreTest, RowQuotaHoldsAndRemovalMakesRoom) {
  limits.plugin_rows = 10;
  open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(put("k" + std::to_string(i), "v"));
  EXPECT_EQ(put("more", "v").error().fault, Fault::kFull);
  EXPECT_EQ(store->counters().refused_quota, 1u);
  EXPECT_TRUE(put("k3", "w"));
  EXPECT_TRUE(store->put("q", bytes("more"), bytes("v"), {}));  // another plugin has its own
  EXPECT_TRUE(store->remove("p", bytes("k3"), {}));
  EXPECT_TRUE(put("more", "v"));  // before the removal was ever committed
  EXPECT_EQ(put("again", "v").error().fault, Fault::kFull);
  open();
  EXPECT_EQ(put("again", "v").error().fault, Fault::kFull);  // counted anew at start
  EXPECT_EQ(get("more"), "v");
}

TEST_F(StoreTest, OverwritesThatWaitDoNotEatTheQuota) {
  limits.plugin_rows = 10;
  open();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(put("same", "v" + std::to_string(i))) << i;
  EXPECT_EQ(get("same"), "v999");
}

TEST_F(StoreTest, ByteQuotaHolds) {
  limits.plugin_bytes = 1000;
  open();
  ASSERT_TRUE(put("a", std::string(900, 'v')));
  EXPECT_EQ(put("b", std::string(99, 'v')).error().fault, Fault::kFull);
  EXPECT_TRUE(put("b", std::string(98, 'v')));
  EXPECT_TRUE(put("a", "small"));
  EXPECT_TRUE(put("c", std::string(800, 'v')));
}

// --- threads ---

TEST_F(StoreTest, ReadersSeeWholeStatesWhileTheWriterWrites) {
  ThreadExecutor thread;
  open(thread);
  constexpr int kRounds = 300;
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0}, reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 6; ++i) {  // more than there are connections
    readers.emplace_back([&] {
      while (!stop) {
        // The name and the skill of a row are written together.
        for (const auto& record : store->peers(50)) torn += record.skills != std::vector<std::string>{record.name};
        store->get("p", bytes("k"));
        ++reads;
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      wire::PeerRecord record = peer_record(i);
      record.name = std::to_string(round);
      record.skills = {record.name};
      store->put_proved(record);
    }
    ASSERT_TRUE(put("k", std::to_string(round)));
    ASSERT_EQ(get("k"), std::to_string(round));
    if (round % 10 == 0) store->flush();
  }
  store->flush();
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GT(reads, 0);
  EXPECT_EQ(store->counters().failed_reads, 0u);
  EXPECT_EQ(store->counters().failed, 0u);
  EXPECT_EQ(store->peer(node_id(7))->name, std::to_string(kRounds - 1));
  store.reset();
}

TEST_F(StoreTest, WritersOfManyThreadsLoseNothing) {
  ThreadExecutor thread;
  open(thread);
  std::atomic<int> durable{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 500; ++i) {
        const std::string key = std::to_string(w) + "/" + std::to_string(i);
        ASSERT_TRUE(put(key, key, [&](const base::Result<void>& result) { durable += result.has_value(); }));
        if (i % 100 == 0) store->flush();
        ASSERT_EQ(get(key), key);
      }
    });
  }
  for (auto& writer : writers) writer.join();
  store->flush();
  EXPECT_EQ(ask(folder / "peers.db", "SELECT count(*) FROM plugin_rows"), "2000");
  store.reset();
  // The executor is still there: what it was given runs before its thread ends.
  std::mutex mutex;
  std::condition_variable done;
  bool last = false;
  thread.run([&] {
    std::lock_guard lock(mutex);
    last = true;
    done.notify_one();
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return last; });
  EXPECT_EQ(durable, 2000);
}

// --- a disk that fails ---

TEST_F(StoreTest, FullDiskFailsWhatDoesNotFitAndRecovers) {
  limits.max_file_bytes = 1 << 20;
  open();
  std::vector<std::string> log;
  put("small", "1", into(log, "small"));
  put("big", std::string(2 << 20, 'b'), into(log, "big"));
  put("later", "2", into(log, "later"));
  held.run_all();
  EXPECT_THAT(
      log, testing::ElementsAre("small ok", "big fault " + std::to_string(static_cast<int>(Fault::kFull)), "later ok"));
  EXPECT_EQ(store->counters().failed, 1u);
  EXPECT_EQ(get("small"), "1");
  EXPECT_EQ(get("big"), "(none)");
  EXPECT_EQ(keys(), "later=2 small=1 ");

  // Filled to the brim: reads go on, removals go through, and then there is room again.
  log.clear();
  for (int i = 0; i < 40; ++i) put("fill" + std::to_string(i), std::string(50'000, 'f'));
  held.run_all();
  EXPECT_GT(store->counters().failed, 1u);
  put("more", std::string(50'000, 'm'), into(log, "more"));
  held.run_all();
  EXPECT_EQ(get("small"), "1");
  for (int i = 0; i < 40; ++i) store->remove("p", bytes("fill" + std::to_string(i)), {});
  held.run_all();
  put("more", std::string(50'000, 'm'), into(log, "more"));
  held.run_all();
  EXPECT_THAT(log, testing::ElementsAre("more fault " + std::to_string(static_cast<int>(Fault::kFull)), "more ok"));
  store->put_proved(peer_record(1));
  held.run_all();
  EXPECT_TRUE(store->peer(node_id(1)));
  EXPECT_EQ(ask(folder / "peers.db", "PRAGMA integrity_check"), "ok");
}

TEST_F(StoreTest, DamageUnderARunningNodeStopsWritesAndNothingElse) {
  open();
  for (int i = 0; i < 4000; ++i) put("k" + std::to_string(i), std::string(2000, 'v'));
  for (std::uint64_t i = 0; i < 2000; ++i) store->put_told(peer_record(i));
  held.run_all();
  ask(folder / "peers.db", "PRAGMA wal_checkpoint(TRUNCATE)");
  {
    const int fd = ::open((folder / "peers.db").c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    const std::string garbage(4096, '\xff');
    const auto pages = static_cast<off_t>(std::filesystem::file_size(folder / "peers.db") / 4096);
    for (off_t page = 1; page < pages; ++page) ASSERT_EQ(pwrite(fd, garbage.data(), garbage.size(), page * 4096), 4096);
    ::close(fd);
  }
  std::vector<std::string> log;
  for (int i = 0; i < 3000; i += 10) put("k" + std::to_string(i), "new");
  store->flush();
  put("after", "x", into(log, "after"));
  held.run_all();
  EXPECT_THAT(log, testing::ElementsAre("after fault " + std::to_string(static_cast<int>(Fault::kInternal))));
  EXPECT_GT(store->counters().failed, 0u);
  store->peers(10);
  store->get("p", bytes("k3999"));
  EXPECT_GT(store->counters().failed_reads, 0u);
  open();  // the next start makes a new one
  EXPECT_TRUE(put("k", "v"));
  held.run_all();
  EXPECT_EQ(keys(), "k=v ");
}

TEST_F(StoreTest, LogThatAForeignReaderPinsIsBounded) {
  limits.max_log_bytes = 4 << 20;
  open();
  put("first", "v");
  held.run_all();
  std::vector<std::string> log;
  {
    Outsider reader(folder / "peers.db");
    reader.ask("BEGIN; SELECT count(*) FROM plugin_rows");
    bool refused = false;
    for (int i = 0; i < 200 && !refused; ++i) {
      put("k", std::string(100'000, static_cast<char>('a' + i % 26)),
          [&](const base::Result<void>& result) { refused = !result && result.error().fault == Fault::kFull; });
      held.run_all();
    }
    EXPECT_TRUE(refused);
    EXPECT_LT(std::filesystem::file_size(folder / "peers.db-wal"), (4u << 20) + 300'000u);
    reader.ask("COMMIT");
  }
  put("k", "now", into(log, "now"));
  held.run_all();
  EXPECT_THAT(log, testing::ElementsAre("now ok"));
}

TEST_F(StoreTest, RefusesToOpenWithoutWhatItNeeds) {
  EXPECT_EQ(Store::open({folder / "peers.db", {}, nullptr, &clock}).error().fault, Fault::kArgument);
  EXPECT_EQ(Store::open({folder / "no/peers.db", {}, &held, &clock}).error().fault, Fault::kDenied);
}

TEST_F(StoreTest, AnotherProcessMayReadAndWriteMeanwhile) {
  open();
  store->put_proved(peer_record(1));
  held.run_all();
  ask(folder / "peers.db", "UPDATE peers SET name = 'renamed'");
  EXPECT_EQ(store->peer(node_id(1))->name, "renamed");
  store->put_proved(peer_record(1));
  held.run_all();
  EXPECT_EQ(ask(folder / "peers.db", "SELECT name FROM peers"), "peer 1");
}

}  // namespace
}  // namespace atlas::store
