#include "search.h"

#include <algorithm>

namespace discovery {

using atlas::concat;
using atlas::Millis;

namespace {

constexpr Millis kDialTimeout{10'000};
constexpr Millis kAnswerTimeout{10'000};
// An unknown peer has 5 requests a second and 60 a minute at the other side; more would be a violation there. These
// come to 53 in the worst minute: pings and registers have their share too.
constexpr std::size_t kQuickPages = 16;
constexpr Millis kBetweenQuickPages{250}, kBetweenPages{1'500};
// One result has to fit a line of the control socket (8 MiB).
constexpr std::size_t kMaxShownBytes = 6u << 20;
constexpr std::string_view kFromDatabase = "what is shown is from the peer database";
constexpr std::uint32_t kRateLimited = 4001, kInternal = 5001;
constexpr std::size_t kMaxKnown = 1'000;  // peers of the database that are shown when nobody answers

}  // namespace

void Search::start(const std::vector<std::string>& bootstrap) {
  self_ = host_.peers().self().node_id;
  asked_.resize(bootstrap.size());
  open_ = bootstrap.size();
  const auto run = weak_from_this();
  deadline_ = host_.after(limits_.time, [run] {
    if (const auto self = run.lock()) self->end_all("its answer was not complete in time");
  });
  call_.on_cancel([run] {
    if (const auto self = run.lock()) self->end_all("nobody waits for the answer");
  });
  for (std::size_t i = 0; i < bootstrap.size(); ++i) {
    asked_[i].address = bootstrap[i];
    host_.connect(bootstrap[i], kDialTimeout,
                  [self = shared_from_this(), i](const atlas::Connected& result) { self->connected(i, result); });
  }
}

void Search::connected(std::size_t index, const atlas::Connected& result) {
  Asked& asked = asked_[index];
  if (!result.status.ok()) return over(index, result.why(asked.address));
  asked.peer = result.peer;
  static_cast<void>(host_.peers().info(asked.peer, [&](const atlas::PeerView& peer) {
    if (const auto at = atlas::Address::parse(peer.address())) asked.host = at->host;
  }));
  ask(index);
}

void Search::ask(std::size_t index) {
  Asked& asked = asked_[index];
  if (asked.over) return;
  ++asked.pages;
  const auto body = encode_discover(filter_, kPageRecords, asked.cursor);
  host_.request(asked.peer, kDiscover, body, kAnswerTimeout,
                [self = shared_from_this(), index](const atlas::Answer& answer) { self->answered(index, answer); });
}

void Search::answered(std::size_t index, const atlas::Answer& answer) {
  Asked& asked = asked_[index];
  if (asked.over) return;
  if (!answer.status.ok()) return over(index, answer.why());
  if (!answer.ok()) return refused(index, answer.error_code, answer.why());
  const Reading reading{host_.unix_seconds(), limits_.records - asked.records, asked.host};
  auto page = answer.type == kPeers ? decode_peers(answer.map(), reading) : std::nullopt;
  if (!page) return refused(index, 0, "the answer is no list of peers");
  asked.records += page->peers.size() + page->malformed;
  asked.bytes += answer.body.size();
  // A cursor that leads nowhere new would go on for ever.
  const bool more = !page->next.empty() && page->next != asked.cursor;
  asked.cursor = std::move(page->next);
  keep(std::move(*page));
  if (!more || asked.records >= limits_.records || asked.bytes >= limits_.bytes || asked.pages >= limits_.pages) {
    return over(index, "");
  }
  const Millis pause = asked.pages < kQuickPages ? kBetweenQuickPages : kBetweenPages;
  asked.next = host_.after(pause, [self = shared_from_this(), index] { self->ask(index); });
  if (!asked.next) over(index, "too many timers are running");
}

void Search::keep(Page page) {
  for (auto& record : page.peers) {
    if (record.node_id == self_) continue;
    // What the database refuses is not shown either.
    if (!host_.peers().upsert(record).ok() || !filter_.matches(record)) continue;
    auto& known = found_[record.node_id];
    if (known.node_id.empty() || known.last_seen < record.last_seen) known = std::move(record);
  }
}

void Search::refused(std::size_t index, std::uint32_t code, std::string problem) {
  asked_[index].refusal = code;
  over(index, std::move(problem));
}

void Search::over(std::size_t index, std::string problem) {
  Asked& asked = asked_[index];
  if (std::exchange(asked.over, true)) return;
  asked.next.cancel();
  // Half an answer is one.
  if (problem.empty() || asked.records != 0) ++answering_;
  if (!problem.empty()) static_cast<void>(call_.progress(concat("bootstrap node ", asked.address, ": ", problem)));
  asked.problem = std::move(problem);
  if (--open_ == 0) report();
}

void Search::end_all(const std::string& problem) {
  const auto self = shared_from_this();  // the timers that are cancelled may be all that holds it
  for (std::size_t i = 0; i < asked_.size(); ++i) over(i, problem);
}

// When no bootstrap node answers, what is known from before is better than nothing.
void Search::add_known() {
  static_cast<void>(host_.peers().list(ATLAS_PEERS_KNOWN, [&](const atlas::PeerView& peer) {
    atlas::PeerInfo known(peer);
    if (known.node_id != self_ && filter_.matches(known)) found_.emplace(known.node_id, known);
    return found_.size() < kMaxKnown;
  }));
}

void Search::report() {
  deadline_.cancel();
  if (!call_.is_open()) return;
  if (answering_ == 0) add_known();
  std::vector<const atlas::PeerInfo*> order;
  for (const auto& [id, peer] : found_) order.push_back(&peer);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->last_seen > b->last_seen; });
  atlas::json::Array out;
  std::size_t bytes = 0, shown = 0;
  for (const auto* peer : order) {
    const std::string row = to_json(*peer).str();
    bytes += row.size() + 1;
    if (bytes > kMaxShownBytes) break;
    out.raw(row);
    ++shown;
  }
  if (shown < order.size()) static_cast<void>(call_.progress(concat(order.size() - shown, " more are not shown")));
  static_cast<void>(call_.result(out.str()));
  if (answering_ > 0) return call_.finish();
  fail();
}

// Somebody who says no is told before many who say nothing: there is something to be done about it.
void Search::fail() {
  const auto no = std::find_if(asked_.begin(), asked_.end(), [](const Asked& asked) { return asked.refusal; });
  if (no == asked_.end()) {
    return call_.fail({ATLAS_E_UNREACHABLE},
                      concat("no bootstrap node answered: see that network.bootstrap in config.toml is right and that "
                             "they are up; ",
                             kFromDatabase));
  }
  const char* advice = no->refusal == kRateLimited ? "ask again in some minutes"
                       : no->refusal == kInternal  ? "ask again later"
                                                   : "see that it runs the bootstrap role";
  call_.fail({ATLAS_E_DENIED},
             concat("bootstrap node ", no->address, " refused: ", no->problem, ": ", advice, "; ", kFromDatabase));
}

}  // namespace discovery
