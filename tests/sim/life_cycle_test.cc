// The life of plugins as docs/abi.md tells it, against what the host makes of it: random histories of up to three
// plugins, one for each seed. A model foretells from what was accepted which state each plugin is in when nobody has
// anything left to do; what a plugin sees is held to the rules while it happens.
//
// ATLAS_LIFE_SEEDS=n runs n histories (200), ATLAS_LIFE_FIRST=s begins with seed s (1).
#include <cstdlib>
#include <random>
#include <stdexcept>

#include "base/log.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::IsEmpty;

constexpr int kPlugins = 3;

// What a plugin of a history is like.
enum class Probe { kGood, kMajor, kMinor, kNeeds, kId, kTwin };
enum class Init { kGood, kFails, kThrows, kConflict };
enum class Way { kGood, kFails, kThrows, kAbsent };
struct Nature {
  Probe probe = Probe::kGood;
  Init init = Init::kGood;
  Way start = Way::kGood, drain = Way::kGood, stop = Way::kGood;
  bool left_out = false, stop_node = false;
  std::vector<int> needs;  // of the others
};

// What the model knows of one of them.
struct Expected {
  bool probed = false, initialised = false, left_out = false;
  bool started = false, draining = false, stopped = false, faulty = false;
  std::string state() const {
    if (left_out) return "left out";
    if (!probed || !initialised) return "refused";
    if (faulty) return "faulted";
    if (stopped) return "stopped";
    if (draining) return "draining";
    return started ? "running" : "ready";
  }
};

struct Seen {
  int inits = 0, starts = 0, drains = 0, stops = 0;
  bool inside = false;  // of a callback
  int owed = 0;         // callbacks that were promised and have not run
  std::string state;    // that the host showed last
};

class History : public HostTest {
 public:
  explicit History(std::uint64_t seed) : dice_(seed) {}
  void TestBody() override {}
  void run();
  std::string told() const { return told_; }

 private:
  std::uint64_t roll(std::uint64_t sides) { return dice_() % sides; }
  bool chance(std::uint64_t percent) { return roll(100) < percent; }
  void note(const std::string& what) { told_ += what + "\n"; }

  void choose_natures();
  void load_all();
  void foresee_load(bool clean);
  void foresee_left_out();
  bool can_be_put_in_order() const;
  std::vector<int> init_order(bool by_needs) const;
  void event();
  void life_event(std::uint64_t which);
  void deliver_one();
  void run_a_command();
  void settle_and_compare();
  void watch_states();
  bool shares_its_id(int i) const;
  void end();
  void check_the_end();

  ::atlas_plugin describe(int i);
  atlas_status on_init(int i);
  // Around each callback of plugin `i`.
  void enter(int i, const char* what);
  void leave(int i) { seen_[i].inside = false; }
  atlas_status on_message(int i, const atlas_message& message);
  void begin_something(int i);
  template <class Result>
  static void promised(void* argument, Result) {
    --static_cast<Seen*>(argument)->owed;
  }

  std::mt19937_64 dice_;
  std::string told_;
  Nature natures_[kPlugins];
  Expected model_[kPlugins];
  Seen seen_[kPlugins];
  std::vector<const char*> needed_[kPlugins];
  std::vector<int> start_order_, stop_order_;
  int owner_of_0x90_ = -1;
  bool clean_ = false, started_ = false, drained_ = false, stopping_ = false, stopped_ = false;
  ReplyHandle next_reply_ = 1;
  std::vector<ReplyHandle> owed_replies_;
  std::vector<std::shared_ptr<RecordedOutput>> commands_;
  std::vector<std::uint64_t> tokens_;
};

// --- before the load ---

void History::choose_natures() {
  for (int i = 0; i < kPlugins; ++i) {
    Nature& it = natures_[i];
    if (chance(6)) it.probe = static_cast<Probe>(1 + roll(5));
    if (it.probe == Probe::kTwin && (i == 0 || natures_[0].probe != Probe::kGood || natures_[0].left_out))
      it.probe = Probe::kMajor;
    if (chance(8)) it.init = static_cast<Init>(1 + roll(3));
    if (i == 0 && it.init == Init::kConflict) it.init = Init::kFails;
    if (chance(15)) it.start = static_cast<Way>(1 + roll(3));
    if (chance(25)) it.drain = chance(50) ? Way::kThrows : Way::kAbsent;
    if (chance(20)) it.stop = chance(50) ? Way::kThrows : Way::kAbsent;
    it.left_out = chance(5);
    it.stop_node = chance(20);
    if (chance(20)) it.needs.push_back(static_cast<int>(roll(kPlugins)));
    if (it.stop_node) {
      config.plugin_tables["plugin" + std::to_string(i)]["on_fault"] = {std::string("stop-node"), 1, 1};
    }
  }
}

