// The other half of atlas.routes/1: paths that dials ask for, and connections that are announced.
#include "host/open_paths.h"
#include "host/strand.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kNode = "atlas_" + std::string(64, 'a');
const std::string kOther = "atlas_" + std::string(64, 'b');
const std::string kRelay = "203.0.113.9:4433";

class Paths : public HostTest {
 protected:
  Paths() {
    network.add_peer(7, "atlas_" + std::string(64, '7'));
    script.init = [this] { return script.routes().provide(script.host, path_wanted); };
    script.path_wanted = [this](const atlas_path_request& request) {
      EXPECT_EQ(request.struct_size, sizeof request);
      wanted.push_back(std::to_string(request.reach) + " " + std::string(view(request.node_id)) + " " +
                       std::string(view(request.relay)));
    };
  }
  ~Paths() override { host.reset(); }

  atlas_path path() {
    atlas_path out{};
    out.struct_size = sizeof out;
    out.via = 7;
    for (std::uint8_t i = 0; i < 8; ++i) {
      out.route[i] = static_cast<std::uint8_t>(1 + i);
      out.peer_route[i] = static_cast<std::uint8_t>(11 + i);
    }
    out.node_id = text_of(kNode);
    out.observed = &observed;
    out.observed_count = 1;
    out.expires = 1'700'000'100;
    return out;
  }
  atlas_status found(atlas_reach reach, const atlas_path& at) { return script.routes().found(script.host, reach, &at); }
  atlas_status not_found(atlas_reach reach, atlas_status why, std::string_view reason = "none") {
    return script.routes().not_found(script.host, reach, why, text_of(reason));
  }
  atlas_status expect(const atlas_path& at) { return script.routes().expect(script.host, &at); }
  void ask(atlas_reach reach) {
    EXPECT_TRUE(host->want_path(reach, kNode, kRelay));
    settle();
  }
  // Runs `check` on every path that is wrong in one way.
  void each_bad(const std::function<void(const atlas_path&, const char*)>& check) {
    const auto with = [&](const char* what, auto change) {
      atlas_path bad = path();
      change(bad);
      check(bad, what);
    };
    with("no prefix to us", [](atlas_path& p) { std::ranges::fill(p.route, 0); });
    with("no prefix to the peer", [](atlas_path& p) { std::ranges::fill(p.peer_route, 0); });
    with("the same prefix twice", [](atlas_path& p) { std::ranges::copy(p.route, p.peer_route); });
    with("no node id", [](atlas_path& p) { p.node_id = {}; });
    with("a short node id", [](atlas_path& p) { p.node_id = text_of("atlas_a"); });
    with("an address that is a name", [&](atlas_path& p) { p.observed = &name; });
    with("addresses without a place", [](atlas_path& p) { p.observed = nullptr; });
    with("a struct that ends before its node id", [](atlas_path& p) { p.struct_size = offsetof(atlas_path, node_id); });
    with("an empty struct", [](atlas_path& p) { p.struct_size = 0; });
  }

  const atlas_text observed = text_of("198.51.100.5:1024");
  const atlas_text name = text_of("example.org:4433");
  std::vector<std::string> wanted;
};

TEST_F(Paths, OneRoleProvidesThem) {
  scripts[1].init = [&] { return scripts[1].routes().provide(scripts[1].host, path_wanted); };
  const auto problems = load(2);
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems[0].to_string(),
            "the finding of paths is claimed by plugin0 (linked) and by plugin1 (linked); enable one of them");
  EXPECT_EQ(row("plugin1").state, "refused");
  EXPECT_THAT(host->claims(), ElementsAre("paths: plugin0"));
}

TEST_F(Paths, AreClaimedOnceAndOnlyInInit) {
  script.init = [&] {
    EXPECT_EQ(script.routes().provide(script.host, nullptr), ATLAS_E_ARG);
    EXPECT_EQ(script.routes().provide(script.host, path_wanted), ATLAS_OK);
    EXPECT_EQ(script.routes().provide(script.host, path_wanted), ATLAS_E_CONFLICT);
    return ATLAS_OK;
  };
  start();
  EXPECT_EQ(script.routes().provide(script.host, path_wanted), ATLAS_E_STATE);
  EXPECT_THAT(host->claims(), ElementsAre("paths: plugin0"));
}

