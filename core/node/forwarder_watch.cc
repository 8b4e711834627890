// The sessions with forwarders, which carry nothing themselves while others run through them: nobody would notice that
// their way is gone. A forwarder sends to where it last heard this node, so a NAT that forgot or moved us cuts off all
// that runs through it, until we send something.
#include <algorithm>

#include "base/log.h"
#include "node/switchboard.h"

namespace atlas::node {
namespace {

// A NAT may forget after 30 s what is younger than two minutes; many do.
constexpr base::MonoNs kKeepQuiet = 15 * base::kSecond;
// While something moves between us and a peer that was met through a forwarder, and for a while after it.
constexpr base::MonoNs kKeepBusy = 500 * base::kMillisecond, kBusyFor = 5 * base::kSecond;
constexpr base::MonoNs kLook = 500 * base::kMillisecond;
// A forwarder that says nothing for so long, while another of ours does, is dead. With no other, this node may be the
// one that is cut off, and nothing is won by giving up.
constexpr base::MonoNs kSilent = 2 * base::kSecond;

constexpr std::uint64_t kPing = 100;  // bytes that a PING and its acknowledgement have at most

void look(Link& link, std::uint64_t bytes, std::uint64_t least, base::MonoNs now) {
  if (bytes - std::exchange(link.moved, bytes) >= least) link.moved_at = now;
}

}  // namespace

void Switchboard::keep_forwarder(Link& link) {
  link.forwards = true;
  link.moved_at = deadlines_.now();
  link.connection->mark_forwarder();
  link.connection->keep_alive(forwarder_watch_.attentive ? kKeepBusy : kKeepQuiet);
}

void Switchboard::begin_watch() {
  deadlines_.set_no_later(forwarder_watch_, base::after(deadlines_.now(), kLook));
}

std::vector<Link*> Switchboard::forwarders() {
  std::vector<Link*> out;
  sessions_.each([&](host::PeerHandle, Link* link) {
    if (link->forwards) out.push_back(link);
  });
  return out;
}

bool Switchboard::any_moves(base::MonoNs now) {
  bool any = false;
  for (Link* link : routed_) {
    if (link->phase != Phase::kSession) continue;
    const quic::ConnectionStats stats = link->connection->stats();
    look(*link, stats.bytes_received + stats.bytes_sent, kPing, now);
    any |= now < base::after(link->moved_at, kBusyFor);
  }
  return any;
}

Link* Switchboard::dead_forwarder(const std::vector<Link*>& all, base::MonoNs now) {
  const auto silent_for = [&](const Link* link) { return now - link->moved_at; };
  const bool online = std::ranges::any_of(all, [&](const Link* link) { return silent_for(link) <= 2 * kLook; });
  for (Link* link : all) {
    if (!online || silent_for(link) < kSilent) continue;
    const host::PeerHandle handle = link->session->info->handle;
    if (std::ranges::any_of(routed_, [&](const Link* other) { return other->via == handle; })) return link;
  }
  return nullptr;
}

void Switchboard::watch_forwarders(base::MonoNs now) {
  const bool busy = any_moves(now);
  const std::vector<Link*> all = forwarders();
  const bool turned = std::exchange(forwarder_watch_.attentive, busy) != busy;
  for (Link* link : all) {
    look(*link, link->connection->stats().bytes_received, 1, now);
    if (!turned) continue;
    if (busy) link->moved_at = now;
    link->connection->keep_alive(busy ? kKeepBusy : kKeepQuiet);
  }
  if (Link* dead = busy ? dead_forwarder(all, now) : nullptr) {
    base::log(base::Level::kInfo, "session", "the relay at {} has gone silent", dead->connection->remote().text());
    part(*dead, wire::DisconnectReason::kIdle, "silent, while others run through it");
  }
  if (!routed_.empty() || busy) deadlines_.set(forwarder_watch_, base::after(now, kLook));
}

}  // namespace atlas::node
