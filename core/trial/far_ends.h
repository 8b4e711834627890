// The other ends of a role's raw streams, and of its connections of other protocols, in a trial: they take what the
// role writes, and begin, say and end as they are told to behave. What host::Network promises for any thread holds; the
// rest belongs to the trial's thread. What they tell is told from turn(), never from inside a call of the role.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "host/connection_pipe.h"
#include "host/network.h"
#include "host/stream_pipe.h"

namespace atlas::trial {

// How peers answer the requests of the role, and whether its dials reach anybody.
enum class Manner { kRefuses, kTalksNonsense, kSilent };

class FarEnds {
 public:
  using Pipe = std::shared_ptr<host::StreamPipe>;
  using Carrier = std::shared_ptr<host::ConnectionPipe>;

  explicit FarEnds(const base::Clock& clock) : clock_(clock) {}

  // What a stream belongs to: a session by its handle, a connection by its tag.
  enum Kind : std::uint8_t { kInSession, kInConnection };
  using Owner = std::pair<Kind, std::uint64_t>;

  // --- what the role asks for; any thread ---
  void open(Pipe pipe, Owner owner);
  void serve(std::uint64_t tag);
  void dial(host::ProtocolDial dial);
  void judge(std::uint64_t tag, bool accepted);
  void close(std::uint64_t tag, std::uint64_t code, std::string reason);

  // --- the trial's ---
  void behave(Manner manner) { manner_ = manner; }
  void teach(const std::vector<base::Bytes>& bodies) { nonsense_ = bodies; }
  // The peer began it; what it says is the step's business, its other half is looked after here.
  void adopt(Pipe pipe, Owner owner);
  void adopt(Carrier carrier);
  // Sides of it that have ended in what the peer said; when both have, it is closed.
  void over(std::uint64_t tag, bool peer, bool role);
  // The session or the connection is over.
  void end(Owner owner);

  // Tells one of them what is due. False when nothing is.
  bool turn();
  base::MonoNs next_deadline() const;

 private:
  struct Stream {
    Pipe pipe;
    Owner owner;
    bool adopted = false, asked = false, role_over = false, peer_over = false;
    std::optional<std::uint64_t> given_up;
    unsigned said = 0;
    base::MonoNs deadline = 0;
  };
  struct Connection {
    Carrier carrier;
    bool adopted = false, presented = false, up = false;
    unsigned said = 0;
    base::MonoNs deadline = 0;
  };
  using Streams = std::map<std::uint64_t, Stream>;
  using Connections = std::map<std::uint64_t, Connection>;

  void later(std::move_only_function<void()> order);
  bool carry_out();
  void begin(Pipe pipe, Owner owner, bool adopted);
  // Each says whether there was something to do; then the iterator may be stale.
  bool take_orders(Streams::iterator at);
  bool speak(Streams::iterator at);
  bool speak(Connections::iterator at);
  void judged(Connections::iterator at, bool accepted);
  void finish(Streams::iterator at, atlas_status status, std::uint64_t code);
  void finish(Connections::iterator at, std::uint32_t why, std::uint64_t code, std::string reason);
  base::ByteView nonsense(std::uint64_t number) const;

  const base::Clock& clock_;
  Manner manner_ = Manner::kRefuses;
  std::vector<base::Bytes> nonsense_;

  std::mutex mutex_;
  std::deque<std::move_only_function<void()>> orders_;  // guarded by mutex_
  Streams streams_;
  Connections connections_;
};

}  // namespace atlas::trial
