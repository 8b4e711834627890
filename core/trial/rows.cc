#include "trial/rows.h"

#include <algorithm>

namespace atlas::trial {
namespace {

base::Bytes copy(base::ByteView view) {
  return {view.begin(), view.end()};
}

}  // namespace

std::optional<base::Bytes> Rows::get(std::string_view plugin, base::ByteView key) {
  const std::lock_guard lock(mutex_);
  const auto found = rows_.find({std::string(plugin), copy(key)});
  return found == rows_.end() ? std::nullopt : std::optional(found->second);
}

base::Result<void> Rows::put(std::string_view plugin, base::ByteView key, base::ByteView value, store::Durable done) {
  if (key.empty() || key.size() > store::kMaxKeyBytes || value.size() > store::kMaxValueBytes) {
    return base::fail(base::Fault::kArgument, "a key or a value of that size has no place");
  }
  const std::lock_guard lock(mutex_);
  rows_[{std::string(plugin), copy(key)}] = copy(value);
  if (done) waiting_.push_back(std::move(done));
  return {};
}

base::Result<void> Rows::remove(std::string_view plugin, base::ByteView key, store::Durable done) {
  const std::lock_guard lock(mutex_);
  rows_.erase({std::string(plugin), copy(key)});
  if (done) waiting_.push_back(std::move(done));
  return {};
}

void Rows::scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
                const std::function<bool(base::ByteView, base::ByteView)>& row) {
  std::map<Key, base::Bytes> snapshot;
  {
    const std::lock_guard lock(mutex_);
    snapshot = rows_;
  }
  for (const auto& [key, value] : snapshot) {
    const base::Bytes& name = key.second;
    const bool begins = name.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), name.begin());
    const bool behind = after.empty() || std::ranges::lexicographical_compare(after, name);
    if (key.first == plugin && begins && behind && !row(name, value)) return;
  }
}

bool Rows::turn() {
  store::Durable done;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || held_up_) return false;
    done = std::move(waiting_.front());
    waiting_.pop_front();
  }
  done({});
  return true;
}

}  // namespace atlas::trial
