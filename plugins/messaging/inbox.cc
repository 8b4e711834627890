#include "inbox.h"

#include <algorithm>

#include "rows.h"

namespace messaging {

using atlas::msgpack::MapView;
using atlas::msgpack::Writer;

namespace {

constexpr std::string_view kRows = "in/";       // number -> the message and when it came
constexpr std::string_view kRemoved = "seen/";  // number -> sender and id of a message that was removed

std::vector<std::uint8_t> row_of(const Message& message, std::int64_t received_at) {
  Writer out;
  out.map(2).text("received_at").integer(received_at).text("message").raw(encode(message));
  return out.take();
}

std::optional<Inbox::Stored> stored_of(atlas::Bytes row) {
  const auto map = MapView::of(row);
  std::string why;
  auto message = decode(map.find("message").map(), why);
  const auto received_at = map.find("received_at").i64();
  if (!message || !received_at) return std::nullopt;
  return Inbox::Stored{std::move(*message), *received_at};
}

// What one sender may hold of a limit of which so much is used.
std::uint64_t share_of(std::uint64_t limit, std::uint64_t used, std::uint64_t for_each) {
  if (used <= limit / 2) return for_each;
  return std::min(for_each, std::max<std::uint64_t>((limit - std::min(used, limit)) / Inbox::kShare, 1));
}

}  // namespace

// Ids are unique for one sender only: nobody can take another's id in advance.
std::string Inbox::name_of(std::string_view from, std::string_view id) {
  return atlas::concat(from, ' ', id);
}

void Inbox::load() {
  auto store = host_.store();
  static_cast<void>(store.scan(kRows, "", [&](atlas::Bytes key, atlas::Bytes value) {
    const std::uint64_t number = number_of(kRows, as_text(key));
    next_ = std::max(next_, number + 1);
    const auto stored = stored_of(value);
    if (!stored) return true;  // written by a newer version, perhaps: left alone
    hold(number, {stored->message.from, stored->message.id, value.size(), true, {}});
    return true;
  }));
  static_cast<void>(store.scan(kRemoved, "", [&](atlas::Bytes key, atlas::Bytes value) {
    const std::uint64_t number = number_of(kRemoved, as_text(key));
    next_ = std::max(next_, number + 1);
    // Killed between the two steps of a removal: the message is still here.
    if (!held_.contains(number)) remember(number, std::string(as_text(value)));
    return true;
  }));
}

void Inbox::hold(std::uint64_t number, Held held) {
  known_[name_of(held.from, held.id)] = number;
  Share& share = shares_[held.from];
  ++share.messages;
  share.bytes += held.bytes;
  bytes_ += held.bytes;
  held_.insert_or_assign(number, std::move(held));
}

void Inbox::drop(std::map<std::uint64_t, Held>::iterator held) {
  const auto share = shares_.find(held->second.from);
  --share->second.messages;
  share->second.bytes -= held->second.bytes;
  if (share->second.messages == 0) shares_.erase(share);
  bytes_ -= held->second.bytes;
  held_.erase(held);
}

void Inbox::remember(std::uint64_t number, std::string name) {
  known_[name] = number;
  removed_.emplace_back(number, std::move(name));
  while (removed_.size() > limits_.remembered) {
    const auto& [oldest, forgotten] = removed_.front();
    static_cast<void>(host_.store().remove(numbered(kRemoved, oldest)));
    known_.erase(forgotten);
    removed_.pop_front();
  }
}

Inbox::Taken Inbox::room_for(const std::string& from, std::uint64_t bytes) const {
  if (held_.size() >= limits_.messages || bytes_ + bytes > limits_.bytes) return Taken::kFull;
  const auto found = shares_.find(from);
  const Share share = found == shares_.end() ? Share() : found->second;
  const bool fits = share.messages < share_of(limits_.messages, held_.size(), limits_.messages_per_peer) &&
                    share.bytes + bytes <= share_of(limits_.bytes, bytes_, limits_.bytes_per_peer);
  return fits ? Taken::kNew : Taken::kPeerFull;
}

void Inbox::take(Message message, Done done) {
  if (const auto known = known_.find(name_of(message.from, message.id)); known != known_.end()) {
    const auto held = held_.find(known->second);
    if (held == held_.end() || held->second.safe) return done(Taken::kRepeat);
    // An acknowledgement is a promise: not before the first copy is safe.
    if (held->second.repeats.size() >= kMaxRepeats) return done(Taken::kFailed);
    return held->second.repeats.push_back(std::move(done));
  }
  const auto row = row_of(message, host_.unix_seconds());
  if (const Taken room = room_for(message.from, row.size()); room != Taken::kNew) return done(room);
  const std::uint64_t number = next_++;
  hold(number, {message.from, message.id, row.size(), false, {}});
  host_.store().put(numbered(kRows, number), row,
                    [this, number, done = std::move(done)](atlas::Status status) { stored(number, status, done); });
}

void Inbox::stored(std::uint64_t number, atlas::Status status, const Done& done) {
  std::vector<Done> repeats;
  if (const auto held = held_.find(number); held != held_.end()) {
    repeats = std::move(held->second.repeats);
    held->second.repeats.clear();
    held->second.safe = true;
    if (!status.ok()) {  // it is not safe, so it was not received
      known_.erase(name_of(held->second.from, held->second.id));
      drop(held);
    }
  }
  done(status.ok() ? Taken::kNew : Taken::kFailed);
  for (const auto& repeat : repeats) repeat(status.ok() ? Taken::kRepeat : Taken::kFailed);
}

void Inbox::newest_first(std::string_view from, const std::function<bool(const Stored&)>& show) const {
  for (auto held = held_.rbegin(); held != held_.rend(); ++held) {
    if (!from.empty() && held->second.from != from) continue;
    const auto row = host_.store().get(numbered(kRows, held->first));
    if (!row) continue;
    const auto stored = stored_of(*row);
    if (stored && !show(*stored)) return;
  }
}

std::optional<Inbox::Stored> Inbox::find(std::string_view id, std::string_view from) const {
  const auto held = std::find_if(held_.rbegin(), held_.rend(), [&](const auto& entry) {
    return entry.second.id == id && entry.second.safe && (from.empty() || entry.second.from == from);
  });
  if (held == held_.rend()) return std::nullopt;
  const auto row = host_.store().get(numbered(kRows, held->first));
  return row ? stored_of(*row) : std::nullopt;
}

atlas::Status Inbox::remove(std::string_view id) {
  const auto held = std::find_if(held_.begin(), held_.end(),
                                 [id](const auto& entry) { return entry.second.id == id && entry.second.safe; });
  if (held == held_.end()) return {ATLAS_E_GONE};
  const std::uint64_t number = held->first;
  std::string name = name_of(held->second.from, held->second.id);
  // In this order: whatever is cut off in between, a repeat is recognised. A full database is a reason to go on: a
  // repeat would come a second time then, after a restart.
  static_cast<void>(host_.store().put(numbered(kRemoved, number), name));
  if (const auto status = host_.store().remove(numbered(kRows, number)); !status.ok()) return status;
  drop(held);
  remember(number, std::move(name));
  return {};
}

}  // namespace messaging
