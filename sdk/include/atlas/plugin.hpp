// atlas/plugin.hpp - write a role as one C++20 class. Header-only; everything crosses to the core as plain C.
//
//   class Echo {
//    public:
//     explicit Echo(atlas::Setup& setup) : host_(setup.host()) {
//       limit_ = setup.config().integer("limit", 100, 1, 10'000, "Echoes answered each minute.");
//       setup.on(0x80, &Echo::on_echo).every(std::chrono::minutes(1), &Echo::refill);
//     }
//     void on_echo(const atlas::Incoming& request) { static_cast<void>(request.reply(0x81, request.body)); }
//     ...
//   };
//   ATLAS_PLUGIN(Echo, "echo", "1.0.0", "Sends back what it is sent.", ATLAS_EXT_MESSAGES);
//
// The constructor registers (no I/O, no threads: it also runs only to list what there is). Optional members, each
// called when the class has it:
//   void|Status start()             the network is up
//   void drain(Millis deadline)     take no new work
//   void on_peer(const PeerEvent&)  a session came, went or moved
// The destructor is the end. All calls of one role come one after the other on its strand.
//
// A capability that the host lacks answers ATLAS_E_STATE; no call ever jumps through an absent function. Exceptions end
// inside the plugin, with a line in the log.
#pragma once

#include "cpp/bus.hpp"
#include "cpp/cli.hpp"
#include "cpp/config.hpp"
#include "cpp/connections.hpp"
#include "cpp/entry.hpp"
#include "cpp/host.hpp"
#include "cpp/identity.hpp"
#include "cpp/incoming.hpp"
#include "cpp/listener.hpp"
#include "cpp/metrics.hpp"
#include "cpp/peers.hpp"
#include "cpp/protocols.hpp"
#include "cpp/routes.hpp"
#include "cpp/setup.hpp"
#include "cpp/store.hpp"
#include "cpp/streams.hpp"
