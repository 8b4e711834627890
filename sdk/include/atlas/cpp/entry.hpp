// atlas/cpp/entry.hpp - the C functions of a plugin, generated from a role's class, and the object that it exports.
//
// Each is noexcept: an exception ends here, with a line in the log and ATLAS_E_INTERNAL.
#pragma once

#include <new>

#include "setup.hpp"

namespace atlas::detail {

template <class Role>
class Entry {
 public:
  static atlas_status init(const atlas_host* host, void** self) noexcept {
    std::unique_ptr<Frame> frame;
    try {
      frame = std::make_unique<Frame>(host);
    } catch (...) {
      return ATLAS_E_INTERNAL;
    }
    const atlas_status status = frame->host.guarded("init", [&] {
      Setup setup(*frame);
      frame->role = new Role(setup);
      return frame->refused;
    });
    if (status < 0) {
      destroy(frame.release());
      return status;
    }
    *self = frame.release();
    return ATLAS_OK;
  }

  static atlas_status start(void* self) noexcept {
    Frame& frame = at(self);
    return frame.host.guarded("start", [&] {
      for (const Frame::Every& repeated : frame.repeated) {
        frame.timers.push_back(frame.host.every(repeated.period, [&frame, &repeated] { repeated.fn(frame.role); }));
        if (!frame.timers.back()) return Status{ATLAS_E_FULL};
      }
      if constexpr (requires(Role & role) { role.start(); }) {
        if constexpr (std::is_void_v<decltype(role(frame).start())>) {
          role(frame).start();
        } else {
          return Status(role(frame).start());
        }
      }
      return Status{};
    });
  }

  static void drain(void* self, std::uint32_t deadline_ms) noexcept {
    Frame& frame = at(self);
    static_cast<void>(frame.host.guarded("drain", [&] {
      frame.timers.clear();
      if constexpr (requires(Role & role) { role.drain(Millis(0)); }) role(frame).drain(Millis(deadline_ms));
    }));
  }

  static void stop(void* self) noexcept { destroy(&at(self)); }

  static void peer_event(void* self, const atlas_peer_event* c_event) noexcept {
    Frame& frame = at(self);
    if constexpr (requires(Role & role, const PeerEvent& event) { role.on_peer(event); }) {
      const PeerEvent event{c_event->what, c_event->peer, view(c_event->node_id), c_event->reason,
                            c_event->dialled != 0};
      static_cast<void>(frame.host.guarded("a peer event", [&] { role(frame).on_peer(event); }));
    }
  }

 private:
  static Frame& at(void* self) { return *static_cast<Frame*>(self); }
  static Role& role(Frame& frame) { return *static_cast<Role*>(frame.role); }
  // The role first, for its timers and calls still need the host; then every callback that never ran.
  static void destroy(Frame* frame) noexcept {
    frame->timers.clear();
    static_cast<void>(frame->host.guarded("stop", [&] { delete static_cast<Role*>(frame->role); }));
    frame->host.drop_callbacks();
    delete frame;
  }
};

}  // namespace atlas::detail

// Exports a role. needs: ids of capabilities without which it cannot work, e.g. ATLAS_EXT_MESSAGES.
#define ATLAS_PLUGIN(Role, plugin_id, plugin_version, plugin_summary, ...)                  \
  static constexpr const char* atlas_plugin_needs[] = {__VA_ARGS__ __VA_OPT__(, ) nullptr}; \
  extern "C" {                                                                              \
  constexpr atlas_plugin atlas_plugin_v1 = {sizeof(atlas_plugin),                           \
                                            ATLAS_ABI_MAJOR,                                \
                                            0,                                              \
                                            plugin_id,                                      \
                                            plugin_version,                                 \
                                            plugin_summary,                                 \
                                            atlas_plugin_needs,                             \
                                            &::atlas::detail::Entry<Role>::init,            \
                                            &::atlas::detail::Entry<Role>::start,           \
                                            &::atlas::detail::Entry<Role>::drain,           \
                                            &::atlas::detail::Entry<Role>::stop,            \
                                            &::atlas::detail::Entry<Role>::peer_event};     \
  }                                                                                         \
  static_assert(true)
