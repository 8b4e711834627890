// atlas/cpp/incoming.hpp - a request of a peer and the way to answer it.
#pragma once

#include "host.hpp"

namespace atlas {

// The right to answer one request, once. Copy it to answer later, on the strand or from another thread.
class ReplyTo {
 public:
  ReplyTo(const Host& host, atlas_reply_to handle) : host_(&host), handle_(handle) {}
  bool wanted() const { return handle_ != 0; }
  // STATE when it is answered already, GONE when the peer is.
  Status send(std::uint8_t type, ByteArg body) const {
    return {
        ATLAS_CALL(host_->messages_table(), atlas_ext_messages, reply, host_->c(), handle_, type, c_bytes(body.bytes))};
  }
  Status fail(std::uint32_t code, std::string_view text) const {
    return {ATLAS_CALL(host_->messages_table(), atlas_ext_messages, fail, host_->c(), handle_, code, c_text(text))};
  }
  // Error 2003.
  Status reject(std::string_view text) const { return fail(ATLAS_ERROR_REJECTED, text); }

 private:
  const Host* host_;
  atlas_reply_to handle_;
};

// Borrowed until the handler returns; reply_to may be kept.
struct Incoming {
  std::uint8_t type;
  Peer from;
  ReplyTo reply_to;
  Bytes body;  // one MessagePack map, its structure already checked

  msgpack::MapView map() const { return msgpack::MapView::of(body); }
  Status reply(std::uint8_t answer_type, ByteArg answer) const { return reply_to.send(answer_type, answer); }
  Status reject(std::string_view text) const { return reply_to.reject(text); }
};

}  // namespace atlas
