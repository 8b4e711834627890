// Counts its own starts.
#include <atlas/plugin.hpp>

class Starts {
 public:
  explicit Starts(atlas::Setup& setup) : host_(setup.host()) {}

  void start() {
    // Rows outlive this version of the role: read them as if somebody else had written them.
    if (const auto row = host_.store().get("starts"); row && !row->empty()) starts_ = row->front();
    ++starts_;
    host_.store().put("starts", std::vector<std::uint8_t>{starts_}, [this](atlas::Status durable) {
      host_.info("start ", starts_, durable ? " is on disk" : " is not on disk");
    });
  }

 private:
  atlas::Host& host_;
  std::uint8_t starts_ = 0;
};

ATLAS_PLUGIN(Starts, "org.example.store", "1.0.0", "Counts its own starts.", ATLAS_EXT_STORE);
