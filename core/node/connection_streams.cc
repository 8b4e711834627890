#include "node/connection_streams.h"

#include <algorithm>
#include <vector>

namespace atlas::node {

void ConnectionStreams::add(quic::StreamId stream, std::shared_ptr<host::StreamPipe> pipe,
                            std::optional<std::size_t> opening, base::MonoNs now) {
  setup_.index->emplace(pipe->tag(), std::pair(this, stream));
  Open& open = streams_[stream];
  open.pipe = std::move(pipe);
  open.moved = now;
  open.opening = opening.value_or(0);
  if (opening) open.refusal = std::make_unique<StreamRefusal>();
  setup_.connection->watch(stream);
}

void ConnectionStreams::serve(quic::StreamId stream, base::MonoNs now) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  Open& open = at->second;
  host::StreamPipe::Orders orders = open.pipe->take_orders();
  quic::Connection& connection = *setup_.connection;
  if (!orders.data.empty() || orders.fin) {
    open.moved = now;
    connection.write(stream, orders.data, orders.fin);
  }
  if (orders.reset) {
    connection.reset_sending(stream, *orders.reset);
    if (!open.given_up) open.given_up = orders.reset;
  }
  if (orders.stop) {
    connection.stop_receiving(stream, *orders.stop);
    if (!open.given_up) open.given_up = orders.stop;
  }
  if (orders.credit > 0) {
    const std::uint64_t dealt_with = std::min(orders.credit, open.unread);
    open.unread -= dealt_with;
    unread_ -= dealt_with;
    connection.consume(stream, orders.credit);
  }
  // Nobody hears of it any more; the library brings its ends to their end.
  if (orders.abandoned) forget(at, ATLAS_E_STOPPING, 0);
}

void ConnectionStreams::pass_on(quic::StreamId stream, Open& open, base::ByteView data, bool fin) {
  open.unread += data.size();
  unread_ += data.size();
  open.pipe->on_data(data, fin);
  if (unread_ <= setup_.ahead) setup_.connection->release(stream, data.size());
}

void ConnectionStreams::data(quic::StreamId stream, base::ByteView data, bool fin, base::MonoNs now) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  Open& open = at->second;
  open.moved = now;
  if (open.refusal == nullptr) return pass_on(stream, open, data, fin);
  switch (open.refusal->on_data(data, fin)) {
    case StreamRefusal::Verdict::kWait:
      return;
    case StreamRefusal::Verdict::kRefused: {
      const std::uint64_t code = open.refusal->code();
      setup_.connection->reset(stream, code);
      return forget(at, ATLAS_E_DENIED, code);
    }
    case StreamRefusal::Verdict::kData: {
      const base::Bytes held = open.refusal->take();
      open.refusal.reset();
      return pass_on(stream, open, held, fin);
    }
  }
}

void ConnectionStreams::acknowledged(quic::StreamId stream, std::size_t bytes, base::MonoNs now) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  Open& open = at->second;
  open.moved = now;
  const std::size_t ours = std::min(bytes, open.opening);
  open.opening -= ours;
  if (bytes > ours) open.pipe->on_acknowledged(bytes - ours);
}

void ConnectionStreams::reset(quic::StreamId stream, std::uint64_t code) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  if (!at->second.given_up) at->second.given_up = code;
  at->second.pipe->on_reset(code);
}

void ConnectionStreams::stopped(quic::StreamId stream, std::uint64_t code) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  if (!at->second.given_up) at->second.given_up = code;
  at->second.pipe->on_stopped(code);
}

void ConnectionStreams::closed(quic::StreamId stream) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) return;
  const auto given_up = at->second.given_up;
  forget(at, given_up ? ATLAS_E_DENIED : ATLAS_OK, given_up.value_or(0));
}

void ConnectionStreams::forget(Streams::iterator at, atlas_status status, std::uint64_t code) {
  const Open open = std::move(at->second);
  streams_.erase(at);
  setup_.index->erase(open.pipe->tag());
  unread_ -= open.unread;
  open.pipe->on_closed(status, code);
}

std::size_t ConnectionStreams::sweep(base::MonoNs now) {
  std::vector<quic::StreamId> idle;
  for (const auto& [stream, open] : streams_) {
    if (base::after(open.moved, setup_.idle) <= now) idle.push_back(stream);
  }
  for (const auto stream : idle) {
    setup_.connection->reset(stream, setup_.idle_code);
    forget(streams_.find(stream), ATLAS_E_TIMEOUT, setup_.idle_code);
  }
  return idle.size();
}

base::MonoNs ConnectionStreams::next_deadline() const {
  base::MonoNs next = base::kNever;
  for (const auto& [stream, open] : streams_) next = std::min(next, base::after(open.moved, setup_.idle));
  return next;
}

void ConnectionStreams::end(atlas_status status) {
  while (!streams_.empty()) forget(streams_.begin(), status, 0);
}

}  // namespace atlas::node
