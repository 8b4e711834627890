#include "host/live_streams.h"

namespace atlas::host {

std::optional<LiveStream> LiveStreams::find(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const LiveStream* stream = slots_.find(handle);
  return stream == nullptr ? std::nullopt : std::optional(*stream);
}

std::shared_ptr<StreamPipe> LiveStreams::pipe(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const LiveStream* stream = slots_.find(handle);
  return stream == nullptr ? nullptr : stream->pipe;
}

bool LiveStreams::set_argument(std::uint64_t handle, void* argument) {
  const std::lock_guard lock(mutex_);
  LiveStream* stream = slots_.find(handle);
  if (stream == nullptr) return false;
  stream->argument = argument;
  return true;
}

void LiveStreams::mark_told(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  LiveStream* stream = slots_.find(handle);
  if (stream == nullptr) return;
  stream->arrived = false;
  stream->opening.reset();
}

std::optional<LiveStream> LiveStreams::take(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  LiveStream* stream = slots_.find(handle);
  if (stream == nullptr) return std::nullopt;
  std::optional<LiveStream> out(std::move(*stream));
  slots_.erase(handle);
  return out;
}

std::vector<std::pair<std::uint64_t, LiveStream>> LiveStreams::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<std::pair<std::uint64_t, LiveStream>> out;
  out.reserve(slots_.size());
  slots_.each([&](std::uint64_t handle, LiveStream& stream) { out.emplace_back(handle, std::move(stream)); });
  for (const auto& [handle, stream] : out) slots_.erase(handle);
  return out;
}

std::vector<std::shared_ptr<StreamPipe>> LiveStreams::pipes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<StreamPipe>> out;
  slots_.each([&](std::uint64_t, const LiveStream& stream) { out.push_back(stream.pipe); });
  return out;
}

std::size_t LiveStreams::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

}  // namespace atlas::host
