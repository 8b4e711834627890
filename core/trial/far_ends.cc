#include "trial/far_ends.h"

#include <algorithm>

namespace atlas::trial {
namespace {

constexpr base::MonoNs kStreamIdle = 60 * base::kSecond, kConnectionIdle = 60 * base::kSecond;
constexpr std::size_t kWindow = 64 << 10;
constexpr std::uint64_t kRefusedCode = 2003, kBadCertificate = 0x12a;

}  // namespace

// --- what the role asks for ---

void FarEnds::later(std::move_only_function<void()> order) {
  const std::lock_guard lock(mutex_);
  orders_.push_back(std::move(order));
}

void FarEnds::open(Pipe pipe, Owner owner) {
  later([this, pipe = std::move(pipe), owner] { begin(pipe, owner, false); });
}

void FarEnds::serve(std::uint64_t tag) {
  later([this, tag] {
    if (const auto found = streams_.find(tag); found != streams_.end()) found->second.asked = true;
  });
}

void FarEnds::dial(host::ProtocolDial dial) {
  later([this, dial = std::move(dial)] {
    Connection made;
    made.carrier = dial.pipe;
    made.deadline = base::after(clock_.mono_ns(), dial.timeout);
    connections_.emplace(dial.pipe->tag(), std::move(made));
  });
}

void FarEnds::judge(std::uint64_t tag, bool accepted) {
  later([this, tag, accepted] {
    if (const auto found = connections_.find(tag); found != connections_.end()) judged(found, accepted);
  });
}

void FarEnds::close(std::uint64_t tag, std::uint64_t code, std::string reason) {
  later([this, tag, code, reason = std::move(reason)] {
    const auto found = connections_.find(tag);
    if (found != connections_.end()) finish(found, ATLAS_CLOSED_LOCAL, code, reason);
  });
}

// --- what peers begin ---

void FarEnds::begin(Pipe pipe, Owner owner, bool adopted) {
  Stream made;
  made.owner = owner;
  made.adopted = adopted;
  made.asked = true;  // it may have been written to before
  made.deadline = base::after(clock_.mono_ns(), kStreamIdle);
  const std::uint64_t tag = pipe->tag();
  made.pipe = std::move(pipe);
  streams_.emplace(tag, std::move(made));
}

void FarEnds::adopt(Pipe pipe, Owner owner) {
  begin(std::move(pipe), owner, true);
}

void FarEnds::adopt(Carrier carrier) {
  Connection made;
  made.adopted = made.presented = true;
  made.deadline = base::after(clock_.mono_ns(), kConnectionIdle);
  const std::uint64_t tag = carrier->tag();
  made.carrier = std::move(carrier);
  connections_.emplace(tag, std::move(made));
}

void FarEnds::over(std::uint64_t tag, bool peer, bool role) {
  const auto found = streams_.find(tag);
  if (found == streams_.end()) return;
  found->second.peer_over = found->second.peer_over || peer;
  found->second.role_over = found->second.role_over || role;
}

void FarEnds::end(Owner owner) {
  for (auto at = streams_.begin(); at != streams_.end();) {
    const auto it = at++;
    if (it->second.owner == owner) finish(it, ATLAS_E_GONE, 0);
  }
}

// --- turns ---

bool FarEnds::carry_out() {
  std::move_only_function<void()> order;
  {
    const std::lock_guard lock(mutex_);
    if (orders_.empty()) return false;
    order = std::move(orders_.front());
    orders_.pop_front();
  }
  order();  // it may tell a pipe, whose plugin has locks of its own
  return true;
}

bool FarEnds::turn() {
  if (carry_out()) return true;
  for (auto at = streams_.begin(); at != streams_.end(); ++at) {
    if (take_orders(at) || speak(at)) return true;
  }
  for (auto at = connections_.begin(); at != connections_.end(); ++at) {
    if (speak(at)) return true;
  }
  return false;
}

base::MonoNs FarEnds::next_deadline() const {
  base::MonoNs next = base::kNever;
  for (const auto& [tag, stream] : streams_) next = std::min(next, stream.deadline);
  for (const auto& [tag, connection] : connections_) next = std::min(next, connection.deadline);
  return next;
}

void FarEnds::finish(Streams::iterator at, atlas_status status, std::uint64_t code) {
  const Pipe pipe = std::move(at->second.pipe);
  streams_.erase(at);
  pipe->on_closed(status, code);
}

void FarEnds::finish(Connections::iterator at, std::uint32_t why, std::uint64_t code, std::string reason) {
  const Carrier carrier = std::move(at->second.carrier);
  const std::uint64_t tag = at->first;
  connections_.erase(at);
  end({kInConnection, tag});
  carrier->on_down(why, code, std::move(reason));
}

bool FarEnds::take_orders(Streams::iterator at) {
  Stream& stream = at->second;
  if (!std::exchange(stream.asked, false)) return false;
  const host::StreamPipe::Orders orders = stream.pipe->take_orders();
  stream.deadline = base::after(clock_.mono_ns(), kStreamIdle);
  if (!orders.data.empty() && manner_ != Manner::kSilent) stream.pipe->on_acknowledged(orders.data.size());
  stream.role_over = stream.role_over || orders.fin || orders.reset;
  if (orders.stop) stream.peer_over = true;  // it gives up where it is asked to
  for (const auto& code : {orders.reset, orders.stop}) {
    if (code && !stream.given_up) stream.given_up = code;
  }
  if (orders.abandoned) finish(at, ATLAS_E_STOPPING, 0);
  return true;
}

// One thing more of what it has to say.
bool FarEnds::speak(Streams::iterator at) {
  Stream& stream = at->second;
  if (stream.deadline <= clock_.mono_ns()) {
    finish(at, ATLAS_E_TIMEOUT, kRefusedCode);
    return true;
  }
  if (stream.role_over && stream.peer_over) {
    finish(at, stream.given_up ? ATLAS_E_DENIED : ATLAS_OK, stream.given_up.value_or(0));
    return true;
  }
  if (stream.adopted || manner_ == Manner::kSilent) return false;
  if (manner_ == Manner::kRefuses) {
    finish(at, ATLAS_E_DENIED, kRefusedCode);
    return true;
  }
  host::StreamPipe& pipe = *stream.pipe;
  switch (stream.said++) {
    case 0: {
      const base::ByteView all = nonsense(at->first);
      pipe.on_data(all.first(std::min(all.size(), kWindow / 2)), false);
      return true;
    }
    case 1:
      pipe.on_data(base::Bytes(kWindow / 2, 'x'), false);
      return true;
    case 2: {  // one way or the other, or both
      const std::uint64_t how = at->first % 3;
      if (how != 0) pipe.on_stopped(9);
      if (how == 1) {
        pipe.on_data({}, true);
      } else {
        pipe.on_reset(7);
      }
      stream.role_over = stream.role_over || how != 0;
      stream.peer_over = true;
      if (!stream.given_up) stream.given_up = how == 1 ? 9 : 7;
      return true;
    }
    default:
      return false;
  }
}

bool FarEnds::speak(Connections::iterator at) {
  Connection& connection = at->second;
  host::ConnectionPipe& carrier = *connection.carrier;
  if (connection.deadline <= clock_.mono_ns()) {
    finish(at, ATLAS_CLOSED_IDLE, 0, "nobody answers, in a trial");
    return true;
  }
  if (connection.adopted || manner_ == Manner::kSilent) return false;
  if (manner_ == Manner::kRefuses) {
    finish(at, ATLAS_CLOSED_TRANSPORT, kBadCertificate, "refused in a trial");
    return true;
  }
  if (!std::exchange(connection.presented, true)) {
    const base::ByteView shown = nonsense(at->first);
    carrier.on_presented({{shown.begin(), shown.end()}, {0x30, 0x00}});
    return true;
  }
  if (!connection.up) return false;
  switch (connection.said++) {
    case 0:
    case 1: {
      const bool unidirectional = connection.said == 2;
      if (Pipe pipe = carrier.arrived_stream(unidirectional)) {
        begin(pipe, {kInConnection, at->first}, true);
        pipe->on_data(base::Bytes(kWindow / 4, 'y'), unidirectional);
        Stream& stream = streams_.at(pipe->tag());
        stream.peer_over = stream.role_over = unidirectional;
      }
      return true;
    }
    case 2:
      finish(at, ATLAS_CLOSED_PEER, 42, "enough, in a trial");
      return true;
    default:
      return false;
  }
}

void FarEnds::judged(Connections::iterator at, bool accepted) {
  if (!accepted) return finish(at, ATLAS_CLOSED_REFUSED, kBadCertificate, "the certificate was refused");
  Connection& connection = at->second;
  connection.up = true;
  connection.deadline = base::after(clock_.mono_ns(), kConnectionIdle);
  for (const bool unidirectional : {false, true}) connection.carrier->on_streams_allowed(unidirectional, 3);
  connection.carrier->on_up();
}

base::ByteView FarEnds::nonsense(std::uint64_t number) const {
  static const base::Bytes kPlain = {0xc1};
  return nonsense_.empty() ? kPlain : nonsense_[number % nonsense_.size()];
}

}  // namespace atlas::trial
