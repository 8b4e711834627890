// Two plugins that want the same: what people read, word for word, with both owners and their files.
#include "abi/every_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Conflicts : public EveryTest {
 protected:
  std::vector<std::string> problems_of(const std::vector<std::string>& ids) {
    std::vector<std::string> out;
    for (const auto& problem : load_with({}, ids)) out.push_back(problem.to_string());
    return out;
  }
  static std::string file(const std::string& id) { return ABI_PLUGIN_DIR "/" + id + ".so"; }
  // What the neighbour is told when its init makes a call that is refused.
  std::string refusal(const std::function<atlas_status()>& call, atlas_status expected) {
    std::string said;
    script.init = [&] {
      EXPECT_EQ(call(), expected);
      said = script.last_error();
      return ATLAS_OK;
    };
    EXPECT_THAT(load_with({}), IsEmpty());
    host.reset();
    return said;
  }
  const atlas_ext_bus& bus() const { return *script.table<atlas_ext_bus>(ATLAS_EXT_BUS); }
};

TEST_F(Conflicts, EverythingThatOnlyOneCanHave) {
  ASSERT_THAT(problems_of({"first"}), IsEmpty());
  const std::string both = "first (" + file("first") + ") and by second (" + file("second") + ")";
  EXPECT_THAT(problems_of({"first", "second"}),
              ElementsAre("message type 0xb0 is claimed by " + both + "; enable one of them",
                          "message type 0xb1 is claimed by " + both + "; enable one of them",
                          "command \"twice\" is claimed by " + both, "protocol \"twice/1\" is claimed by " + both,
                          "the finding of paths is claimed by " + both + "; enable one of them"));
  EXPECT_EQ(row("first").state, "ready") << "but nothing starts";
  host->begin_start();
  settle();
  EXPECT_EQ(row("first").state, "ready");
}

TEST_F(Conflicts, TheSamePluginTwice) {
  EXPECT_THAT(problems_of({"first", "first"}), ElementsAre(file("first") + ": the same file as plugin first"));
  const ::atlas_plugin* object = exported_by(file("first"));
  ASSERT_NE(object, nullptr);
  std::vector<std::string> said;
  for (const auto& problem : load_with({object, object})) said.push_back(problem.to_string());
  EXPECT_THAT(said, ElementsAre("plugin first is there twice: linked and linked"));
}

TEST_F(Conflicts, TypesOfARole) {
  EXPECT_THAT(problems_of({"usurper"}),
              ElementsAre("usurper (" + file("usurper") +
                          ") claims message type 0x20, which is reserved for bootstrap; "
                          "to let it take that role's place, write [plugins.usurper] replaces = \"bootstrap\""));
}

TEST_F(Conflicts, PluginsThatNeedEachOther) {
  EXPECT_THAT(problems_of({"ring_a", "ring_b"}),
              ElementsAre(file("ring_a") + ": plugins need each other in a circle: ring_a -> ring_b -> ring_a; enable "
                                           "none or change one"));
  EXPECT_THAT(problems_of({"ring_a"}), ElementsAre(file("ring_a") + ": ring_a needs the plugin ring_b, which is not "
                                                                    "enabled; add \"ring_b\" to plugins.enabled"));
}

// On the bus names belong to plugins, so two cannot want the same; one can only ask twice, or for another's.
TEST_F(Conflicts, NamesOnTheBus) {
  const auto serve = [](void*, const atlas_bus_request*) -> atlas_status { return ATLAS_OK; };
  const auto hear = [](void*, const atlas_bus_event*) {};
  const auto offer = [&](std::string_view name) { return bus().offer(script.host, text_of(name), serve); };
  const auto subscribe = [&](std::string_view name) { return bus().subscribe(script.host, text_of(name), hear); };
  EXPECT_EQ(refusal(
                [&] {
                  EXPECT_EQ(offer("neighbour/sum"), ATLAS_OK);
                  return offer("neighbour/sum");
                },
                ATLAS_E_CONFLICT),
            "neighbour/sum is offered twice");
  EXPECT_EQ(refusal(
                [&] {
                  EXPECT_EQ(subscribe("other/news"), ATLAS_OK);
                  return subscribe("other/news");
                },
                ATLAS_E_CONFLICT),
            "other/news is subscribed to twice");
  EXPECT_EQ(refusal([&] { return offer("other/sum"); }, ATLAS_E_DENIED),
            "bus.offer(): other/sum is not under neighbour/");
}

}  // namespace
}  // namespace atlas::host::test
