// A role that lives in the test and speaks another ALPN: it notes all that it is told, and judges peers as the test
// says.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "atlas/ext/protocols.h"
#include "atlas/plugin.h"

namespace atlas::kit {

class ProtocolRole {
 public:
  explicit ProtocolRole(std::string id, std::vector<std::string> alpns = {"test/1"})
      : id_(std::move(id)), alpns_(std::move(alpns)) {}

  struct Log {
    bool up = false, down = false, dialled = false;
    std::string identity, remote, reason;
    std::uint32_t why = 0;
    std::uint64_t code = 0;
    std::vector<atlas_stream> streams;  // that the peer opened
  };
  struct StreamLog {
    std::string data;
    std::uint64_t received = 0;
    bool fin = false, closed = false, unidirectional = false;
    atlas_status status = 1;
    std::uint64_t reset = UINT64_MAX;
  };

  // What the test may say before the node starts.
  std::uint32_t flags = ATLAS_PROTOCOL_ACCEPTS | ATLAS_PROTOCOL_CLIENT_CERT;
  atlas_protocol_limits limits = [] {
    atlas_protocol_limits out{};
    out.struct_size = sizeof out;
    return out;
  }();
  std::function<atlas_status(const atlas_presented&, atlas_verdict&)> verify;
  std::function<void(const atlas_connection_event&)> on_event;
  std::vector<std::uint8_t> certificate, key;  // given at start, if there are some
  bool echoes = false, credits = true;

  std::map<atlas_connection, Log> logs;
  std::map<atlas_stream, StreamLog> streams;
  std::vector<atlas_connection> connections;  // in the order that they came up
  std::vector<std::vector<std::string>> chains;

  const atlas_host* host() const { return host_; }
  const atlas_ext_protocols& table() const {
    return *static_cast<const atlas_ext_protocols*>(host_->extension(host_, ATLAS_EXT_PROTOCOLS));
  }
  const atlas_ext_streams& stream_table() const {
    return *static_cast<const atlas_ext_streams*>(host_->extension(host_, ATLAS_EXT_STREAMS));
  }
  static atlas_text text(const std::string& words) { return {words.data(), words.size()}; }

  atlas_status credentials(const std::string& alpn) {
    const atlas_bytes chain{certificate.data(), certificate.size()};
    return table().credentials(host_, text(alpn), &chain, 1, {key.data(), key.size()});
  }
  atlas_connection dial(const std::string& remote, const std::string& alpn = "test/1",
                        std::uint32_t timeout_ms = 5000) {
    atlas_connection out = 0;
    status = table().dial(host_, text(alpn), text(remote), {}, timeout_ms, nullptr, &out);
    if (out != 0) logs[out];
    return out;
  }
  atlas_stream open(atlas_connection connection, bool unidirectional = false) {
    atlas_stream out = 0;
    status = table().open(host_, connection, unidirectional ? 1 : 0, nullptr, &out);
    if (out != 0) streams[out];
    return out;
  }
  atlas_status write(atlas_stream stream, std::string_view data) {
    return stream_table().write(host_, stream, {reinterpret_cast<const std::uint8_t*>(data.data()), data.size()});
  }
  atlas_status finish(atlas_stream stream) { return stream_table().finish(host_, stream); }
  atlas_status close(atlas_connection connection, std::uint64_t code, const std::string& reason) {
    return table().close(host_, connection, code, text(reason));
  }
  atlas_status status = ATLAS_OK;  // of the last dial() or open()

