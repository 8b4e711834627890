// One role in a real host, with everything around the host made up: virtual time, peers, rows. What the host does is
// what a node's does; only nothing happens by itself.
// One thread, one process: the role's file stays mapped, so a second world of the same role shares its globals.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "atlas/plugin.h"
#include "base/random.h"
#include "config/config.h"
#include "host/host.h"
#include "identity/node_key.h"
#include "trial/machine.h"
#include "trial/peers.h"
#include "trial/rows.h"

namespace atlas::trial {

// What a command has put out.
struct Shown {
  std::vector<std::string> values;  // rows and the result
  bool finished = false;
  std::int32_t status = 0;
};

class World {
 public:
  // `plugin` is what the loader found; it outlives the world.
  World(const ::atlas_plugin& plugin, host::Mode mode);
  ~World();

  // --- before load() ---
  config::Config config;
  Rows rows;

  // init; the problems that a node would refuse to start with.
  std::vector<config::Problem> load();
  // load() and start(); throws std::runtime_error where the role does not come into service.
  void run();
  // Everything that is due now; throws when the role keeps itself busy for ever.
  void settle();
  // Virtual time, and all that falls due in it.
  void pass(base::MonoNs span);
  // What falls due now is queued for the strand, which does not run.
  void fire_without_running();
  // Time alone: nothing is told.
  void move_clock(base::MonoNs span) { clock_.move_to(clock_.mono_ns() + span); }
  base::MonoNs next_event() const;
  base::MonoNs now() const { return clock_.mono_ns(); }
  void begin_drain(base::MonoNs time);
  // Throws when it does not end.
  void stop();

  host::PeerHandle connect(std::uint64_t number);
  void lose(host::PeerHandle peer, std::uint32_t reason = 0);
  void tell(std::uint32_t what, host::PeerHandle peer, std::uint32_t reason);
  // A message of a peer, not run yet; the handle by which its answer is known.
  host::ReplyHandle deliver(host::PeerHandle from, std::uint8_t type, base::ByteView body);
  // A peer opens a raw stream; its end, or null when the host takes no more.
  FarEnds::Pipe open_stream(host::PeerHandle from, std::uint8_t type, base::ByteView opening);
  // A stranger connects with the role's protocol of that number and shows a chain; null when it may have no more.
  FarEnds::Carrier present(std::size_t protocol, std::vector<base::Bytes> chain);
  // It is gone: first its streams, then itself.
  void lose(const FarEnds::Carrier& carrier);
  bool accepted_last() const { return accepted_; }
  std::pair<std::uint64_t, std::shared_ptr<Shown>> run_command(const host::Command& command,
                                                               const std::map<std::string, std::string>& args);

  host::Host& host() { return *host_; }
  Peers& peers() { return peers_; }
  host::PluginRow row() const;
  // A metric of the host's own about the role, such as "contract_breaks".
  std::int64_t figure(const std::string& name) const;
  std::vector<std::uint8_t> types() const { return row().types; }
  std::vector<std::uint8_t> stream_types() const;  // those among them that are of raw streams
  base::MonoNs longest_callback() const { return strands_.longest(); }
  // What the host holds against the role by now; empty when nothing.
  std::string complaint() const;

 private:
  bool turn();

  const ::atlas_plugin plugin_;
  const host::Mode mode_;
  base::SystemClock real_;
  VirtualClock clock_;
  Strands strands_{real_};
  VirtualLoop loop_{clock_};
  Peers peers_{clock_};
  base::SeededRandom random_{7};
  std::unique_ptr<const identity::NodeKey> key_;
  std::unique_ptr<host::Host> host_;
  std::uint64_t last_reply_ = 0;
  bool accepted_ = false;
};

}  // namespace atlas::trial
