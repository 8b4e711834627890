// A role that lives in the test: it takes raw streams of one type, opens some, and notes all that it is told. What it
// does besides, the test says. The ABI's functions carry no context before init, hence the slots.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "atlas/ext/streams.h"
#include "atlas/plugin.h"

namespace atlas::kit {

class StreamRole {
 public:
  explicit StreamRole(std::string id, std::uint8_t type = 0x91) : id_(std::move(id)), type_(type) {}

  // Of one stream: what came, and how it ended.
  struct Log {
    std::string opening;
    std::string data;  // the first bytes of it, as many as `kept`
    std::uint64_t received = 0;
    bool arrived = false, fin = false, closed = false;
    std::uint64_t reset = UINT64_MAX, stopped = UINT64_MAX, code = UINT64_MAX;
    atlas_status status = 1;
    int writable = 0;
  };

  // What the test may change: at once or between runs of the world.
  std::function<atlas_status(const atlas_stream_opened&)> opened;
  std::function<void(const atlas_stream_event&)> event;
  bool credits = true;  // what came is dealt with at once
  bool echoes = false;  // it goes back on the same stream; FIN answers FIN
  std::size_t kept = 4096;

  std::map<atlas_stream, Log> logs;
  std::vector<atlas_stream> arrived;  // in order
  std::vector<std::uint32_t> order;   // what every event was, in order
  atlas_peer peer = 0;                // the last that came up
  int peers_down = 0;
  bool stopped = false;

  const atlas_host* host() const { return host_; }
  const atlas_ext_streams& table() const {
    return *static_cast<const atlas_ext_streams*>(host_->extension(host_, ATLAS_EXT_STREAMS));
  }
  atlas_stream open(std::string_view opening = "\x80") { return open(type_, opening); }
  atlas_stream open(std::uint8_t type, std::string_view opening) {
    atlas_stream out = 0;
    const atlas_bytes bytes{reinterpret_cast<const std::uint8_t*>(opening.data()), opening.size()};
    open_status = table().open(host_, peer, type, bytes, on_event, this, &out);
    if (open_status == ATLAS_OK) logs[out];
    return out;
  }
  atlas_status open_status = ATLAS_OK;
  atlas_status write(atlas_stream stream, std::string_view data) {
    return table().write(host_, stream, {reinterpret_cast<const std::uint8_t*>(data.data()), data.size()});
  }
  atlas_status finish(atlas_stream stream) { return table().finish(host_, stream); }
  atlas_status reset(atlas_stream stream, std::uint64_t code) { return table().reset(host_, stream, code); }
  atlas_status stop(atlas_stream stream, std::uint64_t code) { return table().stop(host_, stream, code); }
  atlas_status credit(atlas_stream stream, std::uint64_t bytes) { return table().credit(host_, stream, bytes); }

  // Writes so many bytes as there is room for them, then FIN.
  void send(atlas_stream stream, std::uint64_t bytes) {
    to_send_[stream] = bytes;
    pump(stream);
  }

  // Byte number `at` of what send() writes.
  static char pattern(std::uint64_t at) { return static_cast<char>(at * 31 + (at >> 13)); }

  template <int Slot>
  const ::atlas_plugin* plugin() {
    static StreamRole* role = nullptr;
    static ::atlas_plugin out{};
    role = this;
    out.struct_size = sizeof out;
    out.abi_major = ATLAS_ABI_MAJOR;
    out.id = id_.c_str();
    out.version = "1.0";
    out.summary = "Raw streams for tests.";
    out.init = [](const atlas_host* host, void** self) {
      *self = role;
      role->host_ = host;
      return role->table().accept(host, role->type_, on_opened, on_event);
    };
    out.stop = [](void* self) { static_cast<StreamRole*>(self)->stopped = true; };
    out.peer_event = [](void* self, const atlas_peer_event* event) {
      auto& me = *static_cast<StreamRole*>(self);
      if (event->what == ATLAS_PEER_UP) me.peer = event->peer;
      if (event->what == ATLAS_PEER_DOWN) ++me.peers_down;
    };
    return &out;
  }

  static void on_event(void* self, const atlas_stream_event* event) { static_cast<StreamRole*>(self)->note(*event); }

 private:
  static atlas_status on_opened(void* self, const atlas_stream_opened* stream) {
    auto& me = *static_cast<StreamRole*>(self);
    Log& log = me.logs[stream->stream];
    EXPECT_FALSE(log.arrived);
    log.arrived = true;
    log.opening.assign(reinterpret_cast<const char*>(stream->opening.data), stream->opening.size);
    me.arrived.push_back(stream->stream);
    return me.opened ? me.opened(*stream) : ATLAS_OK;
  }

  void note(const atlas_stream_event& told) {
    Log& log = logs[told.stream];
    EXPECT_FALSE(log.closed) << "nothing comes after CLOSED";
    order.push_back(told.what);
    switch (told.what) {
      case ATLAS_STREAM_DATA:
        EXPECT_FALSE(log.fin) << "nothing comes after FIN";
        take(log, told);
        break;
      case ATLAS_STREAM_WRITABLE:
        ++log.writable;
        pump(told.stream);
        break;
      case ATLAS_STREAM_RESET:
        log.reset = told.code;
        break;
      case ATLAS_STREAM_STOPPED:
        log.stopped = told.code;
        break;
      case ATLAS_STREAM_CLOSED:
        log.closed = true;
        log.status = told.status;
        log.code = told.code;
        EXPECT_EQ(write(told.stream, "x"), ATLAS_E_GONE);
        break;
      default:
        break;
    }
    if (event) event(told);
  }

  void take(Log& log, const atlas_stream_event& told) {
    const std::string_view bytes(reinterpret_cast<const char*>(told.data.data), told.data.size);
    log.data += bytes.substr(0, kept - std::min(kept, log.data.size()));
    log.received += bytes.size();
    log.fin = told.fin != 0;
    atlas_status status = credits && !bytes.empty() ? credit(told.stream, bytes.size()) : ATLAS_OK;
    EXPECT_EQ(status, ATLAS_OK);
    if (!echoes) return;
    status = bytes.empty() ? ATLAS_OK : write(told.stream, bytes);
    EXPECT_EQ(status, ATLAS_OK);
    status = log.fin ? finish(told.stream) : ATLAS_OK;
    EXPECT_EQ(status, ATLAS_OK);
  }

  void pump(atlas_stream stream) {
    const auto found = to_send_.find(stream);
    if (found == to_send_.end()) return;
    std::uint64_t& left = found->second;
    std::string piece;
    while (left > 0) {
      piece.resize(std::min<std::uint64_t>(left, 64 << 10));
      const std::uint64_t at = sent_[stream];
      for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = pattern(at + i);
      const atlas_status status = write(stream, piece);
      if (status == ATLAS_E_FULL) return;
      if (status != ATLAS_OK) break;
      left -= piece.size();
      sent_[stream] += piece.size();
    }
    const bool all = left == 0;
    to_send_.erase(found);
    if (all) finish(stream);
  }

  const std::string id_;
  const std::uint8_t type_;
  const atlas_host* host_ = nullptr;
  std::map<atlas_stream, std::uint64_t> to_send_, sent_;
};

}  // namespace atlas::kit
