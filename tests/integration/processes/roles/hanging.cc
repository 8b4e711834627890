// A role that never lets go of its thread when it is to stop.
#include <poll.h>

#include <atlas/plugin.hpp>

namespace {

class Hanging {
 public:
  explicit Hanging(atlas::Setup&) {}
  ~Hanging() {
    for (;;) poll(nullptr, 0, -1);
  }
};

}  // namespace

ATLAS_PLUGIN(Hanging, "hanging", "1.0.0", "Does not stop.");
