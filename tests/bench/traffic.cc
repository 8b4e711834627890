#include "bench/traffic.h"

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <queue>
#include <stdexcept>
#include <utility>

namespace atlas::bench {
namespace {

constexpr base::MonoNs kStall = 20 * base::kMillisecond;  // a full window from which nothing comes for so long is lost
constexpr base::MonoNs kTenth = 100 * base::kMillisecond;
constexpr base::MonoNs kHousekeeping = 20 * base::kMillisecond;
constexpr base::MonoNs kDrain = 100 * base::kMillisecond;  // of silence, and all that was sent has arrived or is lost
constexpr int kBurstsBetweenReads = 32, kGreedyBursts = 4, kReads = 2;
constexpr std::uint8_t kPadding = 0x5a;

// What stands behind the lead.
struct Number {
  std::uint32_t run, flow;
  std::uint64_t sequence;
};

std::uint32_t next_run = 1;  // datagrams of an earlier run are told apart

}  // namespace

struct Generator::Run {
  struct Due {
    base::MonoNs at;
    std::size_t flow;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  Run(Generator& generator, const std::vector<Flow>& flows, base::MonoNs span)
      : generator(generator), flows(flows), id(next_run++), start(generator.clock_.mono_ns()), end(start + span) {
    out.flows.resize(flows.size());
    settled.resize(flows.size());
    out.size = flows.front().size - flows.front().lead.size() + flows.front().arrives.size();
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const Flow& flow = flows[i];
      if (flow.size != flows.front().size || flow.arrives.size() != flows.front().arrives.size()) {
        throw std::runtime_error("flows of datagrams that are not alike");
      }
      if (flow.size * flow.burst > kMostBytes || flow.burst > kMostDatagrams || flow.burst == 0 ||
          flow.size < flow.lead.size() + sizeof(Number)) {
        throw std::runtime_error("a burst that no system call takes");
      }
      sockets.insert({flow.to, flow.to->drops()});
      // Paced flows begin spread over one interval, not all at once.
      const auto part = static_cast<double>(i) / static_cast<double>(flows.size());
      if (flow.rate > 0) paced.push({start + static_cast<base::MonoNs>(part * interval(flow)), i});
      if (flow.rate <= 0) (flow.ignore_window ? greedy : windowed).push_back(i);
    }
    buffer.resize(kMostBytes, kPadding);
    for (const auto& [socket, drops] : sockets) waiting.push_back({socket->fd(), POLLIN, 0});
  }

  static double interval(const Flow& flow) { return static_cast<double>(flow.size * flow.burst) / flow.rate * 1e9; }

  bool send(std::size_t index) {
    const Flow& flow = flows[index];
    FlowCount& count = out.flows[index];
    Number number{id, static_cast<std::uint32_t>(index), count.sent};
    for (std::size_t i = 0; i < flow.burst; ++i, ++number.sequence) {
      std::uint8_t* at = buffer.data() + i * flow.size;
      std::memcpy(at, flow.lead.data(), flow.lead.size());
      std::memcpy(at + flow.lead.size(), &number, sizeof number);
    }
    if (!flow.from->send({buffer.data(), flow.size * flow.burst}, flow.size)) {
      ++out.refused;
      return false;
    }
    count.sent += flow.burst;
    out.sent += flow.burst;
    return true;
  }

  // Paced bursts that are due. One that our kernel refuses is not made up for.
  bool send_paced() {
    bool any = false;
    base::MonoNs now = generator.clock_.mono_ns();
    for (int i = 0; i < kBurstsBetweenReads && !paced.empty() && paced.top().at <= now; ++i) {
      const Due due = paced.top();
      paced.pop();
      out.latest = std::max(out.latest, now - due.at);
      any |= send(due.flow);
      paced.push({due.at + std::max<base::MonoNs>(1, static_cast<base::MonoNs>(interval(flows[due.flow]))), due.flow});
    }
    return any;
  }

  bool send_windowed() {
    if (windowed.empty()) return false;
    bool any = false;
    for (int i = 0; i < kBurstsBetweenReads; ++i) {
      const std::size_t index = windowed[turn % windowed.size()];
      const std::size_t bytes = flows[index].size * flows[index].burst;
      if (under_way != 0 && under_way + bytes > generator.window) break;
      if (!send(index)) break;
      ++turn;
      under_way += bytes;
      any = true;
    }
    return any;
  }

  void send_greedy() {
    if (greedy.empty()) return;
    for (int i = 0; i < kGreedyBursts; ++i) send(greedy[greedy_turn++ % greedy.size()]);
  }

  bool receive() {
    bool any = false;
    for (int i = 0; i < kReads && receive_once(); ++i) any = true;
    if (!any && under_way != 0 && generator.clock_.mono_ns() - std::max(last_arrival, start) > kStall) {
      ++out.stalls;
      under_way = 0;
      for (const std::size_t flow : windowed) settled[flow] = out.flows[flow].sent;
    }
    return any;
  }

  bool receive_once() {
    bool any = false;
    const std::uint64_t before = out.arrived;
    for (const auto& [socket, drops] : sockets) {
      any |= socket->receive(generator.receiver_, [&](const net::ReceivedBatch& batch) { take(*socket, batch); });
    }
    if (!any) return false;
    last_arrival = generator.clock_.mono_ns();
    if (!sending) return true;
    const auto tenth = static_cast<std::size_t>((last_arrival - start) / kTenth);
    if (out.tenths.size() <= tenth) out.tenths.resize(tenth + 1);
    out.tenths[tenth] += out.arrived - before;
    return true;
  }

