// Counts for other plugins: whoever asks org.example.bus/add gets the new sum, and everybody hears of it.
#include <atlas/plugin.hpp>

class Sum {
 public:
  explicit Sum(atlas::Setup& setup) : host_(setup.host()) {
    setup.offer("org.example.bus/add", &Sum::on_add).hear("org.example.weather/changed", &Sum::on_weather);
  }

 private:
  atlas::Status on_add(const atlas::BusRequest& request) {
    const std::vector<std::uint8_t> sum{++sum_};
    static_cast<void>(host_.bus().publish("org.example.bus/sum", sum));
    return request.call.answer(sum);
  }

  // The other plugin need not be there: then nothing is heard, and requests end with GONE.
  void on_weather(const atlas::BusEvent&) {
    host_.bus().request("org.example.weather/now", "", std::chrono::seconds(1),
                        [this](const atlas::BusAnswer& answer) { host_.info(answer.ok() ? "weather" : "no weather"); });
  }

  atlas::Host& host_;
  std::uint8_t sum_ = 0;
};

ATLAS_PLUGIN(Sum, "org.example.bus", "1.0.0", "Counts for other plugins.", ATLAS_EXT_BUS);
