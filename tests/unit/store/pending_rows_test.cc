// Rows on their way to the disk: the last change of a key counts, and quotas hold with what waits included.
#include "store/pending_rows.h"

#include <gtest/gtest.h>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

using Verdict = PendingRows::Verdict;

class PendingRowsTest : public testing::Test {
 protected:
  std::unique_ptr<PendingRows> rows =
      std::make_unique<PendingRows>(3, 1000, std::map<std::string, Usage, std::less<>>{});
  std::map<std::string, std::int64_t> disk;  // key -> size of its value
  int looks = 0;

  Verdict change(const std::string& key, std::optional<std::size_t> size, RowChangeRef* out = nullptr,
                 bool queued = true) {
    auto change = std::make_shared<RowChange>();
    change->plugin = "p";
    change->key = bytes(key);
    if (size) change->value = base::Bytes(*size);
    if (out) *out = change;
    return rows->accept(
        change,
        [this](std::string_view, base::ByteView key) -> std::optional<std::int64_t> {
          ++looks;
          const auto found = disk.find(std::string(base::as_text(key)));
          return found == disk.end() ? std::nullopt : std::optional(found->second);
        },
        [=] { return queued; });
  }
};

TEST_F(PendingRowsTest, LastChangeOfAKeyIsFoundUntilItIsSettled) {
  RowChangeRef first, second;
  change("k", 10, &first);
  change("k", std::nullopt, &second);
  EXPECT_EQ(rows->find("p", bytes("k")), second);
  EXPECT_EQ(rows->find("q", bytes("k")), nullptr);
  rows->settle(*first, true);
  EXPECT_EQ(rows->find("p", bytes("k")), second);
  rows->settle(*second, true);
  EXPECT_EQ(rows->find("p", bytes("k")), nullptr);
}

TEST_F(PendingRowsTest, QuotaCountsRowsThatWait) {
  EXPECT_EQ(change("a", 1), Verdict::kAccepted);
  EXPECT_EQ(change("b", 1), Verdict::kAccepted);
  EXPECT_EQ(change("c", 1), Verdict::kAccepted);
  EXPECT_EQ(looks, 0);  // nothing is looked up below the quota
  EXPECT_EQ(change("d", 1), Verdict::kOverQuota);
  EXPECT_EQ(change("b", 5), Verdict::kAccepted);  // an overwrite is no new row
  EXPECT_EQ(rows->usage("p").rows, 3);
}

TEST_F(PendingRowsTest, QuotaCountsBytesAndOverwritesByTheirDifference) {
  EXPECT_EQ(change("a", 899), Verdict::kAccepted);
  EXPECT_EQ(change("b", 100), Verdict::kOverQuota);
  EXPECT_EQ(change("b", 99), Verdict::kAccepted);
  EXPECT_EQ(change("a", 900), Verdict::kOverQuota);
  EXPECT_EQ(change("a", 10), Verdict::kAccepted);
}

TEST_F(PendingRowsTest, RowsOnDiskAreLookedUpAtTheQuota) {
  rows = std::make_unique<PendingRows>(3, 1000, std::map<std::string, Usage, std::less<>>{{"p", {3, 300}}});
  disk = {{"a", 99}, {"b", 99}, {"c", 99}};
  EXPECT_EQ(change("a", 99), Verdict::kAccepted);
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(change("d", 1), Verdict::kOverQuota);
}

TEST_F(PendingRowsTest, SettlingMakesTheCountExact) {
  std::vector<RowChangeRef> changes(3);
  for (auto& each : changes) change("same", 10, &each);
  EXPECT_EQ(rows->usage("p").rows, 3);  // at their largest
  changes[0]->real = {1, 14};
  for (auto& each : changes) rows->settle(*each, true);
  EXPECT_EQ(rows->usage("p").rows, 1);
  EXPECT_EQ(rows->usage("p").bytes, 14);
}

TEST_F(PendingRowsTest, ChangeThatFailedCountsForNothing) {
  RowChangeRef failed;
  change("a", 10, &failed);
  failed->real = {1, 11};
  rows->settle(*failed, false);
  EXPECT_EQ(rows->usage("p").rows, 0);
  EXPECT_EQ(rows->usage("p").bytes, 0);
}

TEST_F(PendingRowsTest, ChangeThatTheQueueRefusedLeavesNoTrace) {
  EXPECT_EQ(change("a", 10, nullptr, false), Verdict::kNotQueued);
  EXPECT_EQ(rows->find("p", bytes("a")), nullptr);
  EXPECT_EQ(rows->usage("p").rows, 0);
}

TEST_F(PendingRowsTest, RemovalsAreAlwaysTaken) {
  for (const char* key : {"a", "b", "c"}) change(key, 300);
  EXPECT_EQ(change("a", std::nullopt), Verdict::kAccepted);
}

TEST_F(PendingRowsTest, RangeIsInKeyOrderWithinItsPrefixAndBound) {
  for (const char* key : {"b2", "a1", "b1", "c"}) change(key, std::nullopt);
  const auto keys = [&](const Range& range, std::size_t most, bool& cut) {
    std::string out;
    for (const auto& each : rows->range("p", range, most, cut)) out += text(each->key) + " ";
    return out;
  };
  bool cut = true;
  const auto b = bytes("b"), b1 = bytes("b1"), none = bytes("");
  EXPECT_EQ(keys({b, b, false}, 10, cut), "b1 b2 ");
  EXPECT_FALSE(cut);
  EXPECT_EQ(keys({b, b1, true}, 10, cut), "b2 ");
  EXPECT_EQ(keys({none, none, false}, 3, cut), "a1 b1 b2 ");
  EXPECT_TRUE(cut);
}

}  // namespace
}  // namespace atlas::store
