// What a discover finds, and how much of it one answer holds (protocol.md, section 7).
#include "role_fixture.h"

namespace bootstrap::test {
namespace {

TEST_F(Bootstrap, FindsByIdSkillAndOperator) {
  host.run();
  add(1, {.skills = {"math", "go"}, .operator_username = "alice"});
  add(2, {.skills = {"go"}, .operator_username = "@alice"});
  add(3, {.skills = {"math"}, .operator_username = "bob"});
  EXPECT_THAT(discover({.id = node_id(2)}).ids, ElementsAre(node_id(2)));
  EXPECT_EQ(discover({.skill = "go"}).ids.size(), 2u);
  EXPECT_EQ(discover({.operator_username = "@alice"}).ids.size(), 2u);
  EXPECT_EQ(discover({.operator_username = "alice"}).ids.size(), 2u);
  EXPECT_THAT(discover({.skill = "math", .operator_username = "alice"}).ids, ElementsAre(node_id(1)));
  EXPECT_TRUE(discover({.skill = "math", .id = node_id(2)}).ids.empty());
  EXPECT_TRUE(discover({.skill = "Math"}).ids.empty());
  EXPECT_TRUE(discover({.id = node_id(9)}).ids.empty());
  EXPECT_EQ(host.metric("discovers"), 8);
}

TEST_F(Bootstrap, FiltersOfAnotherTypeCountAsMissing) {
  host.run();
  add(1, {.skills = {"go"}});
  add(2);
  const auto peer = join(3);
  const std::vector<std::function<void(Writer&)>> cases = {
      [](Writer& w) { w.text("skill").integer(1); },
      [](Writer& w) { w.text("operator").array(0); },
      [](Writer& w) { w.text("node_id").bin(Bytes(3, 1)); },
      [](Writer& w) { w.text("limit").integer(-1); },
      [](Writer& w) { w.text("limit").integer(std::int64_t{1} << 32); },
      [](Writer& w) { w.text("limit").text("ten"); },
      [](Writer& w) { w.text("cursor").text("next"); },
      [](Writer& w) { w.text("cursor").array(1).integer(256); },
      [](Writer& w) {
        w.text("cursor").array(300);
        for (int i = 0; i < 300; ++i) w.text("x");
      },
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Writer body;
    body.map(1);
    cases[i](body);
    const FakeReply reply = host.deliver(peer, 0x21, body.take());
    ASSERT_EQ(reply.type, 0x22) << i << ": " << reply.error_text;
    EXPECT_EQ(MapView::of(reply.body).find("peers").array().size(), 2u) << i;
  }
}

TEST_F(Bootstrap, ALimitOfZeroIsNone) {
  host.run();
  for (int i = 0; i < 1100; ++i) add(i);
  const Listing all = discover({.limit = 0});
  EXPECT_EQ(all.ids.size(), 1000u);
  EXPECT_FALSE(all.next);
  // With a cursor it is a page of the longest kind, and so leads on.
  const Listing first = discover({.limit = 50});
  EXPECT_EQ(discover({.limit = 0, .cursor = first.next}).ids.size(), 1000u);
}

TEST_F(Bootstrap, FiltersThatBreakARuleAreRefused) {
  host.run();
  const auto peer = join(1);
  const std::vector<std::pair<std::string, std::function<void(Writer&)>>> cases = {
      {"skill", [](Writer& w) { w.text("skill").text(std::string(65, 's')); }},
      {"operator", [](Writer& w) { w.text("operator").text(std::string(66, 'o')); }},
      {"node_id", [](Writer& w) { w.text("node_id").text("atlas_0"); }},
  };
  for (const auto& [field, write] : cases) {
    Writer body;
    body.map(1);
    write(body);
    expect_refused(host.deliver(peer, 0x21, body.take()), field + ": expected");
  }
}

TEST_F(Bootstrap, WithoutALimitAtMostAThousandChosenAfresh) {
  host.run();
  for (int i = 0; i < 1500; ++i) add(i);
  const Listing first = discover(), second = discover();
  EXPECT_EQ(first.ids.size(), 1000u);
  EXPECT_EQ(std::set(first.ids.begin(), first.ids.end()).size(), 1000u);
  EXPECT_FALSE(first.next);
  std::set<std::string> both(first.ids.begin(), first.ids.end());
  both.insert(second.ids.begin(), second.ids.end());
  // Two independent choices of 1000 of 1500 together have 1333 on average, with a deviation of 9.
  EXPECT_GT(both.size(), 1250u);
  EXPECT_LT(both.size(), 1420u);
}

TEST_F(Bootstrap, ASampleOfOneSkill) {
  host.run();
  for (int i = 0; i < 1300; ++i) add(i, {.skills = {i % 13 ? "common" : "rare"}});
  EXPECT_EQ(discover({.skill = "rare"}).ids.size(), 100u);
  const Listing common = discover({.skill = "common"});
  EXPECT_EQ(std::set(common.ids.begin(), common.ids.end()).size(), 1000u);
}

TEST_F(Bootstrap, ALimitAboveAThousandIsAThousand) {
  host.run();
  for (int i = 0; i < 1100; ++i) add(i);
  EXPECT_EQ(discover({.limit = 4'000'000'000u}).ids.size(), 1000u);
}

TEST_F(Bootstrap, AnAnswerStaysBelowOneMebibyte) {
  host.run();
  std::vector<std::string> skills;
  for (int s = 0; s < 32; ++s) skills.push_back(std::string(60, 'x') + std::to_string(s));
  for (int i = 0; i < 900; ++i) {
    send(join(i), {.node_id = node_id(i), .texts = {{"name", std::string(64, 'n')}}, .skills = skills});
  }
  EXPECT_LE(discover().bytes, 1u << 20);
  std::set<std::string> seen;
  std::optional<Bytes> cursor;
  int pages = 0;
  do {
    const Listing page = discover({.limit = 1000, .cursor = cursor});
    EXPECT_LE(page.bytes, 1u << 20);
    EXPECT_GT(page.bytes, page.next ? 1'040'000u : 0u);
    for (const auto& id : page.ids) EXPECT_TRUE(seen.insert(id).second);
    cursor = page.next;
    ++pages;
  } while (cursor);
  EXPECT_EQ(seen.size(), 900u);
  EXPECT_GT(pages, 1);
}

}  // namespace
}  // namespace bootstrap::test
