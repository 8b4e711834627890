// atlas/cpp/bus.hpp - plugins of one node among themselves: publish and ask here, hear and serve through Setup.
//
// Threads: on the role's strand; publish() on any. What a callback gets is borrowed; a BusCall may be kept.
#pragma once

#include "../ext/bus.h"
#include "host.hpp"

namespace atlas {

// Something that a plugin published; borrowed.
struct BusEvent {
  std::string_view topic, from;
  Bytes body;

  msgpack::MapView map() const { return msgpack::MapView::of(body); }
};

// What another plugin answered, or why it did not; borrowed.
struct BusAnswer {
  Status status;
  Bytes body;
  std::string_view error;  // for people

  bool ok() const { return status.ok(); }
  msgpack::MapView map() const { return ok() ? msgpack::MapView::of(body) : msgpack::MapView(); }
};

// The right to answer one request of another plugin, once. Copy it to answer later, from any thread.
class BusCall {
 public:
  BusCall(const Host& host, const atlas_ext_bus* table, atlas_bus_call call)
      : host_(&host), table_(table), call_(call) {}
  // GONE when it is answered already, or nobody waits.
  Status answer(ByteArg body) const {
    return {ATLAS_CALL(table_, atlas_ext_bus, answer, host_->c(), call_, c_bytes(body.bytes))};
  }
  Status fail(Status why, std::string_view text) const {
    return {ATLAS_CALL(table_, atlas_ext_bus, fail, host_->c(), call_, why.code, c_text(text))};
  }

 private:
  const Host* host_;
  const atlas_ext_bus* table_;
  atlas_bus_call call_;
};

// Borrowed until the service returns; call may be kept.
struct BusRequest {
  std::string_view service, from;
  BusCall call;
  Bytes body;

  msgpack::MapView map() const { return msgpack::MapView::of(body); }
};

class Bus {
 public:
  explicit Bus(Host& host) : host_(host), table_(host.table<atlas_ext_bus>(ATLAS_EXT_BUS)) {}

  // To every subscriber whose queue has room. The topic is "<own id>/<what>".
  Status publish(std::string_view topic, ByteArg body, std::uint32_t* receivers = nullptr) const {
    return {ATLAS_CALL(table_, atlas_ext_bus, publish, host_.c(), c_text(topic), c_bytes(body.bytes), receivers)};
  }
  // done(const BusAnswer&) runs exactly once on the strand; with the status that the host refused the request with,
  // before this returns. timeout 1 ms .. 10 min.
  template <class F>
  void request(std::string_view service, ByteArg body, Millis timeout, F done) const;

 private:
  using AnswerTask = detail::Task<const BusAnswer&>;
  static void on_answer(void* arg, const atlas_bus_answer* c) noexcept {
    const BusAnswer answer{{c->status}, view(c->body), view(c->error)};
    Host::run_once<const BusAnswer&>("an answer of another plugin", static_cast<AnswerTask*>(arg), answer);
  }

  Host& host_;
  const atlas_ext_bus* table_;
};

template <class F>
void Bus::request(std::string_view service, ByteArg body, Millis timeout, F done) const {
  auto task = std::make_unique<detail::Callable<AnswerTask, F, const BusAnswer&>>(&host_, std::move(done));
  const auto limit = static_cast<std::uint32_t>(std::clamp<Millis::rep>(timeout.count(), 1, 600'000));
  const Status status{ATLAS_CALL(table_, atlas_ext_bus, request, host_.c(), c_text(service), c_bytes(body.bytes), limit,
                                 &Bus::on_answer, static_cast<void*>(static_cast<AnswerTask*>(task.get())))};
  if (!status.ok()) {
    const std::string why = host_.last_error();
    const BusAnswer none{status, {}, why};
    static_cast<void>(host_.guarded("an answer of another plugin", [&] { task->run(none); }));
    return;
  }
  host_.tasks_.add(task.release());
}

inline Bus Host::bus() {
  return Bus(*this);
}

}  // namespace atlas
