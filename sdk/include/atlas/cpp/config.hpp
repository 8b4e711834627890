// atlas/cpp/config.hpp - the role's own table [plugins.<id>]. Only in the role's constructor.
//
// Reading a key declares it: type, default, bounds and one sentence of documentation. A wrong value is noted by the
// host with its place in the file, and the default comes back.
#pragma once

#include <chrono>

#include "../ext/config.h"
#include "base.hpp"

namespace atlas {

class Config {
 public:
  using Duration = std::chrono::milliseconds;

  Config(const atlas_host* host, const atlas_ext_config* table) : host_(host), table_(table) {}

  bool boolean(const char* key, bool fallback, const char* doc) const {
    std::uint32_t out = fallback;
    const auto status = ATLAS_CALL(table_, atlas_ext_config, boolean, host_, key, fallback, doc, &out);
    return status < 0 ? fallback : out != 0;
  }
  std::int64_t integer(const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max,
                       const char* doc) const {
    std::int64_t out = fallback;
    const auto status = ATLAS_CALL(table_, atlas_ext_config, integer, host_, key, fallback, min, max, doc, &out);
    return status < 0 ? fallback : out;
  }
  Duration duration(const char* key, Duration fallback, Duration min, Duration max, const char* doc) const {
    const auto number = [](Duration value) { return static_cast<std::uint64_t>(value.count()); };
    std::uint64_t out = number(fallback);
    const auto status =
        ATLAS_CALL(table_, atlas_ext_config, millis, host_, key, number(fallback), number(min), number(max), doc, &out);
    return status < 0 ? fallback : Duration(out);
  }
  std::string text(const char* key, std::string_view fallback, const char* doc) const {
    atlas_text out = c_text(fallback);
    const auto status = ATLAS_CALL(table_, atlas_ext_config, text, host_, key, c_text(fallback), doc, &out);
    return std::string(status < 0 ? fallback : view(out));
  }
  std::vector<std::string> texts(const char* key, const char* doc) const {
    std::vector<std::string> out;
    static_cast<void>(ATLAS_CALL(table_, atlas_ext_config, texts, host_, key, doc, &out, &collect));
    return out;
  }
  // A rule of the role's own that the value of key breaks.
  void reject(const char* key, std::string_view why) const {
    ATLAS_CALL_VOID(table_, atlas_ext_config, reject, host_, key, c_text(why));
  }
  // A documented key of the core, such as "network.bootstrap"; several elements for an array, none when it is unknown.
  std::vector<std::string> node_key(const char* key) const {
    std::vector<std::string> out;
    static_cast<void>(ATLAS_CALL(table_, atlas_ext_config, node_key, host_, key, &out, &collect));
    return out;
  }

 private:
  static void collect(void* arg, atlas_text value) noexcept {
    try {
      static_cast<std::vector<std::string>*>(arg)->emplace_back(view(value));
    } catch (...) {  // out of memory, at most
    }
  }
  const atlas_host* host_;
  const atlas_ext_config* table_;
};

}  // namespace atlas
