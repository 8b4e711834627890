// Messages that arrived: durable before they are acknowledged, delivered once, bounded in number and bytes for each
// sender and in all. A message that was removed is remembered by its id, so that a repeat is still recognised.
// Strand only.
#pragma once

#include <atlas/plugin.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "message.h"

namespace messaging {

class Inbox {
 public:
  // Each is refused with Error 2003. Once the inbox is more than half full, a sender may hold no more than a 64th of
  // what is free: many senders together cannot take the last place from the others.
  struct Limits {
    std::uint64_t messages = 10'000;             // inbox_messages
    std::uint64_t bytes = 64ull << 20;           // inbox_bytes
    std::uint64_t messages_per_peer = 1'000;     // inbox_per_peer
    std::uint64_t bytes_per_peer = 16ull << 20;  // inbox_bytes_per_peer
    std::uint64_t remembered = 50'000;           // ids of removed messages; the oldest are forgotten
  };
  static constexpr std::uint64_t kShare = 64;
  static constexpr std::size_t kMaxRepeats = 16;  // of one message while it is being stored

  // kRepeat: it is here and safe already, or was. kFailed: it could not be stored: the sender may try again.
  enum class Taken { kNew, kRepeat, kFull, kPeerFull, kFailed };
  using Done = std::function<void(Taken)>;
  struct Stored {
    Message message;
    std::int64_t received_at = 0;
  };

  Inbox(atlas::Host& host, Limits limits) : host_(host), limits_(limits) {}
  // Reads what is in the store; before the first take().
  void load();

  // done runs once: for kNew, and for repeats of what is being stored, when the message is safe; else at once.
  void take(Message message, Done done);
  // From the newest to older ones until show() returns false; of one sender when `from` is not empty.
  void newest_first(std::string_view from, const std::function<bool(const Stored&)>& show) const;
  // The newest with this id; of one sender when `from` is not empty.
  std::optional<Stored> find(std::string_view id, std::string_view from) const;
  // GONE: no such message.
  atlas::Status remove(std::string_view id);
  std::size_t size() const { return held_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Held {
    std::string from, id;
    std::uint64_t bytes = 0;
    bool safe = true;           // committed
    std::vector<Done> repeats;  // that came before it was
  };
  struct Share {
    std::uint64_t messages = 0, bytes = 0;
  };
  static std::string name_of(std::string_view from, std::string_view id);
  Taken room_for(const std::string& from, std::uint64_t bytes) const;
  void hold(std::uint64_t number, Held held);
  void drop(std::map<std::uint64_t, Held>::iterator held);
  void stored(std::uint64_t number, atlas::Status status, const Done& done);
  void remember(std::uint64_t number, std::string name);

  atlas::Host& host_;
  const Limits limits_;
  std::uint64_t next_ = 1;
  std::uint64_t bytes_ = 0;
  std::map<std::uint64_t, Held> held_;                         // by number
  std::map<std::string, Share> shares_;                        // by sender
  std::map<std::string, std::uint64_t> known_;                 // sender and id -> number, of messages here and removed
  std::deque<std::pair<std::uint64_t, std::string>> removed_;  // numbers and names, oldest first
};

}  // namespace messaging
