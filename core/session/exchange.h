// One exchange is one bidirectional stream (wire protocol, section 4): the opener sends one envelope and FIN, the other
// side zero or more envelopes and FIN. Bytes and time in, what to do out; no sockets, no clock.
// One object for one stream; the connection's thread. A request that arrives whole and with FIN in one piece is handed
// on without a copy and without an allocation; otherwise no more is held than has arrived.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "wire/envelope.h"

namespace atlas::session {

inline constexpr base::MonoNs kExchangeTimeout = 10 * base::kSecond;  // transport.exchange_timeout

// The responder's side of a stream that the peer opened.
class InboundExchange {
 public:
  explicit InboundExchange(base::MonoNs now, base::MonoNs timeout = kExchangeTimeout,
                           std::uint32_t payload_limit = wire::kMaxPayload)
      : reader_(payload_limit), timeout_(timeout), deadline_(base::after(now, timeout)) {}

  struct Outcome {
    enum class What : std::uint8_t {
      kWait,     // nothing to do; also for whatever comes after one of the others
      kRequest,  // run the request `type` with `payload`
      kError,    // answer Error `code` on the stream and finish it; the rest of the payload is not awaited
      kReset,    // RESET_STREAM and STOP_SENDING with `code`
    } what = What::kWait;
    std::uint8_t type = 0;
    wire::Code code{};
    base::ByteView payload;  // valid until the next call or until `data` goes, whichever is first
  };
  Outcome on_data(base::ByteView data, bool fin, base::MonoNs now);
  // Call at deadline(): nothing flowed for the timeout, in either direction.
  Outcome on_timeout(base::MonoNs now);
  // What is held of the request is not needed any more, and nothing more of it is read.
  void let_go();
  // An envelope of the answer was written; with `last` our side is finished and the exchange is over.
  void answered(base::MonoNs now, bool last);

  base::MonoNs deadline() const { return state_ == State::kOver ? base::kNever : deadline_; }
  // Bytes of an unfinished request that are held.
  std::size_t buffered() const { return reader_.buffered() + held_.size(); }
  // The request has been handed on and no last answer has been written.
  bool awaits_answer() const { return state_ == State::kAnswering; }

 private:
  enum class State : std::uint8_t { kReading, kHolding, kAnswering, kOver };
  Outcome reset();
  Outcome request(std::uint8_t type, base::ByteView payload);

  wire::EnvelopeReader reader_;
  base::Bytes held_;  // a whole request that waits for its FIN
  base::MonoNs timeout_;
  base::MonoNs deadline_;
  State state_ = State::kReading;
  std::uint8_t held_type_ = 0;
};

// The opener's side: the request is written and finished, answers come. The first envelope is the answer; more are read
// and dropped, at most kMaxMoreAnswers.
class OutboundExchange {
 public:
  static constexpr std::uint32_t kMaxMoreAnswers = base::limits::session_more_answers;

  // `timeout` is how long nothing may move; a peer that keeps something moving still gets no more than
  // session.slow_answer times that.
  explicit OutboundExchange(base::MonoNs now, base::MonoNs timeout = kExchangeTimeout,
                            std::uint32_t payload_limit = wire::kMaxPayload)
      : reader_(payload_limit),
        timeout_(timeout),
        deadline_(base::after(now, timeout)),
        latest_(base::after(now, base::saturating_mul<base::MonoNs>(timeout, base::limits::session_slow_answer))) {}

  struct Outcome {
    enum class What : std::uint8_t {
      kWait,      // nothing new
      kAnswer,    // the answer, given once
      kNoAnswer,  // the peer finished without one
      kFault,     // the answer breaks a rule: reset the stream with `code`; the request has failed
      kTimeout,   // nothing came in time: reset the stream with `code`; the request has failed
      kReset,     // the answer was given, then something broke a rule: reset the stream with `code`, nothing more
    } what = What::kWait;
    std::uint8_t type = 0;
    wire::Code code{};
    bool over = false;       // the peer's side has ended, or is to be reset
    base::ByteView payload;  // valid until the next call or until `data` goes, whichever is first
  };
  // With both an answer and a later fault in one piece the answer is given, and `over` with code set asks for a reset.
  Outcome on_data(base::ByteView data, bool fin, base::MonoNs now);
  Outcome on_timeout(base::MonoNs now);
  // The peer has acknowledged more of a large request: the answer may take its time from here.
  void request_moved(base::MonoNs now) { wait_from(now); }

  base::MonoNs deadline() const { return over_ ? base::kNever : deadline_; }
  bool answered() const { return answers_ > 0; }
  bool over() const { return over_; }

 private:
  void wait_from(base::MonoNs now) { deadline_ = std::min(base::after(now, timeout_), latest_); }
  Outcome fault(wire::Code code);
  Outcome after_fault(Outcome so_far, wire::Code code);

  wire::EnvelopeReader reader_;
  base::Bytes answer_;  // only when the answer came in pieces and more followed at once
  base::MonoNs timeout_;
  base::MonoNs deadline_;
  base::MonoNs latest_;
  std::uint32_t answers_ = 0;
  bool answer_held_ = false;  // the reader still shows the answer
  bool over_ = false;
};

}  // namespace atlas::session
