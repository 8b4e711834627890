// The registry against a plain model, its indexes after many changes, and what it costs.
#include "registry.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <map>
#include <random>
#include <set>

namespace bootstrap {
namespace {

NodeId id_of(std::uint64_t number) {
  NodeId out{};
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return out;
}

Record record_of(std::uint64_t number, std::vector<std::string> skills, std::string operator_username = "") {
  Record out;
  out.id = id_of(number);
  out.address = *atlas::Address::parse("203.0.113.5:4433");
  out.name = "node-" + std::to_string(number);
  out.skills = std::move(skills);
  out.operator_username = std::move(operator_username);
  return out;
}

const SipHash::Key kKey = {1, 2, 3};

std::set<NodeId> all_of(Registry& registry, const Filter& filter, Seconds now) {
  std::set<NodeId> out;
  registry.page(filter, Cursor{}, 1'000'000, now, [&](const Listed& it) { return out.insert(it.record.id).second; });
  return out;
}

TEST(SipHash24, ReferenceVectors) {
  // Key 00..0f and input 00, 00 01, ...: from the paper's appendix and its reference test.
  SipHash::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
  const SipHash hash(key);
  std::vector<std::uint8_t> input;
  EXPECT_EQ(hash(input), 0x726fdb47dd0e0e31u);
  for (std::uint8_t i = 0; i < 15; ++i) input.push_back(i);
  EXPECT_EQ(hash(input), 0xa129ca6149be45e5u);
}

TEST(PackedRecordTest, ComesBackWhole) {
  Record record = record_of(7, {"a", "", std::string(64, 's')}, "op");
  record.public_address = atlas::Address::parse("[2001:db8::1]:1");
  record.relays = {*atlas::Address::parse("192.0.2.1:65535"), *atlas::Address::parse("[2001:db8::2]:2")};
  record.trust = atlas::Trust::kBootstrap;
  const Record back = PackedRecord(record).unpack();
  EXPECT_EQ(back.id, record.id);
  EXPECT_EQ(back.address, record.address);
  EXPECT_EQ(back.public_address, record.public_address);
  EXPECT_EQ(back.name, record.name);
  EXPECT_EQ(back.skills, record.skills);
  EXPECT_EQ(back.operator_username, record.operator_username);
  EXPECT_EQ(back.relays, record.relays);
  EXPECT_EQ(back.trust, record.trust);
  record.public_address.reset();
  EXPECT_FALSE(PackedRecord(record).unpack().public_address);
  EXPECT_EQ(PackedRecord(record).unpack().relays, record.relays);
}

TEST(SlotListTest, StaysSortedThroughGrowthAndShrinkage) {
  std::mt19937 random(1);
  SlotList list;
  std::set<Slot> model;
  for (int step = 0; step < 20'000; ++step) {
    const Slot slot = random() % 600;
    const bool add = step < 8'000 ? random() % 3 != 0 : random() % 3 == 0;
    if (add && model.insert(slot).second) list.insert(slot);
    if (!add && model.erase(slot) != 0) list.erase(slot);
    if (step % 97 == 0) {
      ASSERT_TRUE(std::ranges::equal(list.view(), model));
    }
  }
  list.erase_if([](Slot slot) { return slot % 2 == 0; });
  std::erase_if(model, [](Slot slot) { return slot % 2 == 0; });
  EXPECT_TRUE(std::ranges::equal(list.view(), model));
}

// Any order of registers, changes, sessions that end and time that passes leaves exactly what a plain map would have.
TEST(RegistryModel, IndexesAgreeWithAPlainMap) {
  struct Row {
    std::set<std::string> skills;
    std::string operator_username;
    Seconds seen;
  };
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    Registry registry(60, kKey, [](atlas::Peer) { return std::nullopt; });
    std::map<NodeId, Row> model;
    Seconds now = 10'000;
    const auto drop_stale = [&] { std::erase_if(model, [&](const auto& it) { return now - it.second.seen >= 3600; }); };
    for (int step = 0; step < 3'000; ++step) {
      now += random() % 40;
      drop_stale();
      const std::uint64_t number = random() % 90;
      Record record = record_of(number, {}, random() % 2 ? "op" + std::to_string(random() % 5) : "");
      for (std::uint32_t i = random() % 4; i != 0; --i)
        record.skills.push_back("s" + std::to_string(i * (random() % 5)));
      std::sort(record.skills.begin(), record.skills.end());
      record.skills.erase(std::unique(record.skills.begin(), record.skills.end()), record.skills.end());
      const bool known = model.contains(record.id), full = model.size() >= 60;
      const auto put = registry.put(record, 0, now);
      ASSERT_EQ(put == Registry::Put::kFull, !known && full);
      if (put != Registry::Put::kFull) {
        model[record.id] = {{record.skills.begin(), record.skills.end()}, record.operator_username, now};
      }
      if (random() % 3 == 0) registry.sweep(now);
      if (step % 50 != 0) continue;
      const Filter filters[] = {{},
                                {.node_id = id_of(random() % 90)},
                                {.skill = "s" + std::to_string(random() % 12)},
                                {.operator_username = "op" + std::to_string(random() % 5)},
                                {.skill = "s2", .operator_username = "op1"}};
      for (const Filter& filter : filters) {
        std::set<NodeId> expected;
        for (const auto& [id, row] : model) {
          if ((!filter.node_id || id == *filter.node_id) && (!filter.skill || row.skills.contains(*filter.skill)) &&
              (!filter.operator_username || row.operator_username == *filter.operator_username)) {
            expected.insert(id);
          }
        }
        ASSERT_EQ(all_of(registry, filter, now), expected);
        std::set<NodeId> sampled;
        registry.sample(
            filter, 1000, now, [&](std::uint64_t bound) { return random() % bound; },
            [&](const Listed& it) { return sampled.insert(it.record.id).second; });
        ASSERT_EQ(sampled, expected);
      }
    }
    now += 4000;
    for (int i = 0; i < 31; ++i) registry.sweep(now);
    EXPECT_EQ(registry.size(), 0u);
    EXPECT_EQ(registry.skills(), 0u);
    EXPECT_EQ(registry.operators(), 0u);
  }
}

TEST(RegistrySearch, IsNotRepeatedBeforeSomethingCanBeStale) {
  int looks = 0;
  Registry registry(100, kKey, [&](atlas::Peer) -> std::optional<Seconds> {
    ++looks;
    return 9'000;
  });
  for (std::uint64_t i = 0; i < 100; ++i) registry.put(record_of(i, {}), i + 1, 5'000);
  for (Seconds now = 8'700; now < 8'800; ++now)
    EXPECT_EQ(registry.put(record_of(200, {}), 9, now), Registry::Put::kFull);
  EXPECT_LE(looks, 200);
}

TEST(RegistryMemory, HundredThousandRecordsStayBelowFourHundredBytesEach) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer has an allocator of its own";
#endif
  constexpr std::size_t kRecords = 100'000;
  Registry registry(kRecords, kKey, [](atlas::Peer) { return std::nullopt; });
  const auto before = mallinfo2();
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    registry.put(record_of(i, {"translate", "skill-" + std::to_string(i % 50), "zone"}, "user" + std::to_string(i)),
                 i + 1, 10'000);
  }
  const auto after = mallinfo2();
  const double each = static_cast<double>(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / kRecords;
  RecordProperty("bytes_per_record", std::to_string(each));
  EXPECT_LT(each, 400);
  EXPECT_GT(each, 60);  // or it did not measure
}

}  // namespace
}  // namespace bootstrap
