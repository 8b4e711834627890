#include "trial/famine.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "atlas/ext/bus.h"
#include "atlas/ext/protocols.h"
#include "atlas/ext/streams.h"
#include "host/ext.h"

namespace atlas::trial {
namespace {

std::atomic<Famine> famine_now{Famine::kOff};
std::atomic<std::uint64_t> starved{0}, calls{0};
atlas_status (*real_init)(const atlas_host*, void**) = nullptr;
const atlas_host* real_host = nullptr;
// What the role holds in place of the host's own: the same plugin behind other functions.
host::HostTable given_host;

bool starves() {
  const Famine famine = famine_now;
  const bool now = famine == Famine::kEveryCall || (famine == Famine::kEverySecondCall && calls++ % 2 == 0);
  if (now) ++starved;
  return now;
}

atlas_status full(const atlas_host* host) {
  host::Plugin& plugin = host::Plugin::of(host);
  return plugin.on_strand() ? plugin.refuse(ATLAS_E_FULL, "full, in a trial") : ATLAS_E_FULL;
}

// One function of a table, with the switch before it.
template <auto Member>
struct Switched;
template <class Table, class... Args, atlas_status (*Table::*Member)(const atlas_host*, Args...)>
struct Switched<Member> {
  static inline atlas_status (*real)(const atlas_host*, Args...) = nullptr;
  static atlas_status call(const atlas_host* host, Args... args) {
    return starves() ? full(host) : real(host, args...);
  }
  static void put_into(Table& table) {
    real = table.*Member;
    table.*Member = &call;
  }
};

template <class Table, auto... Members>
const void* switched(const void* real) {
  static Table table;
  table = host::copy_prefix(static_cast<const Table*>(real));
  (Switched<Members>::put_into(table), ...);
  return &table;
}

using Make = const void* (*)(const void* real);
const std::map<std::string, Make>& makers() {
  using M = atlas_ext_messages;
  using P = atlas_ext_peers;
  using S = atlas_ext_store;
  using R = atlas_ext_routes;
  using B = atlas_ext_bus;
  using Raw = atlas_ext_streams;
  using Other = atlas_ext_protocols;
  static const std::map<std::string, Make> all = {
      {ATLAS_EXT_MESSAGES, switched<M, &M::send, &M::request, &M::reply, &M::fail>},
      {ATLAS_EXT_TIMERS, switched<atlas_ext_timers, &atlas_ext_timers::start>},
      {ATLAS_EXT_PEERS, switched<P, &P::connect, &P::disconnect, &P::upsert>},
      {ATLAS_EXT_STORE, switched<S, &S::put, &S::remove>},
      {ATLAS_EXT_ROUTES, switched<R, &R::add, &R::found, &R::not_found, &R::expect>},
      {ATLAS_EXT_BUS, switched<B, &B::publish, &B::request, &B::answer, &B::fail>},
      {ATLAS_EXT_STREAMS, switched<Raw, &Raw::open, &Raw::write>},
      {ATLAS_EXT_PROTOCOLS, switched<Other, &Other::dial, &Other::open>},
  };
  return all;
}

const void* extension(const atlas_host*, const char* id) {
  static std::map<std::string, const void*> made;
  const void* real = real_host->extension(real_host, id);
  const auto maker = makers().find(id == nullptr ? "" : id);
  if (real == nullptr || maker == makers().end()) return real;
  const void*& table = made[maker->first];
  if (table == nullptr) table = maker->second(real);
  return table;
}

atlas_status init(const atlas_host* host, void** self) {
  real_host = host;
  given_host.table = *host;
  given_host.plugin = &host::Plugin::of(host);
  given_host.table.extension = extension;
  Switched<&atlas_host::post>::put_into(given_host.table);
  return real_init(&given_host.table, self);
}

}  // namespace

void set_famine(Famine famine) {
  famine_now = famine;
}

std::uint64_t starved_calls() {
  return starved;
}

::atlas_plugin with_famine(const ::atlas_plugin& plugin) {
  real_init = plugin.init;
  ::atlas_plugin out = plugin;
  out.struct_size = sizeof out;
  out.init = init;
  return out;
}

}  // namespace atlas::trial
