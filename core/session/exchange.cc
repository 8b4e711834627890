#include "session/exchange.h"

#include <functional>

namespace atlas::session {
namespace {

bool lies_in(base::ByteView part, base::ByteView whole) {
  const std::less_equal<const std::uint8_t*> not_after;
  return not_after(whole.data(), part.data()) && not_after(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

InboundExchange::Outcome InboundExchange::reset() {
  state_ = State::kOver;
  held_ = {};
  return {.what = Outcome::What::kReset, .code = wire::Code::kRejected, .payload = {}};
}

InboundExchange::Outcome InboundExchange::request(std::uint8_t type, base::ByteView payload) {
  state_ = State::kAnswering;
  return {.what = Outcome::What::kRequest, .type = type, .payload = payload};
}

InboundExchange::Outcome InboundExchange::on_data(base::ByteView data, bool fin, base::MonoNs now) {
  if (state_ == State::kOver || state_ == State::kAnswering) return {};
  if (!data.empty() || fin) deadline_ = base::after(now, timeout_);
  if (state_ == State::kHolding) {
    if (!data.empty()) return reset();
    if (!fin) return {};
    return reader_.at_boundary() ? request(held_type_, held_) : request(held_type_, reader_.envelope().payload);
  }
  base::ByteView rest = data;
  switch (reader_.feed(rest)) {
    case wire::EnvelopeReader::State::kNeedMore:
      return fin ? reset() : Outcome{};
    case wire::EnvelopeReader::State::kFault:
      state_ = State::kOver;
      return {.what = Outcome::What::kError, .code = reader_.fault(), .payload = {}};
    case wire::EnvelopeReader::State::kEnvelope:
      break;
  }
  if (!rest.empty()) return reset();
  const wire::EnvelopeReader::Envelope& envelope = reader_.envelope();
  if (fin) return request(envelope.type, envelope.payload);
  state_ = State::kHolding;
  held_type_ = envelope.type;
  if (lies_in(envelope.payload, data)) {
    held_.assign(envelope.payload.begin(), envelope.payload.end());
    reader_.pop();
  }
  return {};
}

InboundExchange::Outcome InboundExchange::on_timeout(base::MonoNs now) {
  return now >= deadline() ? reset() : Outcome{};
}

void InboundExchange::let_go() {
  state_ = State::kOver;
  held_ = {};
  reader_ = wire::EnvelopeReader(0);
}

void InboundExchange::answered(base::MonoNs now, bool last) {
  if (state_ != State::kAnswering) return;
  deadline_ = base::after(now, timeout_);
  if (!last) return;
  state_ = State::kOver;
  held_ = {};
}

OutboundExchange::Outcome OutboundExchange::fault(wire::Code code) {
  over_ = true;
  return {
      .what = answered() ? Outcome::What::kReset : Outcome::What::kFault, .code = code, .over = true, .payload = {}};
}

OutboundExchange::Outcome OutboundExchange::on_data(base::ByteView data, bool fin, base::MonoNs now) {
  if (over_) return {};
  if (!data.empty() || fin) wait_from(now);
  Outcome out;
  if (answer_held_) {
    answer_held_ = false;
    reader_.pop();
  }
  base::ByteView rest = data;
  while (true) {
    const auto state = reader_.feed(rest);
    if (state == wire::EnvelopeReader::State::kNeedMore) break;
    const bool faulty = state == wire::EnvelopeReader::State::kFault;
    if (faulty || answers_ > kMaxMoreAnswers) return after_fault(out, faulty ? reader_.fault() : wire::Code::kRejected);
    if (++answers_ == 1) {
      const wire::EnvelopeReader::Envelope& envelope = reader_.envelope();
      out = {.what = Outcome::What::kAnswer, .type = envelope.type, .payload = envelope.payload};
      answer_held_ = rest.empty();
      if (answer_held_) break;
      // More follows in this piece, and reading on would take the payload away unless it lies in `data`.
      if (!lies_in(envelope.payload, data)) {
        answer_.assign(envelope.payload.begin(), envelope.payload.end());
        out.payload = answer_;
      }
    }
    reader_.pop();
  }
  if (!fin) return out;
  if (!answer_held_ && !reader_.at_boundary()) return after_fault(out, wire::Code::kRejected);
  over_ = true;
  out.over = true;
  if (!answered()) out.what = Outcome::What::kNoAnswer;
  return out;
}

OutboundExchange::Outcome OutboundExchange::after_fault(Outcome so_far, wire::Code code) {
  if (so_far.what != Outcome::What::kAnswer) return fault(code);
  over_ = true;
  so_far.over = true;
  so_far.code = code;
  return so_far;
}

OutboundExchange::Outcome OutboundExchange::on_timeout(base::MonoNs now) {
  if (now < deadline()) return {};
  Outcome out = fault(wire::Code::kRejected);
  if (!answered()) out.what = Outcome::What::kTimeout;
  return out;
}

}  // namespace atlas::session