TEST_F(Paths, FailedInitGivesThemBack) {
  script.init = [&] {
    EXPECT_EQ(script.routes().provide(script.host, path_wanted), ATLAS_OK);
    return ATLAS_E_CONFIG;
  };
  scripts[1].init = [&] { return scripts[1].routes().provide(scripts[1].host, path_wanted); };
  EXPECT_THAT(load(2), SizeIs(1));
  EXPECT_THAT(host->claims(), ElementsAre("paths: plugin1"));
}

TEST_F(Paths, AreProvidedWhileTheRoleIsInService) {
  EXPECT_THAT(load(), IsEmpty());
  EXPECT_FALSE(host->provides_paths());
  EXPECT_FALSE(host->want_path(1, kNode, kRelay));
  host->begin_start();
  settle();
  EXPECT_TRUE(host->provides_paths());
  stop();
  EXPECT_FALSE(host->provides_paths());
  EXPECT_FALSE(host->want_path(1, kNode, kRelay));
  EXPECT_THAT(host->claims(), IsEmpty());
  EXPECT_THAT(wanted, IsEmpty());
}

TEST_F(Paths, NobodyProvidesThemByItself) {
  script.init = nullptr;
  start();
  EXPECT_FALSE(host->provides_paths());
  EXPECT_FALSE(host->want_path(1, kNode, kRelay));
}

TEST_F(Paths, DialsReachTheRoleOnItsStrand) {
  start();
  EXPECT_TRUE(host->want_path(5, kNode, kRelay));
  EXPECT_THAT(wanted, IsEmpty());
  settle();
  EXPECT_THAT(wanted, ElementsAre("5 " + kNode + " " + kRelay));
  EXPECT_FALSE(host->want_path(0, kNode, kRelay)) << "0 is none";
}

