// A plugin in C++ without the wrapper that would catch: it throws out of its message handler.
#include <atlas/ext/messages.h>

#include <stdexcept>

namespace {

atlas_status on_message(void*, const atlas_message*) {
  throw std::runtime_error("nobody caught me");
}

atlas_status init(const atlas_host* host, void** self) {
  *self = nullptr;
  const auto* messages = static_cast<const atlas_ext_messages*>(host->extension(host, ATLAS_EXT_MESSAGES));
  return messages->handle(host, 0x93, ATLAS_HANDLE_ANSWERS, on_message);
}

atlas_status start(void*) {
  return ATLAS_OK;
}
void stop(void*) {}

}  // namespace

extern "C" const atlas_plugin atlas_plugin_v1 = {sizeof(atlas_plugin),
                                                 ATLAS_ABI_MAJOR,
                                                 0,
                                                 "thrower",
                                                 "1.0",
                                                 "Throws.",
                                                 nullptr,
                                                 init,
                                                 start,
                                                 nullptr,
                                                 stop,
                                                 nullptr};
