// Reads one key of each kind, and has a rule of its own.
#include <atlas/plugin.hpp>

class Settings {
 public:
  explicit Settings(atlas::Setup& setup) : host_(setup.host()) {
    using namespace std::chrono_literals;
    const atlas::Config& config = setup.config();
    greeting_ = config.text("greeting", "Hello", "What everybody is greeted with.");
    limit_ = config.integer("limit", 100, 1, 10'000, "Greetings that are sent each minute.");
    pause_ = config.duration("pause", 1500ms, 100ms, 1min, "Time between two greetings.");
    loud_ = config.boolean("loud", false, "Greet in the log as well.");
    friends_ = config.texts("friends", "Node ids that are greeted first.");
    if (greeting_.size() > 64) config.reject("greeting", "64 bytes at most");
  }

  void start() {
    host_.info(greeting_, ", ", limit_, " a minute, ", pause_.count(), " ms apart, to ", friends_.size(), " friends",
               loud_ ? ", loudly" : "");
  }

 private:
  atlas::Host& host_;
  std::string greeting_;
  std::int64_t limit_;
  atlas::Millis pause_;
  bool loud_;
  std::vector<std::string> friends_;
};

ATLAS_PLUGIN(Settings, "org.example.config", "1.0.0", "Reads one key of each kind.", ATLAS_EXT_CONFIG);
