// Asks STUN servers how they see this socket, and says what that means: our address outside, and whether the NAT in
// front of us, if there is one, shows everybody the same one.
//
// Loop thread only. The socket is somebody else's: requests leave through `send`, and what may be an answer comes in
// through on_datagram().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/random.h"
#include "net/loop.h"
#include "net/stun_message.h"

namespace atlas::net {

// A server that has not answered by then is not waited for any longer; until then it is asked at 0, 0.5 and 1.5 s
// (RFC 8489, section 6.2.1).
inline constexpr base::MonoNs kStunTimeout = base::limits::stun_timeout * base::kSecond;
inline constexpr base::MonoNs kStunFirstPause = 500 * base::kMillisecond;

// What a NAT does to the address of one socket (RFC 4787, section 4.1).
enum class Mapping : std::uint8_t {
  kUnknown,    // fewer than two servers answered
  kSame,       // endpoint-independent, or no NAT: others may see the same address
  kDependent,  // it depends on whom we speak to ("symmetric")
};

class StunClient {
 public:
  struct Setup {
    Loop* loop = nullptr;
    base::Random* random = nullptr;
    std::vector<SocketAddress> servers;  // at most base::limits::stun_asked are asked
    std::function<void(const SocketAddress& to, base::ByteView datagram)> send;
    std::function<void()> on_done;  // every server has answered or is given up
    base::MonoNs again_after = 0;   // asks anew so long after that, with up to a fifth more; 0: never
  };
  struct Result {
    SocketAddress server;
    std::optional<SocketAddress> mapped;
    std::string failure;  // for people, of the last round; empty when it answered
  };

  explicit StunClient(Setup setup);
  ~StunClient();

  // Asks every server; also while a round is under way, which then begins anew.
  void ask();
  // True when it was the answer to a request of ours: the transaction is one of this round and the sender is the server
  // that was asked.
  bool on_datagram(const SocketAddress& from, base::ByteView datagram);

  std::span<const Result> results() const { return results_; }
  // What the first server that answered says, of this family.
  std::optional<SocketAddress> mapped(Family family) const;
  Mapping mapping(Family family) const;
  bool busy() const { return open_ != 0; }

 private:
  struct Asked {
    StunTransaction transaction{};
    bool open = false;
  };
  void send_round();
  void on_timer();
  void finish();

  Setup setup_;
  std::vector<Result> results_;
  std::vector<Asked> asked_;  // beside results_
  std::size_t open_ = 0;
  unsigned tries_ = 0;
  base::MonoNs began_ = 0;
  std::unique_ptr<Timer> timer_;
};

}  // namespace atlas::net
