// atlas/cpp/store.hpp - durable rows of the role's own. Strand only. Keys 1..512 bytes, values up to 4 MiB + 64 KiB.
#pragma once

#include <optional>

#include "host.hpp"

namespace atlas {

class Store {
 public:
  explicit Store(Host& host) : host_(host), table_(host.store_) {}

  // Sees every put that was accepted before.
  std::optional<std::vector<std::uint8_t>> get(ByteArg key) const {
    std::vector<std::uint8_t> out;
    atlas_sink sink{sizeof(atlas_sink), &out, &collect};
    const auto status = ATLAS_CALL(table_, atlas_ext_store, get, host_.c_, c_bytes(key.bytes), &sink);
    if (status < 0) return std::nullopt;
    return out;
  }
  // Queued, in order.
  Status put(ByteArg key, ByteArg value) const {
    return {
        ATLAS_CALL(table_, atlas_ext_store, put, host_.c_, c_bytes(key.bytes), c_bytes(value.bytes), nullptr, nullptr)};
  }
  // durable(Status) runs exactly once on the strand, after the commit or with why there was none.
  template <class F>
  void put(ByteArg key, ByteArg value, F durable) const {
    with_commit(std::move(durable), [&](atlas_durable_fn done, void* arg) {
      return ATLAS_CALL(table_, atlas_ext_store, put, host_.c_, c_bytes(key.bytes), c_bytes(value.bytes), done, arg);
    });
  }
  Status remove(ByteArg key) const {
    return {ATLAS_CALL(table_, atlas_ext_store, remove, host_.c_, c_bytes(key.bytes), nullptr, nullptr)};
  }
  template <class F>
  void remove(ByteArg key, F durable) const {
    with_commit(std::move(durable), [&](atlas_durable_fn done, void* arg) {
      return ATLAS_CALL(table_, atlas_ext_store, remove, host_.c_, c_bytes(key.bytes), done, arg);
    });
  }
  // row(Bytes key, Bytes value) returns false to end the scan.
  template <class F>
  Status scan(ByteArg prefix, ByteArg after, F&& row) const {
    return {ATLAS_CALL(table_, atlas_ext_store, scan, host_.c_, c_bytes(prefix.bytes), c_bytes(after.bytes),
                       as_arg(row), &each_row<std::remove_reference_t<F>>)};
  }

 private:
  static atlas_status collect(void* arg, atlas_bytes chunk) noexcept {
    try {
      auto& out = *static_cast<std::vector<std::uint8_t>*>(arg);
      out.insert(out.end(), chunk.data, chunk.data + chunk.size);
      return ATLAS_OK;
    } catch (...) {
      return ATLAS_E_INTERNAL;
    }
  }
  template <class F>
  static atlas_status each_row(void* arg, atlas_bytes key, atlas_bytes value) noexcept {
    try {
      return (*static_cast<F*>(arg))(view(key), view(value)) ? ATLAS_OK : ATLAS_E_STATE;
    } catch (...) {
      return ATLAS_E_INTERNAL;
    }
  }
  template <class F, class Call>
  void with_commit(F&& durable, Call call) const {
    auto task =
        std::make_unique<detail::Callable<detail::Task<Status>, std::decay_t<F>, Status>>(&host_, std::move(durable));
    host_.tasks_.add(task.get());
    const Status status{call(&Host::on_durable, static_cast<void*>(static_cast<detail::Task<Status>*>(task.get())))};
    if (!status.ok()) {
      static_cast<void>(host_.guarded("a commit", [&] { task->run(status); }));
      return;
    }
    static_cast<void>(task.release());
  }

  Host& host_;
  const atlas_ext_store* table_;
};

inline Store Host::store() {
  return Store(*this);
}

}  // namespace atlas
