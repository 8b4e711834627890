// The simulated network, compiled into this suite: the unit tier is built without the library of the sim tier.
#include "sim/sim_link.cc"
#include "sim/sim_loop.cc"
#include "sim/sim_nat.cc"
#include "sim/sim_time.cc"
#include "sim/sim_world.cc"
