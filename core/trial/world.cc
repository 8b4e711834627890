#include "trial/world.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "atlas/plugin.h"
#include "trial/famine.h"
#include "trial/own_threads.h"

namespace atlas::trial {
namespace {

// A role that is handed no work comes to rest long before.
constexpr std::size_t kMostTurns = 2'000'000;
constexpr base::MonoNs kHardBudget = base::kSecond;

class Output final : public host::CommandOutput {
 public:
  explicit Output(std::shared_ptr<Shown> shown) : shown_(std::move(shown)) {}
  void row(std::string_view json) override { shown_->values.emplace_back(json); }
  void progress(std::string_view) override {}
  void result(std::string_view json) override { shown_->values.emplace_back(json); }
  void finish(std::int32_t status, std::string_view) override {
    shown_->finished = true;
    shown_->status = status;
  }

 private:
  const std::shared_ptr<Shown> shown_;
};

std::string lines_of(const std::vector<config::Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += (out.empty() ? "" : "; ") + problem.to_string();
  return out;
}

}  // namespace

World::World(const ::atlas_plugin& plugin, host::Mode mode)
    : plugin_(with_famine(plugin)),
      mode_(mode),
      key_(std::make_unique<identity::NodeKey>(identity::NodeKey::generate(random_))) {
  set_famine(Famine::kOff);
  config.plugins.enabled = {plugin.id};
}

World::~World() {
  // The host first: it retires the role, which may still call everything else.
  host_.reset();
  while (peers_.turn()) {
  }
}

std::vector<config::Problem> World::load() {
  host::HostSetup setup;
  setup.mode = mode_;
  setup.version = "0.0.0-trial";
  setup.config = &config;
  setup.network = &peers_;
  setup.store = &rows;
  setup.loop = &loop_;
  setup.clock = &clock_;
  setup.key = key_.get();
  setup.random = &random_;
  setup.executor = &strands_;
  host_ = std::make_unique<host::Host>(std::move(setup));
  host_->add_linked(&plugin_);
  return host_->load({});
}

void World::run() {
  if (const auto problems = load(); !problems.empty()) throw std::runtime_error("init: " + lines_of(problems));
  host_->begin_start();
  settle();
  if (const auto row = this->row(); row.state != "running") {
    throw std::runtime_error(fmt::format("after start() it is {}: {}", row.state, row.reason));
  }
}

bool World::turn() {
  if (strands_.run_one() || loop_.run_one() || peers_.turn() || rows.turn()) return true;
  const auto asked = peers_.take_disconnects();
  for (const auto& [peer, reason] : asked) lose(peer, reason);
  return !asked.empty();
}

void World::settle() {
  for (std::size_t turns = 0; turn(); ++turns) {
    if (turns > kMostTurns) throw std::runtime_error("it keeps itself busy: its strand does not come to rest");
  }
}

base::MonoNs World::next_event() const {
  return std::min(loop_.next_timer(), peers_.next_deadline());
}

void World::pass(base::MonoNs span) {
  const base::MonoNs until = base::after(clock_.mono_ns(), span);
  settle();
  for (base::MonoNs next = next_event(); next <= until; next = next_event()) {
    clock_.move_to(std::max(clock_.mono_ns(), next));
    settle();
    // A deadline that is past and changes nothing would keep time from passing.
    if (next_event() <= next && clock_.mono_ns() >= next) clock_.move_to(clock_.mono_ns() + base::kMicrosecond);
  }
  clock_.move_to(until);
  settle();
}

void World::fire_without_running() {
  while (loop_.run_one() || peers_.turn() || rows.turn()) {
  }
}

void World::begin_drain(base::MonoNs time) {
  host_->begin_drain(base::after(clock_.mono_ns(), time), [] {});
}

void World::stop() {
  bool done = false;
  host_->begin_stop([&done] { done = true; });
  settle();
  // A thread of the role's own may be about to hand something over.
  OwnThreads().wait(*this, [&done] { return done; });
  if (!done) throw std::runtime_error("its stop does not end");
}

host::PeerHandle World::connect(std::uint64_t number) {
  const host::PeerHandle peer = peers_.add(number);
  tell(ATLAS_PEER_UP, peer, 0);
  return peer;
}

void World::lose(host::PeerHandle peer, std::uint32_t reason) {
  const auto live = peers_.peer(peer);
  if (!live || !peers_.remove(peer)) return;
  host_->peer_event({ATLAS_PEER_DOWN, peer, live->record.node_id, reason, live->dialled});
}

void World::tell(std::uint32_t what, host::PeerHandle peer, std::uint32_t reason) {
  const auto live = peers_.peer(peer);
  host_->peer_event({what, peer, live ? live->record.node_id : std::string(), reason, live && live->dialled});
}

host::ReplyHandle World::deliver(host::PeerHandle from, std::uint8_t type, base::ByteView body) {
  const host::ReplyHandle reply = ++last_reply_;
  accepted_ = host_->deliver({type, from, reply, body, true}) == host::Delivered::kQueued;
  return reply;
}

FarEnds::Pipe World::open_stream(host::PeerHandle from, std::uint8_t type, base::ByteView opening) {
  FarEnds::Pipe pipe = host_->deliver_stream(type, from, opening);
  if (pipe) peers_.far_ends().adopt(pipe, {FarEnds::kInSession, from});
  return pipe;
}

FarEnds::Carrier World::present(std::size_t protocol, std::vector<base::Bytes> chain) {
  FarEnds::Carrier carrier = host_->deliver_connection(*host_->protocols().at(protocol).first, "192.0.2.77:4433");
  if (!carrier) return nullptr;
  peers_.far_ends().adopt(carrier);
  carrier->on_presented(std::move(chain));
  return carrier;
}

void World::lose(const FarEnds::Carrier& carrier) {
  peers_.far_ends().close(carrier->tag(), 0, "lost in a trial");
}

std::vector<std::uint8_t> World::stream_types() const {
  std::vector<std::uint8_t> out;
  for (const std::uint8_t type : types()) {
    if (host_->takes_streams(type)) out.push_back(type);
  }
  return out;
}

std::pair<std::uint64_t, std::shared_ptr<Shown>> World::run_command(const host::Command& command,
                                                                    const std::map<std::string, std::string>& args) {
  auto shown = std::make_shared<Shown>();
  const std::uint64_t token = host_->run_command(command.path, args, std::make_shared<Output>(shown));
  return {token, shown};
}

host::PluginRow World::row() const {
  const auto rows_found = host_->plugins();
  return rows_found.empty() ? host::PluginRow{} : rows_found.front();
}

std::int64_t World::figure(const std::string& name) const {
  std::int64_t out = 0;
  for (const host::MetricRow& metric : host_->metrics()) {
    if (metric.name.ends_with('_' + name)) out = metric.value;
    // The role's own metrics come last, and may have any name.
    if (metric.name.ends_with('_' + name)) break;
  }
  return out;
}

std::string World::complaint() const {
  const host::PluginRow found = row();
  if (found.faults != 0 || found.state == "faulted") return "it went out of service: " + found.reason;
  if (const auto broken = figure("contract_breaks"); broken != 0) {
    return fmt::format("it broke the plugin ABI {} times; the log says how", broken);
  }
  if (longest_callback() > kHardBudget) {
    return fmt::format("a callback took {} ms; over 1000 ms a node puts it out of service",
                       longest_callback() / base::kMillisecond);
  }
  return {};
}

}  // namespace atlas::trial
