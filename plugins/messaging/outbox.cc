#include "outbox.h"

#include <algorithm>

#include "rows.h"

namespace messaging {

using atlas::concat;
using atlas::Millis;
using atlas::Status;
using atlas::msgpack::MapView;
using atlas::msgpack::Writer;

namespace {

constexpr std::string_view kRows = "out/";      // number -> target, message; written once
constexpr std::string_view kAttempts = "try/";  // number -> how far it has come
constexpr Millis kSoonest{50};                  // between two looks at what is due
constexpr std::size_t kMaxReason = 256;         // bytes that are kept

std::string text_of(const MapView& map, std::string_view key) {
  return std::string(map.find(key).text().value_or(""));
}

std::optional<Message> message_of(const std::optional<std::vector<std::uint8_t>>& row) {
  if (!row) return std::nullopt;
  std::string why;
  return decode(MapView::of(*row).find("message").map(), why);
}

}  // namespace

void Outbox::load() {
  load_rows();
  load_attempts();
  load_audit();
  arm();
}

// Receivers are dialled at random times of the first pause, each of them for all that waits for it: what was sent to
// one node goes out in that order.
void Outbox::load_rows() {
  const auto spread = static_cast<std::uint64_t>(limits_.first_pause.count()) + 1;
  static_cast<void>(host_.store().scan(kRows, "", [&](atlas::Bytes key, atlas::Bytes value) {
    const auto map = MapView::of(value);
    Waiting waiting;
    Entry& entry = waiting.entry;
    entry.number = number_of(kRows, as_text(key));
    entry.target = text_of(map, "target");
    entry.id = text_of(map.find("message").map(), "id");
    entry.created_at = std::clamp<std::int64_t>(map.find("created_at").i64().value_or(0), 0, host_.unix_seconds());
    next_ = std::max(next_, entry.number + 1);
    if (entry.target.empty() || entry.id.empty()) return true;  // of a newer version, perhaps: left alone
    waiting.bytes = value.size();
    waiting.due = host_.now();
    if (!lanes_.contains(entry.target)) lanes_[entry.target].away(host_.now() + Millis(host_.random_below(spread)));
    insert(std::move(waiting));
    return true;
  }));
}

void Outbox::load_attempts() {
  std::vector<std::uint64_t> orphans;
  static_cast<void>(host_.store().scan(kAttempts, "", [&](atlas::Bytes key, atlas::Bytes value) {
    const std::uint64_t number = number_of(kAttempts, as_text(key));
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return orphans.push_back(number), true;
    const auto map = MapView::of(value);
    found->second.entry.attempts = map.find("attempts").u32().value_or(0);
    found->second.entry.to = text_of(map, "to");
    found->second.entry.reason = text_of(map, "reason");
    return true;
  }));
  for (const auto number : orphans) static_cast<void>(host_.store().remove(numbered(kAttempts, number)));
}

Outbox::Place Outbox::insert(Waiting waiting) {
  bytes_ += waiting.bytes;
  ++lanes_[waiting.entry.target].waiting;
  const std::uint64_t number = waiting.entry.number;
  return waiting_.insert_or_assign(number, std::move(waiting)).first;
}

std::string Outbox::why_no_room(std::uint64_t bytes) const {
  constexpr std::string_view advice = "; `atlas net outbox` shows what waits, its --remove gives a message up";
  if (waiting_.size() >= limits_.messages) {
    return concat("the outbox is full: ", limits_.messages, " messages may wait (plugins.messaging.outbox_messages)",
                  advice);
  }
  if (bytes_ + bytes <= limits_.bytes) return "";
  return concat("the outbox is full: it holds ", bytes_, " bytes and this message has ", bytes, ", together more than ",
                limits_.bytes, " (plugins.messaging.outbox_bytes)", advice);
}

std::string Outbox::why_not_stored(Status status, const std::string& host_says) const {
  if (!host_says.empty()) return concat("not stored: ", host_says);
  if (status.code == ATLAS_E_FULL) {
    return "not stored: there is no room left on the disk of the node's database; see the node's log";
  }
  return concat("not stored: ", status.text());
}

void Outbox::add(std::string target, Message message, Told told, Refused refused) {
  if (stopped_) return refused({ATLAS_E_STOPPING}, "the node is shutting down");
  Waiting waiting;
  Entry& entry = waiting.entry;
  entry.number = next_;
  entry.target = std::move(target);
  entry.id = message.id;
  entry.created_at = host_.unix_seconds();
  Writer row;
  row.map(3).text("target").text(entry.target).text("created_at").integer(entry.created_at);
  row.text("message").raw(encode(message));
  waiting.bytes = row.size();
  if (const std::string why = why_no_room(waiting.bytes); !why.empty()) return refused({ATLAS_E_FULL}, why);

  waiting.due = host_.now();
  waiting.tell_by = host_.now() + kTellWithin;
  waiting.stored = false;
  waiting.told = std::move(told);
  const std::uint64_t number = next_++;
  insert(std::move(waiting));
  const auto at_once = std::make_shared<bool>(true);  // what the host says of its last refusal is about this one
  host_.store().put(numbered(kRows, number), row.bytes(), [this, number, refused, at_once](Status status) {
    if (status.ok()) return stored(number);
    const std::string why = why_not_stored(status, *at_once ? host_.last_error() : "");
    if (const auto place = waiting_.find(number); place != waiting_.end()) drop(place);
    refused(status, why);
  });
  *at_once = false;
}

void Outbox::stored(std::uint64_t number) {
  const auto place = waiting_.find(number);
  if (place == waiting_.end()) return;
  place->second.stored = true;
  if (stopped_) {
    place->second.entry.reason = "the node is shutting down";
    return tell(place->second, Outcome::kWaiting);
  }
  lanes_[place->second.entry.target].hurry();  // who asks now may know more than the last failure
  on_wake();
}

bool Outbox::may_start(const Waiting& waiting, Millis now) const {
  if (!waiting.stored || waiting.under_way || waiting.due > now) return false;
  const auto lane = lanes_.find(waiting.entry.target);
  return lane != lanes_.end() && !lane->second.busy && lane->second.ready_at() <= now;
}

void Outbox::start_due() {
  const Millis now = host_.now();
  std::vector<std::uint64_t> due;
  for (const auto& [number, waiting] : waiting_) {
    if (may_start(waiting, now)) due.push_back(number);
  }
  // Each start makes its lane busy, and may end at once with everything that follows from it.
  for (const auto number : due) {
    if (under_way_ >= kMaxUnderWay) return;
    const auto place = waiting_.find(number);
    if (place != waiting_.end() && may_start(place->second, now)) attempt(place);
  }
}

void Outbox::attempt(Place place) {
  const std::uint64_t number = place->first;
  Waiting& waiting = place->second;
  const Entry& entry = waiting.entry;
  waiting.under_way = true;
  lanes_[entry.target].busy = true;
  ++under_way_;
  ++waiting.entry.attempts;
  const auto done = [this, number, target = entry.target](const Delivery& delivery) {
    attempted(number, target, delivery);
  };
  auto message = message_of(host_.store().get(numbered(kRows, number)));
  if (!message) {
    Delivery unread;
    unread.reason = "it could not be read from the database";
    return done(unread);
  }
  deliver(host_, entry.to.empty() ? entry.target : entry.to, std::move(*message), done);
}

void Outbox::attempted(std::uint64_t number, const std::string& target, const Delivery& delivery) {
  Lane& lane = lanes_[target];
  lane.busy = false;
  --under_way_;
  const auto place = waiting_.find(number);
  if (!delivery.to.empty()) lane.sent(host_.now(), place == waiting_.end() ? 0 : place->second.bytes);
  if (place == waiting_.end()) return arm();  // removed in the meantime
  Waiting& waiting = place->second;
  waiting.under_way = false;
  Entry& entry = waiting.entry;
  entry.reason = delivery.reason.substr(0, kMaxReason);
  if (!delivery.to.empty()) entry.to = delivery.to;
  if (delivery.stopping || stopped_) {
    if (delivery.outcome == Outcome::kWaiting) {
      if (delivery.stopping) --entry.attempts;
      return tell(waiting, Outcome::kWaiting);
    }
  }
  if (delivery.outcome != Outcome::kWaiting) {
    end(place, delivery.outcome);
  } else if (is_too_old(entry)) {
    end(place, Outcome::kExpired);
  } else {
    wait_on(waiting, delivery, lane);
  }
  arm();
}

void Outbox::wait_on(Waiting& waiting, const Delivery& delivery, Lane& lane) {
  Entry& entry = waiting.entry;
  const Millis now = host_.now(), pause = pause_after(entry.attempts);
  // Who is away is away for those behind as well: the lane waits, and the oldest is the first again.
  waiting.due = delivery.away ? now : now + pause;
  if (delivery.away) lane.away(now + pause);
  if (delivery.limited) lane.limited(now);
  note(entry, to_text(Outcome::kWaiting));
  save(entry);
  const Entry first = entry;
  tell(waiting, Outcome::kWaiting);
  if (!delivery.away) return;
  tell_those_behind(first);
  expire(first.target);  // they have no attempt of their own now
}

// Nobody was there for the first of a lane: it is as if the others had been tried.
void Outbox::tell_those_behind(const Entry& first) {
  for (auto& [number, waiting] : waiting_) {
    if (waiting.entry.target != first.target || !waiting.told || !waiting.stored || waiting.under_way) continue;
    waiting.entry.reason = first.reason;
    tell(waiting, Outcome::kWaiting);
  }
}

void Outbox::end(Place place, Outcome outcome) {
  note(place->second.entry, to_text(outcome));
  const Told told = std::exchange(place->second.told, nullptr);
  const Entry entry = place->second.entry;
  drop(place);
  if (told) told(outcome, entry);
  ended_(outcome);
}

void Outbox::expire(const std::string& target) {
  std::vector<std::uint64_t> old;
  for (const auto& [number, waiting] : waiting_) {
    const bool idle = waiting.stored && !waiting.under_way;
    if (idle && waiting.entry.target == target && is_too_old(waiting.entry)) old.push_back(number);
  }
  for (const auto number : old) {
    if (const auto place = waiting_.find(number); place != waiting_.end()) end(place, Outcome::kExpired);
  }
}

bool Outbox::is_too_old(const Entry& entry) const {
  return host_.unix_seconds() - entry.created_at > limits_.keep_for.count() / 1000;
}

void Outbox::tell(Waiting& waiting, Outcome outcome) {
  const Told told = std::exchange(waiting.told, nullptr);
  if (told) told(outcome, outcome == Outcome::kWaiting ? shown(waiting) : waiting.entry);
}

// With what follows from the others that wait.
Outbox::Entry Outbox::shown(const Waiting& waiting) const {
  Entry out = waiting.entry;
  if (waiting.under_way || !waiting.stored || stopped_) return out;
  if (out.reason.empty()) out.reason = why_waiting(waiting);
  const Lane& lane = lanes_.at(out.target);
  const Millis next = std::max(waiting.due, lane.ready_at());
  out.next_at = lane.busy ? 0 : host_.unix_seconds() + std::max(next - host_.now(), Millis(0)).count() / 1000;
  return out;
}

void Outbox::save(const Entry& entry) {
  Writer row;
  row.map(3).text("attempts").integer(entry.attempts).text("to").text(entry.to).text("reason").text(entry.reason);
  static_cast<void>(host_.store().put(numbered(kAttempts, entry.number), row.bytes()));
}

// Doubles from the first pause to the longest, with up to a quarter less at random.
Millis Outbox::pause_after(std::uint32_t attempts) const {
  const std::uint32_t doublings = std::min(std::max(attempts, 1u) - 1, 20u);
  const auto whole = std::min<std::int64_t>(limits_.first_pause.count() << doublings, limits_.longest_pause.count());
  return Millis(whole - static_cast<std::int64_t>(host_.random_below(static_cast<std::uint64_t>(whole) / 4 + 1)));
}

void Outbox::drop(Place place) {
  const std::uint64_t number = place->first;
  bytes_ -= std::min(bytes_, place->second.bytes);
  --lanes_[place->second.entry.target].waiting;
  waiting_.erase(place);
  static_cast<void>(host_.store().remove(numbered(kRows, number)));
  static_cast<void>(host_.store().remove(numbered(kAttempts, number)));
}

// One timer, on the first moment at which something may start or somebody is to be told.
void Outbox::arm() {
  if (stopped_) return wake_.cancel();
  const Millis now = host_.now();
  std::erase_if(lanes_, [now](const auto& lane) {
    return lane.second.waiting == 0 && !lane.second.busy && lane.second.ready_at() <= now;
  });
  std::optional<Millis> first;
  const auto consider = [&first](Millis at) { first = std::min(first.value_or(at), at); };
  for (const auto& [number, waiting] : waiting_) {
    if (!waiting.stored || waiting.under_way) continue;
    if (waiting.told) consider(waiting.tell_by);
    const Lane& lane = lanes_.at(waiting.entry.target);
    if (!lane.busy && under_way_ < kMaxUnderWay) consider(std::max(waiting.due, lane.ready_at()));
  }
  if (!first) return wake_.cancel();
  wake_ = host_.after(std::max(*first - now, kSoonest), [this] { on_wake(); });
}

void Outbox::on_wake() {
  if (stopped_) return;
  start_due();
  for (auto& [number, waiting] : waiting_) {
    if (!waiting.told || !waiting.stored || waiting.under_way || waiting.tell_by > host_.now()) continue;
    tell(waiting, Outcome::kWaiting);
  }
  arm();
}

// Of a message that has had no attempt yet.
std::string Outbox::why_waiting(const Waiting& waiting) const {
  const Millis now = host_.now();
  const Lane& lane = lanes_.at(waiting.entry.target);
  const auto seconds = (std::max(lane.ready_at() - now, Millis(0)).count() + 999) / 1000;
  switch (lane.hold(now)) {
    case Lane::Hold::kBusy:
      return "others wait for the same receiver, and one is on its way";
    case Lane::Hold::kPaced:
      return "others wait for the same receiver, which takes so many a minute";
    case Lane::Hold::kLimited:
      return concat("the receiver limits our rate: nothing goes to it for ", seconds, " s");
    case Lane::Hold::kAway:
      return concat("the receiver is tried in ", seconds, " s");
    case Lane::Hold::kNone:
      break;
  }
  return under_way_ >= kMaxUnderWay ? concat("messages to ", kMaxUnderWay, " other receivers are on their way") : "";
}

void Outbox::stop() {
  stopped_ = true;
  wake_.cancel();
}

void Outbox::peer_is_up(std::string_view node_id, std::string_view address) {
  bool any = false;
  for (auto& [number, waiting] : waiting_) {
    const Entry& entry = waiting.entry;
    const bool by_address = entry.to.empty() && entry.target == address;
    if (waiting.under_way || !(entry.target == node_id || entry.to == node_id || by_address)) continue;
    waiting.due = host_.now();
    lanes_[entry.target].hurry();
    any = true;
  }
  if (any) arm();
}

std::vector<Outbox::Entry> Outbox::list() const {
  std::vector<Entry> out;
  for (const auto& [number, waiting] : waiting_) out.push_back(shown(waiting));
  return out;
}

bool Outbox::remove(std::string_view id) {
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [id](const auto& waiting) { return waiting.second.entry.id == id; });
  if (place == waiting_.end()) return false;
  place->second.entry.reason = "by the operator";
  end(place, Outcome::kRemoved);
  arm();
  return true;
}

}  // namespace messaging
