// Raw streams of FakeHost: what the role opens, and what peers open to it. Included by fake_host.h.
//
//   host.open_stream(kPeer, 0x91, opening);         a peer opens one; the handle, or 0 when the role refuses
//   host.streams.at(stream).written                 what the role wrote; likewise finished, reset, stopped
//   host.stream_data(stream, bytes, fin);           what the peer writes
//   host.stream_acknowledged(stream);               the peer has all of it: there is room again
//   host.stream_closed(stream, ATLAS_OK);           the end; once
#pragma once

#include "fake_host.h"

namespace atlas::kit {

inline atlas_stream FakeHost::open_stream(atlas_peer from, std::uint8_t type, const Bytes& opening) {
  const auto found = stream_claims_.find(type);
  if (found == stream_claims_.end()) throw std::runtime_error("the role takes no raw streams of that type");
  const atlas_stream stream = ++last_id_;
  FakeStream& made = streams[stream];
  made.peer = from;
  made.type = type;
  made.opening = opening;
  made.event = found->second.event;
  atlas_stream_opened opened{};
  opened.struct_size = sizeof opened;
  opened.type = type;
  opened.from = from;
  opened.stream = stream;
  opened.opening = bytes_to(opening);
  const atlas_status status = found->second.opened(role_, &opened);
  if (status < 0) streams.erase(stream);
  settle();
  return status < 0 ? 0 : stream;
}

inline void FakeHost::tell_stream(atlas_stream stream, atlas_stream_event event) {
  const auto found = streams.find(stream);
  if (found == streams.end()) throw std::runtime_error("no such stream is open");
  const FakeStream copy = found->second;
  if (event.what == ATLAS_STREAM_CLOSED) streams.erase(found);
  event.struct_size = sizeof event;
  event.stream = stream;
  event.arg = copy.arg;
  copy.event(role_, &event);
  settle();
}

inline void FakeHost::stream_data(atlas_stream stream, const Bytes& data, bool fin) {
  atlas_stream_event event{};
  event.what = ATLAS_STREAM_DATA;
  event.data = bytes_to(data);
  event.fin = fin ? 1 : 0;
  FakeStream* found = find_stream(stream);
  if (found != nullptr && found->stopped) return;  // the role wants no more
  if (found != nullptr) found->delivered += data.size();
  tell_stream(stream, event);
}

inline void FakeHost::stream_acknowledged(atlas_stream stream) {
  FakeStream* found = find_stream(stream);
  if (found == nullptr) throw std::runtime_error("no such stream is open");
  found->unacknowledged = 0;
  if (std::exchange(found->full, false)) stream_event(stream, ATLAS_STREAM_WRITABLE);
}

template <class Which>
void FakeHost::close_streams(Which&& which) {
  for (bool again = true; std::exchange(again, false);) {
    for (const auto& [stream, it] : streams) {
      if (!which(it)) continue;
      stream_closed(stream, ATLAS_E_GONE);
      again = true;
      break;
    }
  }
}

inline void FakeHost::stream_event(atlas_stream stream, std::uint32_t what, std::uint64_t code) {
  atlas_stream_event event{};
  event.what = what;
  event.code = code;
  tell_stream(stream, event);
}

inline void FakeHost::stream_closed(atlas_stream stream, atlas_status status, std::uint64_t code) {
  atlas_stream_event event{};
  event.what = ATLAS_STREAM_CLOSED;
  event.status = status;
  event.code = code;
  tell_stream(stream, event);
}

inline void FakeHost::fill_streams() {
  atlas_ext_streams& table = tables.streams;
  table.struct_size = sizeof table;
  table.accept = [](const atlas_host* host, uint8_t type, atlas_status (*opened)(void*, const atlas_stream_opened*),
                    atlas_stream_event_fn event) -> atlas_status {
    FakeHost& self = of(host);
    if (!self.in_init_) return ATLAS_E_STATE;
    return self.stream_claims_.emplace(type, StreamClaim{opened, event}).second ? ATLAS_OK : ATLAS_E_CONFLICT;
  };
  table.open = [](const atlas_host* host, atlas_peer to, uint8_t type, atlas_bytes opening, atlas_stream_event_fn event,
                  void* arg, atlas_stream* out) -> atlas_status {
    FakeHost& self = of(host);
    if (self.stream_status < 0) return self.stream_status;
    if (!self.peers.contains(to)) return self.fail(ATLAS_E_GONE, "the session has ended");
    *out = ++self.last_id_;
    FakeStream& made = self.streams[*out];
    made.peer = to;
    made.type = type;
    made.opening = bytes_of(opening);
    made.event = event;
    made.arg = arg;
    return ATLAS_OK;
  };
  table.set_arg = [](const atlas_host* host, atlas_stream stream, void* arg) -> atlas_status {
    FakeStream* found = of(host).find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    found->arg = arg;
    return ATLAS_OK;
  };
  fill_stream_ends();
}

// What can be done with one that is open.
inline void FakeHost::fill_stream_ends() {
  atlas_ext_streams& table = tables.streams;
  table.write = [](const atlas_host* host, atlas_stream stream, atlas_bytes data) -> atlas_status {
    FakeHost& self = of(host);
    FakeStream* found = self.find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    if (!found->writes || found->finished || found->reset) return ATLAS_E_STATE;
    if (data.size > self.stream_room) return ATLAS_E_ARG;
    found->full = found->unacknowledged + data.size > self.stream_room;
    if (found->full) return ATLAS_E_FULL;
    found->written.insert(found->written.end(), data.data, data.data + data.size);
    found->unacknowledged += data.size;
    return ATLAS_OK;
  };
  table.finish = [](const atlas_host* host, atlas_stream stream) -> atlas_status {
    FakeStream* found = of(host).find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    if (!found->writes || found->finished || found->reset) return ATLAS_E_STATE;
    found->finished = true;
    return ATLAS_OK;
  };
  table.reset = [](const atlas_host* host, atlas_stream stream, uint64_t code) -> atlas_status {
    FakeStream* found = of(host).find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    if (!found->writes || found->reset) return ATLAS_E_STATE;
    found->reset = code;
    return ATLAS_OK;
  };
  table.stop = [](const atlas_host* host, atlas_stream stream, uint64_t code) -> atlas_status {
    FakeStream* found = of(host).find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    if (!found->reads || found->stopped) return ATLAS_E_STATE;
    found->stopped = code;
    return ATLAS_OK;
  };
  table.credit = [](const atlas_host* host, atlas_stream stream, uint64_t bytes) -> atlas_status {
    FakeStream* found = of(host).find_stream(stream);
    if (found == nullptr) return ATLAS_E_GONE;
    if (found->stopped) return ATLAS_OK;
    if (bytes > found->delivered) return ATLAS_E_ARG;
    found->delivered -= bytes;
    return ATLAS_OK;
  };
}

}  // namespace atlas::kit
