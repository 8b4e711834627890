// Goodbyes: the reason goes first on a stream of its own, and the close follows once it has arrived or after 500 ms;
// else the close would overtake it (wire protocol, section 4).
#include "base/log.h"
#include "node/switchboard.h"

namespace atlas::node {

void Switchboard::part(Link& link, wire::DisconnectReason reason, std::string_view note) {
  const auto code = static_cast<std::uint64_t>(reason);
  if (link.phase == Phase::kSession) session_down(link, reason);
  const auto stream = link.connection->open_stream();
  if (stream) {
    const auto message = wire::encode(wire::Disconnect{static_cast<std::uint32_t>(reason), std::string(note)});
    link.connection->write(*stream, message, true);
  }
  await_and_close(link, stream ? *stream : -1, code, note);
}

// `awaited` -1: there is nothing to wait for.
void Switchboard::await_and_close(Link& link, quic::StreamId awaited, std::uint64_t code, std::string_view note) {
  link.phase = Phase::kFarewell;
  link.farewell = std::make_unique<Farewell>(Farewell{awaited, code, std::string(note)});
  if (awaited < 0) {
    deadlines_.clear(link);
    link.connection->close(code, note);
  } else {
    deadlines_.set(link, base::after(deadlines_.now(), kFarewellWait));
  }
}

void Switchboard::stop(std::function<void()> done) {
  dialler_.stop();
  stopping_ = true;
  stopped_ = std::move(done);
  deadlines_.set(stop_deadline_, base::after(deadlines_.now(), kStopWait));
  std::vector<Link*> open;
  for (auto& [raw, link] : links_) open.push_back(raw);
  for (Link* link : open) {
    switch (link->phase) {
      case Phase::kSession:
        part(*link, wire::DisconnectReason::kShutdown, kStopNote);
        break;
      case Phase::kTls:
      case Phase::kGreeting:
        await_and_close(*link, -1, 0, kStopNote);
        break;
      case Phase::kFarewell:
      case Phase::kClosed:
        break;
    }
  }
  finish_stop_when_empty();
}

// Somebody's close does not come to its end; whether it is a fault of ours or of the system, the node stops.
void Switchboard::close_stragglers() {
  if (!stopped_) return;
  base::log(base::Level::kWarn, "node", "{} connections had to be closed without a goodbye", links_.size());
  endpoint_->close_all(0, kStopNote);
  if (stopped_) finish_stop();
}

void Switchboard::finish_stop_when_empty() {
  if (stopped_ && links_.empty()) finish_stop();
}

void Switchboard::finish_stop() {
  const auto done = std::exchange(stopped_, nullptr);
  deadlines_.clear(stop_deadline_);
  // Those that are still in TLS have no link.
  if (endpoint_ != nullptr) endpoint_->close_all(0, kStopNote);
  journal_.flush();
  done();
}

}  // namespace atlas::node