::atlas_plugin History::describe(int i) {
  const Nature& it = natures_[i];
  Script& script = scripts[i];
  if (it.probe == Probe::kTwin) script.id = scripts[0].id;
  if (it.probe == Probe::kId) script.id = "../" + script.id;
  ::atlas_plugin out = i == 0   ? Scripted<0>::descriptor(script)
                       : i == 1 ? Scripted<1>::descriptor(script)
                                : Scripted<2>::descriptor(script);
  if (it.probe == Probe::kMajor) out.abi_major = 2;
  if (it.probe == Probe::kMinor) out.abi_minor_min = 9;
  if (it.start == Way::kAbsent) out.start = nullptr;
  if (it.drain == Way::kAbsent) out.drain = nullptr;
  if (it.stop == Way::kAbsent) out.stop = nullptr;
  static const char* const names[kPlugins] = {"plugin0", "plugin1", "plugin2"};
  for (const int other : it.needs) needed_[i].push_back(names[other]);
  if (it.probe == Probe::kNeeds) needed_[i].push_back("atlas.nothing/1");
  needed_[i].push_back(nullptr);
  out.needs = needed_[i].data();
  return out;
}

void History::load_all() {
  HostSetup with = setup();
  with.on_fault = [this](const std::string& id, const std::string& reason, bool stop_node) {
    faults.push_back({id, reason, stop_node});
  };
  for (int i = 0; i < kPlugins; ++i) {
    if (natures_[i].left_out) with.left_out["plugin" + std::to_string(i)] = {"it is not wanted", chance(50)};
  }
  const bool refuses = std::ranges::any_of(with.left_out, [&](const auto& out) {
    const int i = out.first.back() - '0';
    return !out.second.wanted && natures_[i].stop_node && natures_[i].probe == Probe::kGood;
  });
  host = std::make_unique<Host>(std::move(with));
  for (int i = 0; i < kPlugins; ++i) {
    Script& script = scripts[i];
    script.init = [this, i] { return on_init(i); };
    const auto entry = [this, i](const char* name, Way way) {
      enter(i, name);
      leave(i);
      if (way == Way::kThrows) throw std::runtime_error(name);
      return way == Way::kFails ? ATLAS_E_INTERNAL : ATLAS_OK;
    };
    script.start = [=, this] {
      ++seen_[i].starts;
      start_order_.push_back(i);
      return entry("start", natures_[i].start);
    };
    script.drain = [=, this](std::uint32_t) {
      ++seen_[i].drains;
      entry("drain", natures_[i].drain);
    };
    script.stop = [=, this] {
      ++seen_[i].stops;
      stop_order_.push_back(i);
      entry("stop", natures_[i].stop);
    };
    script.peer_event = [=, this](const atlas_peer_event&) { entry("peer event", Way::kGood); };
    script.handler = [this, i](const atlas_message& message) { return on_message(i, message); };
    script.command = [this, i](const atlas_cli_run& run) {
      enter(i, "command");
      leave(i);
      if (roll(4) == 0) return atlas_status{ATLAS_E_DENIED};
      if (roll(2) == 0) scripts[i].cli().finish(scripts[i].host, run.call, ATLAS_OK, {});
      return atlas_status{ATLAS_OK};
    };
    script.cancelled = [=, this](atlas_call) { entry("cancelled", Way::kGood); };
    descriptors[i] = describe(i);
    host->add_linked(&descriptors[i]);
  }
  const auto problems = host->load({});
  clean_ = problems.empty();
  for (const auto& problem : problems) note("problem: " + problem.to_string());
  foresee_load(refuses);
}

atlas_status History::on_init(int i) {
  ++seen_[i].inits;
  EXPECT_EQ(seen_[i].inits, 1);
  Script& script = scripts[i];
  const std::uint8_t type = static_cast<std::uint8_t>(0x90 + (natures_[i].init == Init::kConflict ? 0 : i));
  const atlas_status status = script.messages().handle(script.host, type, ATLAS_HANDLE_ANSWERS, handle_message);
  if (natures_[i].init == Init::kThrows) throw std::runtime_error("init");
  if (natures_[i].init == Init::kFails) return ATLAS_E_INTERNAL;
  atlas_cli_command command{};
  command.struct_size = sizeof command;
  const std::string path = "do" + std::to_string(i);
  command.path = path.c_str();
  command.where = ATLAS_CLI_DAEMON;
  const atlas_status told = script.cli().command(script.host, &command, run_command, command_cancelled);
  EXPECT_EQ(told, ATLAS_OK);
  return status;
}

