// `atlas net roll [--sides N]`: throws a die in the running node.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>

class Roll {
 public:
  explicit Roll(atlas::Setup& setup) : host_(setup.host()) {
    setup.command({"roll",
                   ATLAS_CLI_DAEMON,
                   "Throw a die in the running node.",
                   {{"--sides", ATLAS_ARG_INTEGER, false, "how many the die has (default 6)"}},
                   "face"},
                  &Roll::on_roll);
  }

 private:
  void on_roll(const atlas::Call& call) {
    const auto sides = call.integer("--sides", 6, 2, 250);
    if (!sides) return;  // the person has been told why
    const auto face = 1 + host_.random_below(static_cast<std::uint64_t>(*sides));
    static_cast<void>(call.result(atlas::json::Object().integer("face", static_cast<std::int64_t>(face)).str()));
    call.finish();
  }

  atlas::Host& host_;
};

ATLAS_PLUGIN(Roll, "org.example.cli", "1.0.0", "Throws dice for people.", ATLAS_EXT_CLI);
