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
  stopped_ = std::move(done);
  std::vector<Link*> open;
  for (auto& [raw, link] : links_) open.push_back(raw);
  for (Link* link : open) {
    switch (link->phase) {
      case Phase::kSession:
        part(*link, wire::DisconnectReason::kShutdown, "the node is shutting down");
        break;
      case Phase::kTls:
      case Phase::kGreeting:
        await_and_close(*link, -1, 0, "the node is shutting down");
        break;
      case Phase::kFarewell:
      case Phase::kClosed:
        break;
    }
  }
  finish_stop_when_empty();
}

void Switchboard::finish_stop_when_empty() {
  if (!stopped_ || !links_.empty()) return;
  journal_.flush();
  const auto done = std::exchange(stopped_, nullptr);
  done();
}

}  // namespace atlas::node
