// Requests of peers that a plugin has been given and not answered yet.
//
// All wait equally long, so the list by age is also the list by deadline. A slot remembers how its last occupant went,
// so that a second reply is told apart from one to a peer that has left. Any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "host/network.h"

namespace atlas::host {

inline constexpr base::MonoNs kAnswerTimeout = base::limits::plugins_answer_timeout * base::kSecond;
inline constexpr std::size_t kMaxOpenReplies =
    base::limits::plugins_open_replies;  // per plugin; the peer gets Error 5001

class OpenReplies {
 public:
  explicit OpenReplies(std::size_t most = kMaxOpenReplies) : most_(most) {}

  // The plugin's handle for it; 0 at the cap. `promised`: the plugin said that it answers.
  std::uint64_t open(ReplyHandle network, PeerHandle from, bool promised, base::MonoNs deadline);

  enum class Taken { kYes, kAnswered, kGone, kRefused };
  // kYes: the caller answers on *network. kAnswered: somebody did before. kGone: no such request, or the peer has left.
  Taken take(std::uint64_t handle, ReplyHandle* network);
  // Answers it through `send`, a bool(ReplyHandle) that runs under our lock. kRefused: it said false, and the request
  // stays open.
  template <class Send>
  Taken answer(std::uint64_t handle, Send&& send) {
    const std::lock_guard lock(mutex_);
    const std::uint32_t index = index_of(handle);
    if (index == kNone) return how_it_went(handle);
    if (!send(slots_[index].network)) return Taken::kRefused;
    end(index, End::kAnswered);
    return Taken::kYes;
  }
  bool is_open(std::uint64_t handle) const;

  // The session has ended: what came from it needs no answer any more.
  void peer_gone(PeerHandle peer);

  struct Overdue {
    ReplyHandle network;
    bool promised;
  };
  // Takes out what is due and returns the next deadline, kNever when nothing is left.
  base::MonoNs expire(base::MonoNs now, std::vector<Overdue>& out);
  base::MonoNs next_deadline() const;  // kNever when nothing is open
  std::size_t promised() const;        // how many of the open ones the plugin said that it answers
  std::size_t size() const;            // open ones
  std::vector<ReplyHandle> close_all();

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  enum class End : std::uint8_t { kAnswered, kGone };
  struct Slot {
    ReplyHandle network = 0;
    PeerHandle from = 0;
    base::MonoNs deadline = 0;
    std::uint32_t generation = 0;
    std::uint32_t newer = kNone, older = kNone;  // the list of open ones; `newer` links the free list too
    bool used = false, promised = false;
    End last_end = End::kGone;
  };

  std::uint32_t index_of(std::uint64_t handle) const;  // kNone unless open
  Taken how_it_went(std::uint64_t handle) const;       // of one that is not open
  void end(std::uint32_t index, End how);

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  std::size_t promised_ = 0;
  std::uint32_t oldest_ = kNone, newest_ = kNone;
  std::uint32_t free_first_ = kNone, free_last_ = kNone;  // a queue: a slot rests as long as possible
};

}  // namespace atlas::host