void History::foresee_left_out() {
  for (bool again = true; std::exchange(again, false);) {
    for (int i = 0; i < kPlugins; ++i) {
      if (!model_[i].probed || model_[i].left_out) continue;
      const bool needs_one = std::ranges::any_of(
          natures_[i].needs, [&](int other) { return natures_[other].left_out || model_[other].left_out; });
      if (!natures_[i].left_out && !needs_one) continue;
      model_[i].left_out = again = true;
    }
  }
}

// Everybody's needs are there and in no circle.
bool History::can_be_put_in_order() const {
  bool placed[kPlugins] = {};
  const auto runs = [&](int i) { return model_[i].probed && !model_[i].left_out; };
  int left = 0;
  for (int i = 0; i < kPlugins; ++i) left += runs(i) ? 1 : 0;
  for (bool again = true; std::exchange(again, false);) {
    for (int i = 0; i < kPlugins; ++i) {
      if (!runs(i) || placed[i]) continue;
      if (!std::ranges::all_of(natures_[i].needs, [&](int other) { return placed[other]; })) continue;
      placed[i] = again = true;
      --left;
    }
  }
  return left == 0;
}

// Needed ones first where that can be, else as listed; without those of which no code runs.
std::vector<int> History::init_order(bool by_needs) const {
  std::vector<int> out;
  const std::function<void(int)> visit = [&](int i) {
    if (!model_[i].probed || model_[i].left_out || std::ranges::find(out, i) != out.end()) return;
    if (by_needs) std::ranges::for_each(natures_[i].needs, visit);
    out.push_back(i);
  };
  for (int i = 0; i < kPlugins; ++i) visit(i);
  return out;
}

void History::foresee_load(bool refuses) {
  bool good = true;
  for (int i = 0; i < kPlugins; ++i) {
    model_[i].probed = natures_[i].probe == Probe::kGood;
    good = good && model_[i].probed;
  }
  foresee_left_out();
  const bool ordered = can_be_put_in_order();
  good = good && ordered;
  for (const int i : init_order(ordered)) {
    const Init init = natures_[i].init;
    if (init == Init::kConflict || (i == 0 && init == Init::kGood)) {
      model_[i].initialised = owner_of_0x90_ == -1;
      if (model_[i].initialised) owner_of_0x90_ = i;
    } else {
      model_[i].initialised = init == Init::kGood;
    }
    good = good && model_[i].initialised;
  }
  // Whoever is left out against the operator's will, or needs one that is.
  if (!refuses && good) {
    EXPECT_TRUE(clean_ || std::ranges::any_of(model_, &Expected::left_out));
  }
  if (!good) {
    EXPECT_FALSE(clean_);
  }
}

// --- while they run ---

void History::enter(int i, const char* what) {
  Seen& seen = seen_[i];
  note("  plugin" + std::to_string(i) + " " + what);
  EXPECT_FALSE(seen.inside) << "callbacks of one plugin overlap";
  seen.inside = true;
  EXPECT_EQ(seen.inits, 1) << what;
  const std::string_view step(what);
  if (step != "stop" && natures_[i].start != Way::kAbsent) {
    EXPECT_EQ(seen.starts, 1) << what << " before start";
  }
  if (step == "stop") {
    EXPECT_EQ(seen.stops, 1);
    EXPECT_EQ(seen.owed, 0) << "stop before what was promised";
  } else {
    EXPECT_EQ(seen.stops, 0) << what << " after stop";
  }
  if (step == "drain") {
    EXPECT_EQ(seen.drains, 1);
  }
}