TEST_F(Paths, FoundAnswersTheDialOnce) {
  start();
  ask(5);
  EXPECT_EQ(found(6, path()), ATLAS_E_GONE);
  EXPECT_EQ(found(5, path()), ATLAS_OK);
  ASSERT_THAT(network.found_paths, SizeIs(1));
  const auto& [reach, offer] = network.found_paths[0];
  EXPECT_EQ(reach, 5u);
  EXPECT_EQ(offer.via, 7u);
  EXPECT_EQ(offer.route, (RoutePrefix{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(offer.peer_route, (RoutePrefix{11, 12, 13, 14, 15, 16, 17, 18}));
  EXPECT_EQ(offer.node_id, kNode);
  ASSERT_THAT(offer.observed, SizeIs(1));
  EXPECT_EQ(offer.observed[0].text(), "198.51.100.5:1024");
  EXPECT_EQ(offer.expires, 1'700'000'100);
  EXPECT_EQ(found(5, path()), ATLAS_E_GONE);
  EXPECT_EQ(not_found(5, ATLAS_E_DENIED), ATLAS_E_GONE);
}

TEST_F(Paths, WrongAnswersLeaveTheDialWaiting) {
  start();
  ask(5);
  each_bad([&](const atlas_path& bad, const char* what) { EXPECT_EQ(found(5, bad), ATLAS_E_ARG) << what; });
  atlas_path other = path();
  other.node_id = text_of(kOther);
  EXPECT_EQ(found(5, other), ATLAS_E_ARG);
  EXPECT_EQ(script.last_error(), "the path leads to another node than was asked for");
  atlas_path orphan = path();
  orphan.via = 8;
  EXPECT_EQ(found(5, orphan), ATLAS_E_GONE);
  EXPECT_EQ(script.routes().found(script.host, 5, nullptr), ATLAS_E_ARG);
  network.full = true;
  EXPECT_EQ(found(5, path()), ATLAS_E_FULL);
  network.full = false;
  EXPECT_THAT(network.found_paths, IsEmpty());
  EXPECT_EQ(found(5, path()), ATLAS_OK);
}

TEST_F(Paths, EightObservedAddressesAreKept) {
  start();
  ask(5);
  std::vector<atlas_text> many(9, observed);
  many[8] = name;  // is not even looked at
  atlas_path at = path();
  at.observed = many.data();
  at.observed_count = many.size();
  EXPECT_EQ(found(5, at), ATLAS_OK);
  EXPECT_THAT(network.found_paths[0].offer.observed, SizeIs(8));
  ask(6);
  at.observed = nullptr;
  at.observed_count = 0;
  EXPECT_EQ(found(6, at), ATLAS_OK);
  EXPECT_THAT(network.found_paths[1].offer.observed, IsEmpty());
}

TEST_F(Paths, NotFoundSaysWhy) {
  start();
  ask(5);
  EXPECT_EQ(not_found(5, ATLAS_OK), ATLAS_E_ARG) << "that is no failure";
  EXPECT_EQ(not_found(6, ATLAS_E_DENIED), ATLAS_E_GONE);
  network.full = true;
  EXPECT_EQ(not_found(5, ATLAS_E_DENIED), ATLAS_E_FULL);
  network.full = false;
  EXPECT_EQ(not_found(5, ATLAS_E_DENIED, std::string(255, 'x') + "\xc3\xa4"), ATLAS_OK);
  EXPECT_EQ(not_found(5, ATLAS_E_DENIED), ATLAS_E_GONE);
  ask(7);
  EXPECT_EQ(not_found(7, -4711), ATLAS_OK);
  ASSERT_THAT(network.missing_paths, SizeIs(2));
  EXPECT_EQ(network.missing_paths[0].reach, 5u);
  EXPECT_EQ(network.missing_paths[0].fault, base::Fault::kDenied);
  EXPECT_EQ(network.missing_paths[0].reason, std::string(255, 'x')) << "cut between two characters";
  EXPECT_EQ(network.missing_paths[1].fault, base::Fault::kInternal);
}

TEST_F(Paths, AnswerAfterTheCandidatesTimeIsTooLate) {
  start();
  ask(5);
  EXPECT_TRUE(host->want_path(6, kNode, kRelay));  // and nobody has time for it
  clock.advance(kWantedPathLife);
  settle();
  EXPECT_THAT(wanted, SizeIs(1)) << "the second is not asked any more";
  EXPECT_EQ(found(5, path()), ATLAS_E_GONE);
  EXPECT_EQ(not_found(6, ATLAS_E_TIMEOUT), ATLAS_E_GONE);
  EXPECT_THAT(network.found_paths, IsEmpty());
  EXPECT_THAT(network.missing_paths, IsEmpty());
}

TEST_F(Paths, DialThatIsOverWantsNone) {
  start();
  ask(5);
  host->forget_path(5);
  EXPECT_EQ(found(5, path()), ATLAS_E_GONE);
  EXPECT_TRUE(host->want_path(6, kNode, kRelay));
  host->forget_path(6);
  settle();
  EXPECT_THAT(wanted, SizeIs(1));
}

TEST_F(Paths, OnlyTheRoleThatWasAskedAnswers) {
  start(2);
  ask(5);
  const atlas_path at = path();
  EXPECT_EQ(scripts[1].routes().found(scripts[1].host, 5, &at), ATLAS_E_GONE);
  EXPECT_EQ(scripts[1].routes().not_found(scripts[1].host, 5, ATLAS_E_DENIED, {}), ATLAS_E_GONE);
  EXPECT_EQ(found(5, at), ATLAS_OK);
}

TEST_F(Paths, WantedOnesAreBounded) {
  start();
  for (std::uint64_t reach = 1; reach <= kMaxWantedPaths; ++reach) ASSERT_TRUE(host->want_path(reach, kNode, kRelay));
  EXPECT_FALSE(host->want_path(kMaxWantedPaths + 1, kNode, kRelay));
  settle();
  EXPECT_EQ(not_found(1, ATLAS_E_UNREACHABLE), ATLAS_OK);
  EXPECT_TRUE(host->want_path(kMaxWantedPaths + 1, kNode, kRelay));
}

TEST_F(Paths, DialsFindTheQueueFullLikePeerEvents) {
  script.peer_event = [](const atlas_peer_event&) {};
  start();
  for (std::uint64_t i = 0; i + 1 < StrandLimits{}.events; ++i) host->peer_event({ATLAS_PEER_PATH, 7, "", 0, false});
  EXPECT_TRUE(host->want_path(1, kNode, kRelay));
  EXPECT_FALSE(host->want_path(2, kNode, kRelay));
  settle();
  EXPECT_THAT(wanted, SizeIs(1));
  EXPECT_EQ(found(2, path()), ATLAS_E_GONE) << "it was never asked for";
  EXPECT_TRUE(host->want_path(3, kNode, kRelay));
}

TEST_F(Paths, DialsDoNotWaitForARoleThatGoes) {
  script.path_wanted = [](const atlas_path_request&) { throw 7; };
  start();
  EXPECT_TRUE(host->want_path(5, kNode, kRelay));
  EXPECT_TRUE(host->want_path(6, kNode, kRelay));
  settle();
  EXPECT_EQ(row().reason, "exception in search for a path: not a std::exception");
  ASSERT_THAT(network.missing_paths, SizeIs(2));
  for (const auto& missing : network.missing_paths) EXPECT_EQ(missing.fault, base::Fault::kUnreachable);
  EXPECT_EQ(found(5, path()), ATLAS_E_STOPPING);
}

TEST_F(Paths, ExpectedOnesAreHandedOn) {
  start();
  EXPECT_EQ(expect(path()), ATLAS_OK);
  ASSERT_THAT(network.expected_paths, SizeIs(1));
  EXPECT_EQ(network.expected_paths[0].via, 7u);
  EXPECT_EQ(network.expected_paths[0].node_id, kNode);
  each_bad([&](const atlas_path& bad, const char* what) { EXPECT_EQ(expect(bad), ATLAS_E_ARG) << what; });
  EXPECT_EQ(script.routes().expect(script.host, nullptr), ATLAS_E_ARG);
  atlas_path orphan = path();
  orphan.via = 8;
  EXPECT_EQ(expect(orphan), ATLAS_E_GONE);
  EXPECT_THAT(network.expected_paths, SizeIs(1));
}

TEST_F(Paths, ExpectedOnesAreBounded) {
  start();
  network.full = true;
  EXPECT_EQ(expect(path()), ATLAS_E_FULL);
  network.full = false;
  for (std::size_t i = 0; i < kMaxExpectedPaths; ++i) ASSERT_EQ(expect(path()), ATLAS_OK);
  EXPECT_EQ(expect(path()), ATLAS_E_FULL);
  EXPECT_THAT(script.last_error(), HasSubstr("too many"));
  EXPECT_THAT(network.expected_paths, SizeIs(kMaxExpectedPaths));
  clock.advance(kExpectedPathLife);
  EXPECT_EQ(expect(path()), ATLAS_OK);
}

TEST_F(Paths, NothingIsAnsweredOutOfService) {
  script.init = [&] {
    EXPECT_EQ(found(1, path()), ATLAS_E_STATE);
    EXPECT_EQ(not_found(1, ATLAS_E_DENIED), ATLAS_E_STATE);
    EXPECT_EQ(expect(path()), ATLAS_E_STATE);
    return script.routes().provide(script.host, path_wanted);
  };
  start();
  ask(5);
  stop();
  EXPECT_EQ(found(5, path()), ATLAS_E_STOPPING);
  EXPECT_EQ(not_found(5, ATLAS_E_DENIED), ATLAS_E_STOPPING);
  EXPECT_EQ(expect(path()), ATLAS_E_STOPPING);
  EXPECT_THAT(network.expected_paths, IsEmpty());
}

}  // namespace
}  // namespace atlas::host::test
