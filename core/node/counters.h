// What the node refused and did, each rule by its own number. Written on the loop thread, read on any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace atlas::node {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct NodeCounters {
  Counter sessions_opened, sessions_closed, sessions_replaced;
  Counter handshakes_failed, handshakes_rejected, handshakes_timed_out;
  Counter requests, answers, requests_sent;
  Counter refused_per_second, refused_per_minute, refused_payload;
  Counter refused_no_owner, refused_structure, refused_busy, refused_framing;
  Counter refused_unfinished, refused_unread;
  Counter exchanges_timed_out, violations, bans;
  Counter early_streams_refused;
  Counter streams_opened, streams_accepted, streams_refused, streams_timed_out;
  Counter dials, dials_failed;

  // Visits every counter with the name that metrics and `net status` show.
  template <class Visitor>
  void each(Visitor&& visit) const {
    visit("sessions_opened", sessions_opened.get());
    visit("sessions_closed", sessions_closed.get());
    visit("sessions_replaced", sessions_replaced.get());
    visit("handshakes_failed", handshakes_failed.get());
    visit("handshakes_rejected", handshakes_rejected.get());
    visit("handshakes_timed_out", handshakes_timed_out.get());
    visit("requests", requests.get());
    visit("answers", answers.get());
    visit("requests_sent", requests_sent.get());
    visit("refused_per_second", refused_per_second.get());
    visit("refused_per_minute", refused_per_minute.get());
    visit("refused_payload_per_minute", refused_payload.get());
    visit("refused_no_owner", refused_no_owner.get());
    visit("refused_structure", refused_structure.get());
    visit("refused_busy", refused_busy.get());
    visit("refused_framing", refused_framing.get());
    visit("refused_unfinished", refused_unfinished.get());
    visit("refused_unread", refused_unread.get());
    visit("exchanges_timed_out", exchanges_timed_out.get());
    visit("violations", violations.get());
    visit("bans", bans.get());
    visit("early_streams_refused", early_streams_refused.get());
    visit("streams_opened", streams_opened.get());
    visit("streams_accepted", streams_accepted.get());
    visit("streams_refused", streams_refused.get());
    visit("streams_timed_out", streams_timed_out.get());
    visit("dials", dials.get());
    visit("dials_failed", dials_failed.get());
  }
};

}  // namespace atlas::node
