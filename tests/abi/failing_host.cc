#include "abi/failing_host.h"

namespace atlas::host::test {
namespace {

template <class Table>
constexpr const char* kId = nullptr;
template <>
constexpr const char* kId<atlas_ext_bus> = ATLAS_EXT_BUS;
template <>
constexpr const char* kId<atlas_ext_cli> = ATLAS_EXT_CLI;
template <>
constexpr const char* kId<atlas_ext_config> = ATLAS_EXT_CONFIG;
template <>
constexpr const char* kId<atlas_ext_identity> = ATLAS_EXT_IDENTITY;
template <>
constexpr const char* kId<atlas_ext_listener> = ATLAS_EXT_LISTENER;
template <>
constexpr const char* kId<atlas_ext_log> = ATLAS_EXT_LOG;
template <>
constexpr const char* kId<atlas_ext_messages> = ATLAS_EXT_MESSAGES;
template <>
constexpr const char* kId<atlas_ext_metrics> = ATLAS_EXT_METRICS;
template <>
constexpr const char* kId<atlas_ext_peers> = ATLAS_EXT_PEERS;
template <>
constexpr const char* kId<atlas_ext_protocols> = ATLAS_EXT_PROTOCOLS;
template <>
constexpr const char* kId<atlas_ext_routes> = ATLAS_EXT_ROUTES;
template <>
constexpr const char* kId<atlas_ext_store> = ATLAS_EXT_STORE;
template <>
constexpr const char* kId<atlas_ext_streams> = ATLAS_EXT_STREAMS;
template <>
constexpr const char* kId<atlas_ext_timers> = ATLAS_EXT_TIMERS;

// The function of a table that stands for `Member` of the real one.
template <auto Member>
struct Passed;
template <class Table, class... Args, atlas_status (*Table::*Member)(const atlas_host*, Args...)>
struct Passed<Member> {
  static atlas_status call(const atlas_host*, Args... args) {
    FailingHost& host = *FailingHost::current;
    if (host.fails(__PRETTY_FUNCTION__)) return host.status();
    return (host.table<Table>(kId<Table>)->*Member)(host.real(), args...);
  }
};
template <class Table, class... Args, void (*Table::*Member)(const atlas_host*, Args...)>
struct Passed<Member> {
  static void call(const atlas_host*, Args... args) {
    FailingHost& host = *FailingHost::current;
    (host.table<Table>(kId<Table>)->*Member)(host.real(), args...);
  }
};

#define AT(function) Passed<&Table::function>::call

template <class Table>
constexpr Table table_of();

template <>
constexpr atlas_ext_bus table_of() {
  using Table = atlas_ext_bus;
  return {sizeof(Table), AT(publish), AT(subscribe), AT(offer), AT(request), AT(answer), AT(fail)};
}
template <>
constexpr atlas_ext_cli table_of() {
  using Table = atlas_ext_cli;
  return {sizeof(Table), AT(command), AT(emit), AT(finish)};
}
template <>
constexpr atlas_ext_config table_of() {
  using Table = atlas_ext_config;
  return {sizeof(Table), AT(boolean), AT(integer), AT(millis), AT(text), AT(texts), AT(reject), AT(node_key)};
}
template <>
constexpr atlas_ext_identity table_of() {
  using Table = atlas_ext_identity;
  return {sizeof(Table), AT(self), AT(peer), AT(node_id), AT(sign), AT(verify)};
}
template <>
constexpr atlas_ext_listener table_of() {
  using Table = atlas_ext_listener;
  return {sizeof(Table), AT(info), AT(watch)};
}
template <>
constexpr atlas_ext_log table_of() {
  using Table = atlas_ext_log;
  return {sizeof(Table), AT(write)};
}
template <>
constexpr atlas_ext_messages table_of() {
  using Table = atlas_ext_messages;
  return {sizeof(Table), AT(handle), AT(send), AT(request), AT(cancel), AT(reply), AT(fail)};
}
template <>
constexpr atlas_ext_metrics table_of() {
  using Table = atlas_ext_metrics;
  return {sizeof(Table), AT(define), AT(add), AT(set)};
}
template <>
constexpr atlas_ext_peers table_of() {
  using Table = atlas_ext_peers;
  return {sizeof(Table), AT(self), AT(info), AT(find), AT(list), AT(connect), AT(disconnect), AT(upsert)};
}
template <>
constexpr atlas_ext_protocols table_of() {
  using Table = atlas_ext_protocols;
  return {sizeof(Table), AT(claim), AT(credentials), AT(dial), AT(close), AT(open)};
}
template <>
constexpr atlas_ext_routes table_of() {
  using Table = atlas_ext_routes;
  return {sizeof(Table), AT(add), AT(remove), AT(counters), AT(provide), AT(found), AT(not_found), AT(expect)};
}
template <>
constexpr atlas_ext_store table_of() {
  using Table = atlas_ext_store;
  return {sizeof(Table), AT(get), AT(put), AT(remove), AT(scan)};
}
template <>
constexpr atlas_ext_streams table_of() {
  using Table = atlas_ext_streams;
  return {sizeof(Table), AT(accept), AT(open), AT(set_arg), AT(write), AT(finish), AT(reset), AT(stop), AT(credit)};
}
template <>
constexpr atlas_ext_timers table_of() {
  using Table = atlas_ext_timers;
  return {sizeof(Table), AT(start), AT(cancel)};
}

#undef AT

// Every function of the table has been given, so that one which is appended later is not forgotten here.
template <class Table>
struct Stand {
  static constexpr Table table = table_of<Table>();
  static bool complete() {
    const void* last = nullptr;
    std::memcpy(&last, reinterpret_cast<const char*>(&table) + sizeof table - sizeof last, sizeof last);
    return last != nullptr;
  }
};

struct Entry {
  const char* id;
  const void* table;
  std::size_t size;
  bool complete;
};
template <class Table>
Entry entry() {
  return {kId<Table>, &Stand<Table>::table, sizeof(Table), Stand<Table>::complete()};
}

const Entry kEntries[] = {entry<atlas_ext_bus>(),       entry<atlas_ext_cli>(),      entry<atlas_ext_config>(),
                          entry<atlas_ext_identity>(),  entry<atlas_ext_listener>(), entry<atlas_ext_log>(),
                          entry<atlas_ext_messages>(),  entry<atlas_ext_metrics>(),  entry<atlas_ext_peers>(),
                          entry<atlas_ext_protocols>(), entry<atlas_ext_routes>(),   entry<atlas_ext_store>(),
                          entry<atlas_ext_streams>(),   entry<atlas_ext_timers>()};

atlas_status post(const atlas_host*, void (*fn)(void*), void* arg) {
  FailingHost& host = *FailingHost::current;
  if (host.fails("atlas_host::post")) return host.status();
  return host.real()->post(host.real(), fn, arg);
}
std::size_t last_error(const atlas_host*, char* buffer, std::size_t size) {
  const atlas_host* real = FailingHost::current->real();
  return real->last_error(real, buffer, size);
}
std::uint64_t now_ms(const atlas_host*) {
  const atlas_host* real = FailingHost::current->real();
  return real->now_ms(real);
}
std::int64_t unix_ms(const atlas_host*) {
  const atlas_host* real = FailingHost::current->real();
  return real->unix_ms(real);
}
void random_bytes(const atlas_host*, std::uint8_t* out, std::size_t size) {
  const atlas_host* real = FailingHost::current->real();
  real->random(real, out, size);
}

}  // namespace

FailingHost::FailingHost(const ::atlas_plugin& plugin, std::size_t fail_at, atlas_status with)
    : plugin_(plugin), wrapped_(plugin), fail_at_(fail_at), with_(with) {
  current = this;
  wrapped_.struct_size = sizeof wrapped_;
  wrapped_.init = init;
}

std::vector<FailingHost::Known> FailingHost::tables() {
  std::vector<Known> out;
  for (const Entry& entry : kEntries) out.push_back({entry.id, entry.size});
  return out;
}

atlas_status FailingHost::init(const atlas_host* host, void** self) {
  FailingHost& me = *current;
  me.real_ = host;
  me.host_ = *host;
  me.host_.struct_size = sizeof me.host_;
  me.host_.extension = extension;
  me.host_.post = post;
  me.host_.last_error = last_error;
  me.host_.now_ms = now_ms;
  me.host_.unix_ms = unix_ms;
  me.host_.random = random_bytes;
  return me.plugin_.init(&me.host_, self);
}

const void* FailingHost::extension(const atlas_host*, const char* id) {
  FailingHost& me = *current;
  if (me.fails("atlas_host::extension")) return nullptr;
  for (const Entry& entry : kEntries) {
    if (std::strcmp(entry.id, id) != 0) continue;
    if (!entry.complete) return nullptr;
    if (me.short_id_ != id) return entry.table;
    // Behind its end there is what nobody may call.
    me.short_table_.assign(entry.size / sizeof(std::uint64_t), 0xdead);
    std::memcpy(me.short_table_.data(), entry.table, me.short_size_);
    const auto size = static_cast<std::uint32_t>(me.short_size_);
    std::memcpy(me.short_table_.data(), &size, sizeof size);
    return me.short_table_.data();
  }
  return me.real_->extension(me.real_, id);
}

}  // namespace atlas::host::test
