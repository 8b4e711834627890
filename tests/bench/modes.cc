#include "bench/modes.h"

#include <algorithm>
#include <stdexcept>

#include "atlas/msgpack.hpp"
#include "bench/load.h"
#include "bench/meter.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::uint8_t kPing = 0xf0, kPong = 0xf1, kAck = 0x11, kRegister = 0x20, kDiscover = 0x21, kPeers = 0x22;

base::Bytes owned(const msgpack::Writer& out) {
  return {out.bytes().begin(), out.bytes().end()};
}

base::Bytes ping_payload(const base::Clock& clock) {
  msgpack::Writer out;
  out.map(1);
  out.text("ts");
  out.integer(clock.unix_ms());
  return owned(out);
}

base::Bytes register_payload(const Peer& peer, const base::Clock& clock) {
  msgpack::Writer out;
  out.map(5);
  out.text("node_id");
  out.text(peer.node_id());
  out.text("address");
  out.text("0.0.0.0:4433");
  out.text("timestamp");
  out.integer(clock.unix_s());
  out.text("name");
  out.text("agent-" + std::to_string(peer.index()));
  out.text("skills");
  out.array(2);
  out.text("translate-" + std::to_string(peer.index() % 1000));
  out.text("summarise");
  return owned(out);
}

void add_load(json& out, Load& load) {
  out["wrong_answers"] = load.wrong;
  out["rtt_us"] = percentiles(load.round_trips);
}

base::MonoNs span_of(const Options& options) {
  return static_cast<base::MonoNs>(options.seconds * 1e9);
}

}  // namespace

json idle(ServerProcess& server, const Options& options) {
  json out;
  Swarm swarm(server.address());
  const std::uint64_t before = server.rss_bytes();
  swarm.connect_all(options.count, options.in_flight);
  swarm.run_for(2 * base::kSecond);  // what the handshakes left behind is settled
  const std::uint64_t after = server.rss_bytes();
  out["connections"] = options.count;
  out["rss_kib_per_conn"] = static_cast<double>(after - before) / 1024.0 / static_cast<double>(options.count);
  out["descriptors"] = server.descriptors();

  // One exchange on each connection, evenly over the time: every one finds the server idle, as keep-alives do.
  json& exchange = out["keepalive"];
  const Meter meter(server, swarm.clock());
  std::size_t sent = 0, answered = 0;
  std::function<void()> tick = [&] {
    const std::size_t due = options.count / 1000 + 1;
    for (std::size_t i = 0; i < due && sent < options.count; ++i) {
      swarm.peer(sent++).request(kPing, ping_payload(swarm.clock()),
                                 [&](std::uint8_t type, base::ByteView, base::MonoNs) {
                                   if (type == kPong) ++answered;
                                   if (answered == options.count) swarm.stop();
                                 });
    }
    if (sent < options.count) swarm.after(base::kMillisecond * static_cast<base::MonoNs>(options.seconds), tick);
  };
  tick();
  swarm.run_for(120 * base::kSecond);
  meter.report(exchange, answered, "request");
  exchange["unanswered"] = options.count - answered;
  return out;
}

json handshakes(ServerProcess& server, const Options& options) {
  json out;
  Swarm swarm(server.address());
  std::uint64_t done = 0;
  bool over = false;
  std::size_t open = 0;
  swarm.hooks.on_ready = [&](Peer& peer) {
    ++done;
    peer.close();
  };
  swarm.hooks.on_closed = [&](Peer& peer, const quic::CloseInfo&) {
    --open;
    if (!over) {
      ++open;
      swarm.dial(peer);
    } else if (open == 0) {
      swarm.stop();
    }
  };
  while (swarm.size() < options.in_flight) swarm.add_peer();
  const Meter meter(server, swarm.clock());
  for (std::size_t i = 0; i < options.in_flight; ++i) {
    ++open;
    swarm.dial(swarm.peer(i));
  }
  swarm.after(span_of(options), [&] { over = true; });
  if (!swarm.run_for(span_of(options) + 30 * base::kSecond)) throw std::runtime_error("connections were left open");
  meter.report(out, done, "conn");
  out["failed"] = swarm.failed();
  return out;
}

namespace {

// Every peer connects, does what it came for and leaves by itself; options.in_flight at a time.
void visit(Swarm& swarm, const Options& options, const std::function<void(Peer&)>& on_ready) {
  std::size_t next = 0, open = 0;
  const auto dial_next = [&] {
    if (next < options.count) {
      ++open;
      swarm.dial(swarm.peer(next++));
    } else if (open == 0) {
      swarm.stop();
    }
  };
  swarm.hooks.on_ready = on_ready;
  swarm.hooks.on_closed = [&](Peer&, const quic::CloseInfo&) {
    --open;
    dial_next();
  };
  for (std::size_t i = 0; i < options.in_flight; ++i) dial_next();
  if (!swarm.run_for(1200 * base::kSecond)) throw std::runtime_error("the peers did not all come and go");
  swarm.hooks = {};
}

double per(std::uint64_t after, std::uint64_t before, std::uint64_t count) {
  return (static_cast<double>(after) - static_cast<double>(before)) /
         static_cast<double>(std::max<std::uint64_t>(count, 1));
}

}  // namespace