  void take(DataSocket& socket, const net::ReceivedBatch& batch) {
    for (std::size_t at = 0; at < batch.data.size(); at += batch.segment) {
      const base::ByteView datagram = batch.data.subspan(at, std::min(batch.segment, batch.data.size() - at));
      if ((datagram.size() == out.size && count(socket, datagram)) || !generator.hooks_.foreign) continue;
      net::ReceivedBatch one = batch;
      one.segment = datagram.size();
      foreign.push_back({&socket, base::Bytes(datagram.begin(), datagram.end()), one});
    }
  }

  // False for what is none of ours.
  bool count(const DataSocket& socket, base::ByteView datagram) {
    const std::size_t at = flows.front().arrives.size();
    Number number;
    std::memcpy(&number, datagram.data() + at, sizeof number);
    if (number.run != id) return number.run != 0 && number.run < id;
    if (number.flow >= flows.size() || number.sequence >= out.flows[number.flow].sent) return false;
    const Flow& flow = flows[number.flow];
    if (flow.to != &socket || !std::ranges::equal(datagram.first(at), flow.arrives) || datagram.back() != kPadding) {
      ++out.altered;
      return true;
    }
    ++out.flows[number.flow].arrived;
    ++out.arrived;
    if (flow.rate <= 0 && !flow.ignore_window) settle(number);
    return true;
  }

  // Nothing on the way changes the order: what was sent before this one of its flow is here or lost.
  void settle(const Number& number) {
    std::uint64_t& up_to = settled[number.flow];
    if (number.sequence < up_to) return;
    under_way -= std::min<std::size_t>(under_way, (number.sequence + 1 - up_to) * flows[number.flow].size);
    up_to = number.sequence + 1;
  }

  void housekeeping(base::MonoNs now) {
    // What is handed on may answer, and has to outlive the call: the receiver's buffers are free again by now.
    for (auto& it : std::exchange(foreign, {})) {
      it.batch.data = it.bytes;
      generator.hooks_.foreign(*it.socket, it.batch);
    }
    if (now < next_housekeeping) return;
    next_housekeeping = now + kHousekeeping;
    if (generator.hooks_.now_and_then) generator.hooks_.now_and_then();
  }

  // Until something arrives or is due. Spinning instead would hide who waits for whom.
  void wait(base::MonoNs until) {
    const base::MonoNs now = generator.clock_.mono_ns();
    const base::MonoNs span = std::min(until > now ? until - now : 0, kHousekeeping);
    const timespec most{0, static_cast<long>(span)};
    ::ppoll(waiting.data(), waiting.size(), &most, nullptr);
  }

  void work() {
    for (base::MonoNs now = start; now < end; now = generator.clock_.mono_ns()) {
      bool any = send_paced();
      any |= send_windowed();
      const bool came = receive();
      any |= came;
      // Only with time to spare: what is lost is to be lost on the way, and the paced ones are to keep their pace.
      if (!came) send_greedy();
      housekeeping(now);
      if (!any && greedy.empty()) wait(std::min(end, paced.empty() ? end : paced.top().at));
    }
    out.seconds = static_cast<double>(generator.clock_.mono_ns() - start) / 1e9;
    out.arrived_in_time = out.arrived;
    sending = false;
    base::MonoNs quiet = generator.clock_.mono_ns();
    for (base::MonoNs now = quiet; out.arrived < out.sent && now - quiet < kDrain; now = generator.clock_.mono_ns()) {
      if (receive()) quiet = now;
      housekeeping(now);
      wait(now + kDrain);
    }
    for (const auto& [socket, drops] : sockets) out.socket_drops += socket->drops() - drops;
  }

  struct Foreign {
    DataSocket* socket;
    base::Bytes bytes;
    net::ReceivedBatch batch;
  };

  Generator& generator;
  const std::vector<Flow>& flows;
  const std::uint32_t id;
  const base::MonoNs start, end;
  Traffic out;
  std::map<DataSocket*, std::uint64_t> sockets;  // that receive, with their drops before
  std::priority_queue<Due, std::vector<Due>, std::greater<>> paced;
  std::vector<std::size_t> windowed, greedy;
  std::size_t turn = 0, greedy_turn = 0, under_way = 0;
  bool sending = true;
  base::MonoNs last_arrival = 0, next_housekeeping = 0;
  std::vector<std::uint64_t> settled;  // of each flow: numbers below this are not under way
  base::Bytes buffer;
  std::vector<pollfd> waiting;
  std::vector<Foreign> foreign;
};

Generator::Generator(const base::Clock& clock, Hooks hooks) : clock_(clock), hooks_(std::move(hooks)) {
  ::prctl(PR_SET_TIMERSLACK, 1'000UL);  // or every wait is 50 us too long
}

Traffic Generator::run(const std::vector<Flow>& flows, base::MonoNs span) {
  if (flows.empty()) throw std::runtime_error("no flows");
  Run run(*this, flows, span);
  run.work();
  return std::move(run.out);
}

}  // namespace atlas::bench
