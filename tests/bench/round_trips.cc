#include "bench/round_trips.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/bare_forwarder.h"
#include "bench/meter.h"
#include "bench/processors.h"

namespace atlas::bench {
namespace {

constexpr base::MonoNs kPatience = 50 * base::kMillisecond;
constexpr int kTurns = 20;
constexpr base::MonoNs kWarmUp = 100 * base::kMillisecond;

using Number = std::uint64_t;

void send(const End& end, base::Bytes& message, Number number) {
  std::memcpy(message.data() + message.size() - sizeof number, &number, sizeof number);
  if (::send(end.fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(message.size())) {
    throw std::runtime_error(std::string("send: ") + std::strerror(errno));
  }
}

bool is_stream(const End& end) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(end.fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) throw std::runtime_error("no socket to read from");
  return type == SOCK_STREAM;
}

// What comes to one end: whole messages, of a stream piece by piece.
class Arrivals {
 public:
  explicit Arrivals(const End& end) : fd_(end.fd), stream_(is_stream(end)), buffer_(end.expected) {}

  // The number in the next message, nothing while there is none.
  std::optional<Number> look() {
    const auto got = ::recv(fd_, buffer_.data() + filled_, buffer_.size() - filled_,
                            stream_ ? MSG_DONTWAIT : MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0 && stream_) throw std::runtime_error("the relay ended a stream");
    if (got <= 0) return std::nullopt;
    if (stream_) {
      filled_ += static_cast<std::size_t>(got);
      if (filled_ < buffer_.size()) return std::nullopt;
      filled_ = 0;
    } else if (static_cast<std::size_t>(got) != buffer_.size()) {
      return std::nullopt;
    }
    Number number;
    std::memcpy(&number, buffer_.data() + buffer_.size() - sizeof number, sizeof number);
    return number;
  }

 private:
  const int fd_;
  const bool stream_;
  base::Bytes buffer_;
  std::size_t filled_ = 0;
};

}  // namespace

void round_trips(const base::Clock& clock, const End& near, const End& far, base::MonoNs span, RoundTrips& out) {
  base::Bytes there = near.message, back = far.message;
  Arrivals at_near(near), at_far(far);
  static Number next = 1;  // a message of an earlier round is told apart
  base::MonoNs now = clock.mono_ns();
  // False when the message did not come; `now` is when it came, or when nobody waited for it any more.
  const auto comes = [&](Arrivals& arrivals, Number number, base::MonoNs until) {
    std::optional<Number> got;
    do {
      got = arrivals.look();
      now = clock.mono_ns();
    } while (got != number && now < until);
    return got == number;
  };
  for (const base::MonoNs end = now + span; now < end;) {
    const Number number = next++;
    const base::MonoNs start = now;
    send(near, there, number);
    bool came = comes(at_far, number, start + kPatience);
    if (came) {
      send(far, back, number);
      came = comes(at_near, number, start + kPatience);
    }
    if (came) {
      out.samples.push_back(now - start);
    } else {
      ++out.lost;
    }
  }
}

DirectWay::DirectWay(const net::SocketAddress& loopback, std::size_t size) : a(loopback), b(loopback) {
  a.connect(b.local());
  b.connect(a.local());
  near = {a.fd(), base::Bytes(size), size};
  far = {b.fd(), base::Bytes(size), size};
}

nlohmann::json compare_ways(const base::Clock& clock, const ServerProcess& server, const End& near, const End& far,
                            const End& direct_near, const End& direct_far, base::MonoNs span,
                            const std::function<void()>& between) {
  std::optional<BareForwarder> bare;  // there is none for streams: proxying them is another thing
  std::vector<pid_t> servers = {server.pid()};
  if (!is_stream(near)) servers.push_back(bare.emplace(server.address().ip, near.message.size()).pid());
  const KeptApart kept(servers);
  struct Way {
    const char* name;
    const End &near, &far;
    RoundTrips trips = {};
  };
  std::vector<Way> ways = {{"relayed_us", near, far}, {"direct_us", direct_near, direct_far}};
  if (bare) ways.push_back({"bare_us", bare->near(), bare->far()});
  for (Way& way : ways) {
    RoundTrips warm_up;
    round_trips(clock, way.near, way.far, kWarmUp, warm_up);
  }
  for (int i = 0; i < kTurns; ++i) {
    for (Way& way : ways)
      round_trips(clock, way.near, way.far, span / kTurns / static_cast<int>(ways.size()), way.trips);
    if (between) between();
  }
  nlohmann::json out;
  out["apart"] = kept.apart();  // false: on one processor, and the figures are of its scheduler
  out["round_trips"] = ways[0].trips.samples.size();
  out["lost"] = ways[0].trips.lost;
  for (Way& way : ways) {
    if (way.trips.samples.empty()) throw std::runtime_error("no round trip came to its end");
    out[way.name] = percentiles(way.trips.samples);
  }
  for (const char* q : {"p50", "p90", "p99"}) {
    const auto at = [&](const char* way) { return out[way][q].get<double>(); };
    out["added_us"][q] = at("relayed_us") - at("direct_us");
    if (bare) out["bare_added_us"][q] = at("bare_us") - at("direct_us");
  }
  return out;
}

}  // namespace atlas::bench