  template <int Slot>
  const ::atlas_plugin* plugin() {
    static ProtocolRole* role = nullptr;
    static ::atlas_plugin out{};
    role = this;
    out.struct_size = sizeof out;
    out.abi_major = ATLAS_ABI_MAJOR;
    out.id = id_.c_str();
    out.version = "1.0";
    out.summary = "Another protocol for tests.";
    out.init = [](const atlas_host* host, void** self) {
      *self = role;
      role->host_ = host;
      for (const auto& alpn : role->alpns_) {
        atlas_protocol protocol{};
        protocol.struct_size = sizeof protocol;
        protocol.flags = role->flags;
        protocol.alpn = text(alpn);
        protocol.limits = &role->limits;
        protocol.verify = on_verify;
        protocol.event = on_connection;
        protocol.stream = on_stream;
        if (const atlas_status claimed = role->table().claim(host, &protocol); claimed != ATLAS_OK) return claimed;
      }
      return atlas_status{ATLAS_OK};
    };
    out.start = [](void* self) {
      auto& me = *static_cast<ProtocolRole*>(self);
      if (me.certificate.empty()) return atlas_status{ATLAS_OK};
      for (const auto& alpn : me.alpns_) EXPECT_EQ(me.credentials(alpn), ATLAS_OK);
      return atlas_status{ATLAS_OK};
    };
    return &out;
  }

 private:
  static atlas_status on_verify(void* self, const atlas_presented* presented, atlas_verdict* verdict) {
    auto& me = *static_cast<ProtocolRole*>(self);
    me.chains.emplace_back();
    for (std::size_t i = 0; i < presented->chain_count; ++i) {
      const atlas_bytes& one = presented->chain[i];
      me.chains.back().emplace_back(reinterpret_cast<const char*>(one.data), one.size);
    }
    EXPECT_FALSE(me.logs[presented->connection].up) << "nothing is told before the verdict";
    if (me.verify) return me.verify(*presented, *verdict);
    verdict->identity_size = 6;
    std::memcpy(verdict->identity, "friend", 6);
    return ATLAS_OK;
  }

  static void on_connection(void* self, const atlas_connection_event* event) {
    auto& me = *static_cast<ProtocolRole*>(self);
    Log& log = me.logs[event->connection];
    EXPECT_FALSE(log.down) << "nothing comes after DOWN";
    log.identity.assign(reinterpret_cast<const char*>(event->identity.data), event->identity.size);
    log.remote.assign(event->remote.data, event->remote.size);
    log.dialled = event->dialled != 0;
    switch (event->what) {
      case ATLAS_CONNECTION_UP:
        EXPECT_FALSE(log.up);
        log.up = true;
        me.connections.push_back(event->connection);
        break;
      case ATLAS_CONNECTION_STREAM:
        EXPECT_TRUE(log.up);
        log.streams.push_back(event->stream);
        me.streams[event->stream].unidirectional = event->unidirectional != 0;
        break;
      case ATLAS_CONNECTION_DOWN:
        log.down = true;
        log.why = event->why;
        log.code = event->code;
        log.reason.assign(event->reason.data, event->reason.size);
        break;
      default:
        break;
    }
    if (me.on_event) me.on_event(*event);
  }

  static void on_stream(void* self, const atlas_stream_event* event) {
    auto& me = *static_cast<ProtocolRole*>(self);
    StreamLog& log = me.streams[event->stream];
    EXPECT_FALSE(log.closed) << "nothing comes after CLOSED";
    switch (event->what) {
      case ATLAS_STREAM_DATA: {
        const std::string_view bytes(reinterpret_cast<const char*>(event->data.data), event->data.size);
        log.data += bytes.substr(0, 4096);
        log.received += bytes.size();
        log.fin = event->fin != 0;
        if (me.credits) me.stream_table().credit(me.host_, event->stream, bytes.size());
        if (!me.echoes || log.unidirectional) break;
        if (!bytes.empty()) me.write(event->stream, bytes);
        if (log.fin) me.finish(event->stream);
        break;
      }
      case ATLAS_STREAM_RESET:
        log.reset = event->code;
        break;
      case ATLAS_STREAM_CLOSED:
        log.closed = true;
        log.status = event->status;
        break;
      default:
        break;
    }
  }

  const std::string id_;
  const std::vector<std::string> alpns_;
  const atlas_host* host_ = nullptr;
};

}  // namespace atlas::kit
