// Connections of other protocols of FakeHost: who comes, what they show, and what becomes of them. No TLS: a chain is
// whatever bytes the test says. Included by fake_host.h.
//
//   host.present("some/1", "192.0.2.1:7", {certificate});    a peer dials; the handle, or 0 when the role refuses it
//   host.answer_protocol_dial(connection, {certificate});    what the role dialled answers; false when it is refused
//   host.open_connection_stream(connection);                 the peer opens a stream; see fake_streams.h for the rest
//   host.connection_down(connection, ATLAS_CLOSED_PEER, 7, "bye");
#pragma once

#include "fake_host.h"

namespace atlas::kit {

// Asks verify; UP follows where it accepts.
inline bool FakeHost::judge(atlas_connection connection, const std::vector<Bytes>& chain) {
  FakeConnection& it = connections.at(connection);
  std::vector<atlas_bytes> shown;
  for (const Bytes& one : chain) shown.push_back(bytes_to(one));
  const atlas_presented presented{sizeof presented,   it.dialled ? 1u : 0u, connection,  it.arg,
                                  text_to(it.remote), shown.data(),         shown.size()};
  atlas_verdict verdict{};
  verdict.struct_size = sizeof verdict;
  const atlas_status status = protocols.at(it.alpn).verify(role_, &presented, &verdict);
  if (status < 0 || verdict.identity_size > sizeof verdict.identity) return false;
  it.identity.assign(verdict.identity, verdict.identity + verdict.identity_size);
  it.up = true;
  tell_connection(connection, {.what = ATLAS_CONNECTION_UP});
  return true;
}

inline void FakeHost::tell_connection(atlas_connection connection, FakeConnectionEvent told) {
  const FakeConnection it = connections.at(connection);
  if (told.what == ATLAS_CONNECTION_DOWN) connections.erase(connection);
  atlas_connection_event event{};
  event.struct_size = sizeof event;
  event.what = told.what;
  event.connection = connection;
  event.arg = it.arg;
  event.identity = bytes_to(it.identity);
  event.remote = text_to(it.remote);
  event.dialled = it.dialled ? 1 : 0;
  event.why = told.why;
  event.code = told.code;
  event.reason = text_to(told.reason);
  event.stream = told.stream;
  event.unidirectional = told.unidirectional ? 1 : 0;
  protocols.at(it.alpn).event(role_, &event);
  settle();
}

inline atlas_connection FakeHost::present(const std::string& alpn, const std::string& remote,
                                          const std::vector<Bytes>& chain) {
  const auto found = protocols.find(alpn);
  if (found == protocols.end() || found->second.key.empty() || (found->second.flags & ATLAS_PROTOCOL_ACCEPTS) == 0) {
    throw std::runtime_error("the role does not accept " + alpn);
  }
  if (chain.empty() && (found->second.flags & ATLAS_PROTOCOL_CLIENT_CERT) != 0) return 0;  // TLS would refuse it
  const atlas_connection connection = ++last_id_;
  connections[connection] = {alpn, remote, "", false, false, nullptr, {}, {}};
  if (judge(connection, chain)) return connection;
  connections.erase(connection);  // nothing is owed
  settle();
  return 0;
}

inline bool FakeHost::answer_protocol_dial(atlas_connection connection, const std::vector<Bytes>& chain) {
  if (judge(connection, chain)) return true;
  connection_down(connection, ATLAS_CLOSED_REFUSED, 0x12a, "the certificate was refused");
  return false;
}

inline atlas_stream FakeHost::open_connection_stream(atlas_connection connection, bool unidirectional) {
  const FakeConnection& it = connections.at(connection);
  const atlas_stream stream = ++last_id_;
  FakeStream& made = streams[stream];
  made.event = protocols.at(it.alpn).stream;
  made.connection = connection;
  made.writes = !unidirectional;
  tell_connection(connection, {.what = ATLAS_CONNECTION_STREAM, .stream = stream, .unidirectional = unidirectional});
  return stream;
}

inline void FakeHost::connection_down(atlas_connection connection, std::uint32_t why, std::uint64_t code,
                                      std::string_view reason) {
  close_streams([connection](const FakeStream& it) { return it.connection == connection; });
  tell_connection(connection, {.what = ATLAS_CONNECTION_DOWN, .why = why, .code = code, .reason = std::string(reason)});
}

inline void FakeHost::fill_protocols() {
  atlas_ext_protocols& table = tables.protocols;
  table.struct_size = sizeof table;
  table.claim = [](const atlas_host* host, const atlas_protocol* protocol) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    const std::string alpn = text_of(protocol->alpn);
    if (alpn.empty() || alpn.size() > 31) return self.fail(ATLAS_E_ARG, "a name has 1 to 31 bytes");
    if (alpn.rfind("atlas/", 0) == 0) return self.fail(ATLAS_E_DENIED, "atlas/ belongs to the core");
    if (self.protocols.contains(alpn)) return self.fail(ATLAS_E_CONFLICT, "claimed already");
    FakeProtocol& it = self.protocols[alpn];
    it.flags = protocol->flags;
    if (protocol->limits != nullptr) it.limits = *protocol->limits;
    it.verify = protocol->verify;
    it.event = protocol->event;
    it.stream = protocol->stream;
    return ATLAS_OK;
  };
  table.credentials = [](const atlas_host* host, atlas_text alpn, const atlas_bytes* chain, size_t count,
                         atlas_bytes key) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.protocols.find(text_of(alpn));
    if (found == self.protocols.end() || count == 0 || count > 8 || key.size == 0) return ATLAS_E_ARG;
    if (self.credentials_status < 0) return self.fail(self.credentials_status, "they do not parse");
    found->second.chain.clear();
    for (size_t i = 0; i < count; ++i) found->second.chain.push_back(bytes_of(chain[i]));
    found->second.key = bytes_of(key);
    return ATLAS_OK;
  };
  table.dial = [](const atlas_host* host, atlas_text alpn, atlas_text remote, atlas_text server_name,
                  uint32_t timeout_ms, void* arg, atlas_connection* out) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.protocols.find(text_of(alpn));
    if (found == self.protocols.end() || timeout_ms == 0 || timeout_ms > 60'000) return ATLAS_E_ARG;
    if (text_of(remote).rfind(':') == std::string::npos) return self.fail(ATLAS_E_ARG, "the address is not ip:port");
    if (found->second.key.empty()) return self.fail(ATLAS_E_STATE, "the protocol has no certificate yet");
    if (self.protocol_status < 0) return self.protocol_status;
    *out = ++self.last_id_;
    self.connections[*out] = {found->first, text_of(remote), text_of(server_name), true, false, arg, {}, {}};
    return ATLAS_OK;
  };
  table.close = [](const atlas_host* host, atlas_connection connection, uint64_t code,
                   atlas_text reason) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.connections.find(connection);
    if (found == self.connections.end()) return ATLAS_E_GONE;
    if (found->second.closed) return ATLAS_OK;
    found->second.closed = code;
    self.strand_.push_back([&self, connection, code, why = text_of(reason)] {
      if (self.connections.contains(connection)) self.connection_down(connection, ATLAS_CLOSED_LOCAL, code, why);
    });
    return ATLAS_OK;
  };
  table.open = [](const atlas_host* host, atlas_connection connection, uint32_t unidirectional, void* arg,
                  atlas_stream* out) -> atlas_status {
    FakeHost& self = of(host);
    const auto found = self.connections.find(connection);
    if (found == self.connections.end() || found->second.closed) return ATLAS_E_GONE;
    if (!found->second.up) return ATLAS_E_STATE;
    if (self.stream_status < 0) return self.stream_status;
    *out = ++self.last_id_;
    FakeStream& made = self.streams[*out];
    made.event = self.protocols.at(found->second.alpn).stream;
    made.arg = arg;
    made.connection = connection;
    made.reads = unidirectional == 0;
    return ATLAS_OK;
  };
}

}  // namespace atlas::kit