json register_peers(ServerProcess& server, const Options& options) {
  json out;
  Swarm swarm(server.address());
  while (swarm.size() < options.count) swarm.add_peer();
  const std::uint64_t fresh = server.rss_bytes();
  if (options.seen_first) {
    // What a node keeps of any peer that came by (rate budget, row in the database's cache, heap of its handshake) is
    // there before the registry's share is looked at.
    visit(swarm, options, [](Peer& peer) { peer.close(); });
    swarm.run_for(base::kSecond);
  }
  const std::uint64_t before = server.rss_bytes();
  std::uint64_t registered = 0, refused = 0;
  {
    const Meter meter(server, swarm.clock());
    visit(swarm, options, [&](Peer& peer) {
      peer.request(kRegister, register_payload(peer, swarm.clock()),
                   [&, raw = &peer](std::uint8_t type, base::ByteView, base::MonoNs) {
                     ++(type == kAck ? registered : refused);
                     raw->close();
                   });
    });
    meter.report(out["connect_register_disconnect"], registered, "conn");
  }
  swarm.run_for(base::kSecond);
  out["registered"] = registered;
  out["refused"] = refused;
  out["bytes_per_record"] = per(server.rss_bytes(), before, registered);
  if (options.seen_first) out["bytes_per_peer_seen"] = per(before, fresh, options.count);

  const std::size_t held = std::min(options.connections, options.count);
  swarm.connect_all(held, options.in_flight);
  json& steady = out["held"];
  const Meter meter(server, swarm.clock());
  auto load = run_load(swarm, held, held, span_of(options), kRegister, kAck,
                       [&](Peer& peer) { return register_payload(peer, swarm.clock()); });
  meter.report(steady, load.done, "request");
  add_load(steady, load);
  return out;
}

json discover(ServerProcess& server, const Options& options) {
  json out;
  Options filling = options;
  filling.seconds = 0.1;
  out["records"] = register_peers(server, filling)["registered"];
  Swarm swarm(server.address());
  swarm.connect_all(options.connections, options.in_flight);
  base::SystemRandom random;
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < options.connections; ++i) ids.push_back(swarm.peer(i).node_id());
  for (auto& id : ids) {
    std::size_t at = &id - ids.data();
    swarm.peer(at).request(kRegister, register_payload(swarm.peer(at), swarm.clock()),
                           [&](std::uint8_t, base::ByteView, base::MonoNs) { swarm.stop(); });
    swarm.run_for(base::kSecond);
  }
  for (const bool by_id : {true, false}) {
    json& row = out[by_id ? "by_node_id" : "by_skill"];
    const Meter meter(server, swarm.clock());
    auto load =
        run_load(swarm, options.connections, options.connections, span_of(options), kDiscover, kPeers, [&](Peer&) {
          msgpack::Writer query;
          query.map(2);
          query.text(by_id ? "node_id" : "skill");
          query.text(by_id ? ids[random.below(ids.size())] : "translate-" + std::to_string(random.below(1000)));
          query.text("limit");
          query.integer(1);
          return owned(query);
        });
    meter.report(row, load.done, "request");
    add_load(row, load);
  }
  return out;
}

json echo(ServerProcess& server, const Options& options) {
  json out;
  Swarm swarm(server.address());
  swarm.connect_all(options.connections, options.in_flight);
  const auto payload = [&](Peer&) { return ping_payload(swarm.clock()); };
  struct Row {
    const char* name;
    std::size_t peers, in_flight;
  };
  const Row rows[] = {{"one_connection_one_at_a_time", 1, 1},
                      {"one_connection_in_flight", 1, options.in_flight},
                      {"many_connections_one_each", options.connections, options.connections}};
  for (const auto& row : rows) {
    json& figures = out[row.name];
    const Meter meter(server, swarm.clock());
    auto load = run_load(swarm, row.peers, row.in_flight, span_of(options), kPing, kPong, payload);
    meter.report(figures, load.done, "request");
    add_load(figures, load);
    figures["stream_waits"] = swarm.stream_waits();
  }
  return out;
}

json restart(ServerProcess& server, const Options& options) {
  json out;
  Swarm swarm(server.address());
  swarm.connect_all(options.count, options.in_flight);
  swarm.run_for(base::kSecond);  // nodes that die in the middle of a rush are another test
  std::size_t back = 0;
  std::uint64_t failures = 0;
  base::SystemRandom random;
  swarm.hooks.on_ready = [&](Peer& peer) {
    peer.request(kRegister, register_payload(peer, swarm.clock()),
                 [&](std::uint8_t type, base::ByteView, base::MonoNs) {
                   if (type == kAck && ++back == options.count) swarm.stop();
                 });
  };
  swarm.hooks.on_closed = [&](Peer& peer, const quic::CloseInfo& info) {
    if (info.by != quic::CloseInfo::By::kReset && info.by != quic::CloseInfo::By::kPeer) ++failures;
    swarm.after(random.below(base::kSecond), [&swarm, raw = &peer] { swarm.dial(*raw); });
  };
  server.kill_and_restart();
  const base::MonoNs start = swarm.clock().mono_ns();
  const bool all = swarm.run_for(120 * base::kSecond);
  out["clients"] = options.count;
  out["back"] = back;
  out["all_back"] = all;
  out["seconds_until_all_back"] = in_seconds(swarm.clock().mono_ns() - start);
  out["failed_dials"] = failures;
  return out;
}

}  // namespace atlas::bench
