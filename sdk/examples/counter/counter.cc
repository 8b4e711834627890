// Counters that other nodes add to: 0xc2 {"name","add"} is answered with 0xc3 {"name","value"} once the sum is on disk.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>

#include <map>
#include <string>

namespace {

constexpr std::uint8_t kAdd = 0xc2, kSum = 0xc3;
constexpr std::size_t kMaxName = 64;
constexpr atlas::Millis kPatience{10'000};

std::vector<std::uint8_t> encoded(std::string_view name, const char* key, std::int64_t value) {
  atlas::msgpack::Writer out;
  out.map(2).text("name").text(name).text(key).integer(value);
  return {out.bytes().begin(), out.bytes().end()};
}

class Counters {
 public:
  explicit Counters(atlas::Setup& setup) : host_(setup.host()) {
    most_ = setup.config().integer("max_counters", 1000, 1, 100'000, "Counters that are kept.");
    additions_ = setup.counter("additions", "Requests that were added up.");
    kept_ = setup.gauge("counters", "Counters that are kept.");
    setup.on(kAdd, &Counters::on_add);
    setup.command({"counters", ATLAS_CLI_DAEMON, "List the counters of this node.", {}, "name, value"},
                  &Counters::list);
    setup.command({"count",
                   ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
                   "Add to a counter of another node.",
                   {{"target", ATLAS_ARG_TEXT, true, "ip:port, [ipv6]:port or a node id"},
                    {"name", ATLAS_ARG_TEXT, true, "of the counter, 1 to 64 bytes"},
                    {"--add", ATLAS_ARG_INTEGER, false, "how much (default 1)"}},
                   "name, value"},
                  &Counters::count);
  }

  // What the last run left.
  void start() {
    static_cast<void>(host_.store().scan("", "", [this](atlas::Bytes key, atlas::Bytes value) {
      const auto map = atlas::msgpack::MapView::of(value);
      if (const auto sum = map.find("value").i64()) sums_[std::string(key.begin(), key.end())] = *sum;
      return true;
    }));
    kept_.set(static_cast<std::int64_t>(sums_.size()));
  }

 private:
  void on_add(const atlas::Incoming& request) {
    const auto map = request.map();
    const auto name = map.find("name").text();
    const auto add = map.find("add").i64();
    if (!name || name->empty() || name->size() > kMaxName || !add) {
      return static_cast<void>(request.reject("name (1 to 64 bytes) or add is missing"));
    }
    const std::string key(*name);
    if (!sums_.contains(key) && static_cast<std::int64_t>(sums_.size()) >= most_) {
      return static_cast<void>(request.reject("there are max_counters already"));
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(sums_[key], *add, &sum)) {
      return static_cast<void>(request.reject("the sum is too large"));
    }
    sums_[key] = sum;
    kept_.set(static_cast<std::int64_t>(sums_.size()));
    const auto answer = encoded(key, "value", sum);
    // Whoever gets the answer may rely on it, so the disk comes first.
    host_.store().put(key, answer, [this, answer, reply = request.reply_to](atlas::Status durable) {
      if (!durable) return static_cast<void>(reply.fail(ATLAS_ERROR_INTERNAL, durable.text()));
      additions_.add();
      static_cast<void>(reply.send(kSum, answer));
    });
  }

  // `atlas net counters`
  void list(const atlas::Call& call) {
    for (const auto& [name, sum] : sums_) {
      static_cast<void>(call.row(atlas::json::Object().text("name", name).integer("value", sum).str()));
    }
    call.finish();
  }

  // `atlas net count TARGET NAME`
  void count(const atlas::Call& call) {
    const auto add = call.integer("--add", 1, INT64_MIN, INT64_MAX);
    if (!add) return;
    const std::string target = call.text("target").value_or(""), name = call.text("name").value_or("");
    host_.connect(target, kPatience, [this, call, target, name, add](const atlas::Connected& result) {
      if (!result.status) return call.fail(result.status, atlas::concat(target, ": ", result.why(target)));
      static_cast<void>(host_.request(result.peer, kAdd, encoded(name, "add", *add), kPatience,
                                      [call, name](const atlas::Answer& answer) { shown(call, name, answer); }));
    });
  }

  static void shown(const atlas::Call& call, const std::string& name, const atlas::Answer& answer) {
    const auto sum = answer.map().find("value").i64();
    if (!sum) return call.fail(answer.status.ok() ? atlas::Status{ATLAS_E_DENIED} : answer.status, answer.why());
    static_cast<void>(call.result(atlas::json::Object().text("name", name).integer("value", *sum).str()));
    call.finish();
  }

  atlas::Host& host_;
  std::int64_t most_ = 0;
  std::map<std::string, std::int64_t> sums_;
  atlas::Counter additions_;
  atlas::Gauge kept_;
};

}  // namespace

ATLAS_PLUGIN(Counters, "org.example.counter", "1.0.0", "Counters that other nodes add to.", ATLAS_EXT_MESSAGES,
             ATLAS_EXT_STORE, ATLAS_EXT_PEERS);
