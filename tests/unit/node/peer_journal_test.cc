// Rows of peers on their way to the database: what comes and goes within the pause is one write.
#include "node/peer_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "unit/node/manual_loop.h"

namespace atlas::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Writes down what it is asked, in words.
class NotingStore final : public store::Store {
 public:
  void put_proved(const wire::PeerRecord& record) override {
    asked.push_back("proved " + record.node_id + " " + std::to_string(record.last_seen));
  }
  void put_told(const wire::PeerRecord&) override {}
  void mark_failure(const std::string&, wire::DialFailure) override {}
  void touch(const std::string& id, std::int64_t seen) override {
    asked.push_back("touch " + id + " " + std::to_string(seen));
  }
  void set_ban(const std::string&, std::int64_t, const std::string&) override {}
  void lift_ban(const std::string&) override {}
  std::optional<wire::PeerRecord> peer(const std::string&) override { return std::nullopt; }
  std::vector<wire::PeerRecord> peers(std::size_t) override { return {}; }
  std::vector<wire::PeerRecord> bans() override { return {}; }
  void clear_sessions() override {}
  void put_session(const store::SessionRecord& session) override {
    asked.push_back("session " + session.node_id + " " + session.address);
  }
  void remove_session(const std::string& id) override { asked.push_back("remove " + id); }
  std::vector<store::SessionRecord> sessions() override { return {}; }
  std::optional<base::Bytes> get(std::string_view, base::ByteView) override { return std::nullopt; }
  base::Result<void> put(std::string_view, base::ByteView, base::ByteView, store::Durable) override { return {}; }
  base::Result<void> remove(std::string_view, base::ByteView, store::Durable) override { return {}; }
  void scan(std::string_view, base::ByteView, base::ByteView,
            const std::function<bool(base::ByteView, base::ByteView)>&) override {}
  void flush() override {}
  store::StoreCounters counters() const override { return {}; }

  std::vector<std::string> asked;
};

class PeerJournalTest : public testing::Test {
 protected:
  // Something was written just now, so what follows waits for the pause.
  PeerJournalTest() {
    loop.advance(base::kSecond);
    open("first");
    journal.flush();
    store.asked.clear();
  }
  void open(const std::string& id, const std::string& address = "192.0.2.1:1") {
    wire::PeerRecord record;
    record.node_id = id;
    record.last_seen = 100;
    journal.opened(record, {.node_id = id, .address = address});
  }

  ManualLoop loop;
  Deadlines deadlines{loop};
  NotingStore store;
  PeerJournal journal{store, deadlines};
};

TEST_F(PeerJournalTest, OneThatComesAloneIsWrittenAtOnce) {
  loop.advance(kJournalPause);
  open("a");
  EXPECT_THAT(store.asked, IsEmpty()) << "not inside of what brought it";
  loop.advance(0);
  EXPECT_THAT(store.asked, ElementsAre("proved a 100", "session a 192.0.2.1:1"));
  open("b");
  loop.advance(kJournalPause - 1);
  EXPECT_EQ(store.asked.size(), 2u);
  loop.advance(1);
  EXPECT_EQ(store.asked.size(), 4u);
}

TEST_F(PeerJournalTest, WritesAfterThePause) {
  open("a");
  loop.advance(kJournalPause - 1);
  EXPECT_THAT(store.asked, IsEmpty());
  loop.advance(1);
  EXPECT_THAT(store.asked, ElementsAre("proved a 100", "session a 192.0.2.1:1"));
}

TEST_F(PeerJournalTest, PeerThatComesAndGoesWithinThePauseIsOneWrite) {
  open("a");
  journal.closed("a", 107, true);
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("proved a 107"));
}

TEST_F(PeerJournalTest, EndOfAWrittenSessionRemovesItsRow) {
  open("a");
  loop.advance(kJournalPause);
  store.asked.clear();
  journal.closed("a", 160, true);
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("touch a 160", "remove a"));
}

TEST_F(PeerJournalTest, ReplacedSessionLeavesTheRowOfTheNewer) {
  open("a");
  loop.advance(kJournalPause);
  store.asked.clear();
  journal.closed("a", 160, true);
  open("a", "192.0.2.9:9");
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("proved a 160", "session a 192.0.2.9:9"));
}

TEST_F(PeerJournalTest, SessionThatWasReplacedAndEndedIsRemovedAllTheSame) {
  open("a");
  loop.advance(kJournalPause);
  store.asked.clear();
  journal.closed("a", 160, true);
  open("a", "192.0.2.9:9");
  journal.closed("a", 170, true);
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("proved a 170", "remove a"));
}

TEST_F(PeerJournalTest, OlderSessionDoesNotTakeTheNewersRow) {
  open("a");
  journal.closed("a", 120, false);
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("proved a 120", "session a 192.0.2.1:1"));
}

TEST_F(PeerJournalTest, SessionThatMovedKeepsItsNewAddress) {
  open("a");
  loop.advance(kJournalPause);
  store.asked.clear();
  journal.moved({.node_id = "a", .address = "192.0.2.7:7"});
  loop.advance(kJournalPause);
  EXPECT_THAT(store.asked, ElementsAre("session a 192.0.2.7:7"));
}

TEST_F(PeerJournalTest, FullJournalIsWrittenAtOnce) {
  for (std::size_t i = 0; i < kMaxJournal; ++i) open("peer-" + std::to_string(i));
  EXPECT_THAT(store.asked, IsEmpty());
  open("one more");
  EXPECT_EQ(store.asked.size(), 2 * kMaxJournal);
  EXPECT_EQ(journal.size(), 1u);
}

}  // namespace
}  // namespace atlas::node
