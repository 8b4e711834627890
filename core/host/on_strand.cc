#include "host/on_strand.h"

#include <algorithm>
#include <cstring>

#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

struct LastError {
  const Plugin* plugin = nullptr;
  std::size_t size = 0;
  char text[512];
};

thread_local const Plugin* t_current = nullptr;
thread_local LastError t_error;

}  // namespace

OnStrand::OnStrand(const Plugin& plugin) : outer_(t_current) {
  t_current = &plugin;
}
OnStrand::~OnStrand() {
  t_current = outer_;
}
const Plugin* OnStrand::current() {
  return t_current;
}

bool Plugin::on_strand() const {
  return t_current == this;
}

atlas_status Plugin::refuse(atlas_status status, std::string_view why) {
  const std::string_view kept = clip(why, sizeof t_error.text);
  t_error.plugin = this;
  t_error.size = kept.size();
  if (!kept.empty()) std::memcpy(t_error.text, kept.data(), kept.size());
  return status;
}

std::string_view Plugin::last_error_text() const {
  return t_error.plugin == this ? std::string_view(t_error.text, t_error.size) : std::string_view();
}

std::size_t Plugin::last_error(char* buffer, std::size_t capacity) const {
  const std::string_view text = last_error_text();
  const std::size_t copied = buffer == nullptr ? 0 : std::min(capacity, text.size());
  if (copied > 0) std::memcpy(buffer, text.data(), copied);
  return text.size();
}

}  // namespace atlas::host
