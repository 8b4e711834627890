// Listings in pages, and cursors that are not ours (protocol.md, section 7).
#include "role_fixture.h"

namespace bootstrap::test {
namespace {

TEST_F(Bootstrap, PagesTogetherAreCompleteAndWithoutRepeats) {
  host.run();
  for (int i = 0; i < 250; ++i) add(i, {.skills = {i % 2 ? "odd" : "even"}});
  for (const auto& [skill, expected] : {std::pair{std::optional<std::string>{}, 250u}, {"odd", 125u}}) {
    std::set<std::string> seen;
    Discover request{.skill = skill, .limit = 7};
    for (;;) {
      const Listing page = discover(request);
      EXPECT_LE(page.ids.size(), 7u);
      EXPECT_FALSE(page.ids.empty());
      for (const auto& id : page.ids) EXPECT_TRUE(seen.insert(id).second) << "twice";
      if (!page.next) break;
      EXPECT_EQ(page.ids.size(), 7u);
      request.cursor = page.next;
    }
    EXPECT_EQ(seen.size(), expected);
  }
}

TEST_F(Bootstrap, PagesMissNobodyWhoStaysWhileOthersComeAndGo) {
  host.config["max_records"] = std::int64_t{100'000};
  host.run();
  for (int i = 0; i < 200; ++i) {  // those who go: stale half way through
    host.lose_peer(add(10'000 + i), 1);
    if (i % 2) continue;
    add(i);
  }
  host.advance(3'500'000);
  for (auto& [handle, peer] : host.peers) peer.last_seen = host.unix_seconds() + 200;
  std::multiset<std::string> seen;
  Discover request{.limit = 5};
  for (int page = 0;; ++page) {
    const Listing it = discover(request);
    seen.insert(it.ids.begin(), it.ids.end());
    if (!it.next) break;
    request.cursor = it.next;
    host.advance(10'000);
    add(50'000 + page);
  }
  for (int i = 0; i < 200; i += 2) EXPECT_EQ(seen.count(node_id(i)), 1u);
  EXPECT_EQ(host.metric("evicted"), 200);
}

TEST_F(Bootstrap, PagesBeginAnywhere) {
  host.run();
  for (int i = 0; i < 200; ++i) add(i);
  std::set<std::string> firsts;
  for (int i = 0; i < 50; ++i) firsts.insert(discover({.limit = 1}).ids.at(0));
  EXPECT_GT(firsts.size(), 30u);
}

TEST_F(Bootstrap, ForgedAndForeignCursorsAreRefused) {
  host.run();
  for (int i = 0; i < 20; ++i) add(i, {.skills = {"go"}});
  const Bytes good = discover({.skill = "go", .limit = 5}).next.value();
  EXPECT_EQ(discover({.skill = "go", .cursor = good}).ids.size(), 15u);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes forged = good;
    forged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    expect_refused(ask({.skill = "go", .cursor = forged}), "cursor");
  }
  for (const Bytes& other : {Bytes{}, Bytes(good.begin(), good.end() - 1), Bytes(200, 0), Bytes(300, 0)}) {
    expect_refused(ask({.skill = "go", .cursor = other}), "cursor");
  }
  expect_refused(ask({.cursor = good}), "cursor");  // of another filter
  expect_refused(ask({.skill = "rust", .cursor = good}), "cursor");
  expect_refused(ask({.operator_username = "go", .cursor = good}), "cursor");
  FakeHost another(atlas_plugin_v1);
  another.random_state = 99;
  another.run();
  const auto peer = another.connect_peer({.node_id = node_id(1)});
  EXPECT_EQ(another.deliver(peer, 0x21, Discover{.skill = "go", .cursor = good}.body()).error_code, 2003u);
}

TEST_F(Bootstrap, ACursorComesBackAsAnArrayOfIntegersToo) {
  host.run();
  for (int i = 0; i < 10; ++i) add(i);
  const Bytes cursor = discover({.limit = 5}).next.value();
  Writer body;
  body.map(1).text("cursor").byte_array(cursor);
  EXPECT_EQ(host.deliver(join(77), 0x21, body.take()).type, 0x22);
}

}  // namespace
}  // namespace bootstrap::test
