// Counts minutes in the log.
#include <atlas/plugin.hpp>

class Minutes {
 public:
  // Runs from start() until the role drains.
  explicit Minutes(atlas::Setup& setup) : host_(setup.host()) {
    setup.every(std::chrono::minutes(1), &Minutes::on_minute);
  }

 private:
  void on_minute() {
    host_.info("minute ", ++minutes_);
    // A one-shot. Letting go of a Timer stops it, so it is a member and no local variable.
    pause_ = host_.after(std::chrono::seconds(1), [this] { host_.debug("a second later"); });
  }

  atlas::Host& host_;
  atlas::Timer pause_;
  int minutes_ = 0;
};

ATLAS_PLUGIN(Minutes, "org.example.timers", "1.0.0", "Counts minutes.", ATLAS_EXT_TIMERS);
