// A role that cannot start.
#include <atlas/plugin.hpp>

namespace {

class Failing {
 public:
  explicit Failing(atlas::Setup&) {}
  void start() { throw std::runtime_error("the moon is not full"); }
};

}  // namespace

ATLAS_PLUGIN(Failing, "failing", "1.0.0", "Fails to start.");