atlas_status History::on_message(int i, const atlas_message& message) {
  enter(i, "message");
  leave(i);
  const Script& script = scripts[i];
  switch (string_of(message.body)[0]) {
    case 'a':
      EXPECT_EQ(script.messages().reply(script.host, message.reply_to, 0x99, {}),
                message.reply_to == 0 ? ATLAS_E_GONE : ATLAS_OK);
      return ATLAS_OK;
    case 'b':
      begin_something(i);
      return ATLAS_OK;  // answered by nobody: the host does
    case 'e':
      return ATLAS_E_ARG;
    case 's':
      clock.advance(20 * base::kMillisecond);
      return ATLAS_OK;
    case 'h':
      clock.advance(1'001 * base::kMillisecond);
      return ATLAS_OK;
    default:
      throw std::runtime_error("message");
  }
}

void History::begin_something(int i) {
  const Script& script = scripts[i];
  Seen* seen = &seen_[i];
  const auto owe = [&](atlas_status status) {
    if (status == ATLAS_OK) ++seen->owed;
  };
  owe(script.messages().request(script.host, 7, 0x90, {}, 1000, promised<const atlas_answer*>, seen, nullptr));
  owe(script.store().put(script.host, bytes_of("k"), bytes_of("v"), promised<atlas_status>, seen));
  owe(script.peers().connect(script.host, text_of("192.0.2.1:1"), 1000, promised<const atlas_connected*>, seen));
  // Not owed: a plugin's end takes timers and posts with it.
  script.timers().start(
      script.host, roll(3000), roll(2) * 500,
      [](void* seen_by) { EXPECT_EQ(static_cast<Seen*>(seen_by)->stops, 0) << "a timer after stop"; }, seen, nullptr);
  script.host->post(
      script.host, [](void* seen_by) { EXPECT_EQ(static_cast<Seen*>(seen_by)->stops, 0) << "a post after stop"; },
      seen);
}

void History::deliver_one() {
  const int i = static_cast<int>(roll(kPlugins));
  static constexpr char kinds[] = "aaabbbbesht";
  const char kind = kinds[roll(sizeof kinds - 1)];
  const ReplyHandle reply = chance(80) ? next_reply_++ : 0;
  const std::string body(1, kind);
  const auto outcome = deliver(static_cast<std::uint8_t>(0x90 + i), reply, body);
  note("message " + body + " for plugin" + std::to_string(i) + (outcome == Delivered::kQueued ? "" : ": not taken"));
  if (outcome != Delivered::kQueued) return;
  if (reply != 0) owed_replies_.push_back(reply);
  // Whoever claimed type 0x90 gets it.
  const int owner = i == 0 ? owner_of_0x90_ : i;
  if (kind == 'h' || kind == 't') model_[owner].faulty = true;
}

void History::run_a_command() {
  const auto output = std::make_shared<RecordedOutput>();
  const std::uint64_t token = host->run_command("do" + std::to_string(roll(kPlugins)), {}, output);
  note(token == 0 ? "command: there is none" : "command");
  if (token == 0) return;
  commands_.push_back(output);
  tokens_.push_back(token);
}

void History::life_event(std::uint64_t which) {
  if (which == 0 && !started_ && !stopping_) {
    note("begin_start");
    started_ = true;
    host->begin_start();
    for (int i = 0; i < kPlugins; ++i) {
      if (!clean_ || !model_[i].initialised) continue;
      model_[i].started = true;
      if (natures_[i].start == Way::kFails || natures_[i].start == Way::kThrows) model_[i].faulty = true;
    }
  } else if (which == 1) {
    note("begin_drain");
    drained_ = true;
    for (int i = 0; i < kPlugins; ++i) {
      if (!model_[i].started || model_[i].faulty || model_[i].stopped) continue;
      model_[i].draining = true;
      if (natures_[i].drain == Way::kThrows) model_[i].faulty = true;
    }
    host->begin_drain(clock.mono_ns() + roll(1000) * base::kMillisecond, [] {});
  } else if (which == 2 && !stopping_) {
    note("begin_stop");
    stopping_ = true;
    host->begin_stop([this] { stopped_ = true; });
    for (Expected& one : model_) one.stopped = one.initialised;
  }
}

void History::event() {
  const std::uint64_t which = roll(100);
  if (which < 45) return deliver_one();
  if (which < 60) {
    executor.run_one();
    return watch_states();
  }
  if (which < 66) return static_cast<void>(loop.run_once());
  if (which < 72) return store.commit();
  if (which < 78) return network.answer_everything();
  if (which < 82) {
    note("a while passes");
    return pass(roll(4000) * base::kMillisecond);
  }
  if (which < 87) return run_a_command();
  if (which < 89) return tokens_.empty() ? void() : host->cancel_command(tokens_[roll(tokens_.size())]);
  if (which < 92) return host->peer_event({ATLAS_PEER_UP, 7, "atlas_x", 0, false});
  settle_and_compare();
  life_event(which < 95 ? 0 : which < 98 ? 1 : 2);
}

bool History::shares_its_id(int i) const {
  return natures_[i].probe == Probe::kTwin ||
         (i == 0 && std::ranges::any_of(natures_, [](const Nature& it) { return it.probe == Probe::kTwin; }));
}

// A state is never left for an earlier one.
void History::watch_states() {
  static const std::vector<std::string> order = {"refused",  "ready",   "running", "draining",
                                                 "stopping", "stopped", "faulted"};
  for (int i = 0; i < kPlugins; ++i) {
    if (!model_[i].initialised || shares_its_id(i)) continue;
    const std::string now = row(scripts[i].id).state;
    const auto at = [](const std::string& state) { return std::ranges::find(order, state) - order.begin(); };
    if (!seen_[i].state.empty()) {
      EXPECT_GE(at(now), at(seen_[i].state)) << "plugin" << i << " was " << seen_[i].state;
    }
    EXPECT_LT(at(now), 7) << now;
    seen_[i].state = now;
  }
}

void History::settle_and_compare() {
  settle();
  watch_states();
  for (int i = 0; i < kPlugins; ++i) {
    if (shares_its_id(i)) continue;
    const PluginRow is = row(scripts[i].id);
    EXPECT_EQ(is.state, model_[i].state()) << "plugin" << i << ": " << is.reason;
    const bool told = is.state == "refused" || is.state == "left out" || is.state == "faulted";
    EXPECT_EQ(is.reason.empty(), !told) << is.reason;
    const auto mine = [&](const FaultSeen& fault) { return fault.id == scripts[i].id; };
    EXPECT_EQ(std::ranges::count_if(faults, mine), is.state == "faulted" ? 1 : 0);
    for (const FaultSeen& fault : faults) {
      if (mine(fault)) {
        EXPECT_EQ(fault.stop_node, natures_[i].stop_node);
      }
    }
    const bool owns = is.state == "running" || is.state == "draining";
    if (model_[i].initialised && natures_[i].init == Init::kGood) {
      EXPECT_EQ(host->owns(static_cast<std::uint8_t>(0x90 + i)), owns);
    }
  }
}

// --- the end ---

void History::end() {
  if (chance(70)) {
    if (!stopping_) life_event(2);
    settle_and_compare();
    EXPECT_TRUE(stopped_);
    EXPECT_THAT(host->unstopped(), IsEmpty());
    EXPECT_THAT(host->claims(), IsEmpty());
    EXPECT_LE(loop.timers(), drained_ ? 1u : 0u) << "but for the deadline of a drain";
  }
  note("the host goes");
  host.reset();
  settle();
  check_the_end();
}

void History::check_the_end() {
  for (int i = 0; i < kPlugins; ++i) {
    const bool initialised = model_[i].initialised;
    EXPECT_EQ(seen_[i].inits, model_[i].probed && !model_[i].left_out ? 1 : 0) << "plugin" << i;
    EXPECT_EQ(seen_[i].stops, initialised && natures_[i].stop != Way::kAbsent ? 1 : 0) << "plugin" << i;
    if (!initialised || !clean_) {
      EXPECT_EQ(seen_[i].starts, 0) << "plugin" << i;
    }
    EXPECT_EQ(seen_[i].owed, 0) << "plugin" << i << " waits for what never comes";
    EXPECT_LE(seen_[i].drains, 1);
  }
  // Who needs another starts behind it.
  const auto place = [&](int i) { return std::ranges::find(start_order_, i) - start_order_.begin(); };
  for (const int i : start_order_) {
    for (const int other : natures_[i].needs) {
      if (seen_[other].starts == 1) {
        EXPECT_LT(place(other), place(i));
      }
    }
  }
  for (const ReplyHandle reply : owed_replies_) {
    EXPECT_EQ(std::ranges::count(network.replies, reply, &FakeNetwork::Reply::to), 1) << "request " << reply;
  }
  for (const auto& output : commands_) EXPECT_EQ(output->ended.size(), 1u);
}

void History::run() {
  network.add_peer(7, "atlas_seven");
  choose_natures();
  load_all();
  watch_states();
  if (chance(90)) life_event(0);
  const std::uint64_t events = 5 + roll(60);
  for (std::uint64_t i = 0; i < events && !HasFailure(); ++i) event();
  end();
}

std::uint64_t number_of(const char* variable, std::uint64_t fallback) {
  const char* given = std::getenv(variable);
  return given == nullptr ? fallback : std::strtoull(given, nullptr, 10);
}

TEST(LifeCycle, AgreesWithTheModelInEveryHistory) {
  base::configure_log(base::Level::kOff, base::LogFormat::kText);
  const std::uint64_t first = number_of("ATLAS_LIFE_FIRST", 1);
  const std::uint64_t count = number_of("ATLAS_LIFE_SEEDS", 200);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    History history(seed);
    history.run();
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed << "; again with ATLAS_LIFE_FIRST=" << seed << " ATLAS_LIFE_SEEDS=1\n"
                    << history.told();
      break;
    }
  }
  base::configure_log(base::Level::kInfo, base::LogFormat::kText);
}

}  // namespace
}  // namespace atlas::host::test
