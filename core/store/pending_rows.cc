#include "store/pending_rows.h"

#include <algorithm>

namespace atlas::store {

bool PendingRows::ByBytes::operator()(base::ByteView a, base::ByteView b) const {
  return std::ranges::lexicographical_compare(a, b);
}

PendingRows::PendingRows(std::uint64_t most_rows, std::uint64_t most_bytes,
                         std::map<std::string, Usage, std::less<>> committed)
    : most_rows_(most_rows), most_bytes_(most_bytes) {
  for (auto& [name, usage] : committed) plugins_[name].committed = usage;
}

bool PendingRows::fits(const Plugin& plugin, const Usage& more) const {
  // What does not grow is always let in: a quota that was lowered must not keep rows from shrinking.
  if (more.rows <= 0 && more.bytes <= 0) return true;
  Usage sum = plugin.committed;
  sum += plugin.waiting;
  sum += more;
  return sum.rows <= static_cast<std::int64_t>(most_rows_) && sum.bytes <= static_cast<std::int64_t>(most_bytes_);
}

Usage PendingRows::exact(const Plugin& plugin, const RowChange& change, const SizeOnDisk& size_on_disk) const {
  const auto key_size = static_cast<std::int64_t>(change.key.size());
  const auto new_size = static_cast<std::int64_t>(change.value->size());
  std::optional<std::int64_t> old;
  if (const auto waiting = plugin.changes.find(change.key); waiting != plugin.changes.end()) {
    if (waiting->second->value) old = static_cast<std::int64_t>(waiting->second->value->size());
  } else {
    old = size_on_disk(change.plugin, change.key);
  }
  return old ? Usage{0, new_size - *old} : Usage{1, key_size + new_size};
}

PendingRows::Verdict PendingRows::accept(const RowChangeRef& change, const SizeOnDisk& size_on_disk,
                                         const std::function<bool()>& queue) {
  std::lock_guard lock(mutex_);
  Plugin& plugin = plugins_[change->plugin];
  change->counted = {};
  if (change->value) {
    change->counted = {1, static_cast<std::int64_t>(change->key.size() + change->value->size())};
    if (!fits(plugin, change->counted)) change->counted = exact(plugin, *change, size_on_disk);
    if (!fits(plugin, change->counted)) return Verdict::kOverQuota;
  }
  change->number = next_number_++;
  if (!queue()) return Verdict::kNotQueued;
  plugin.waiting += change->counted;
  plugin.changes[change->key] = change;
  return Verdict::kAccepted;
}

void PendingRows::settle(const RowChange& change, bool committed) {
  std::lock_guard lock(mutex_);
  Plugin& plugin = plugins_[change.plugin];
  plugin.waiting -= change.counted;
  if (committed) plugin.committed += change.real;
  const auto found = plugin.changes.find(change.key);
  if (found != plugin.changes.end() && found->second->number == change.number) plugin.changes.erase(found);
}

RowChangeRef PendingRows::find(std::string_view plugin, base::ByteView key) const {
  std::lock_guard lock(mutex_);
  const auto of_plugin = plugins_.find(plugin);
  if (of_plugin == plugins_.end()) return nullptr;
  const auto found = of_plugin->second.changes.find(key);
  return found == of_plugin->second.changes.end() ? nullptr : found->second;
}

std::vector<RowChangeRef> PendingRows::range(std::string_view plugin, const Range& range, std::size_t most,
                                             bool& truncated) const {
  truncated = false;
  std::vector<RowChangeRef> out;
  std::lock_guard lock(mutex_);
  const auto of_plugin = plugins_.find(plugin);
  if (of_plugin == plugins_.end()) return out;
  const auto& changes = of_plugin->second.changes;
  auto at = range.exclusive ? changes.upper_bound(range.from) : changes.lower_bound(range.from);
  for (; at != changes.end(); ++at) {
    const base::ByteView key = at->first;
    if (key.size() < range.prefix.size() || !std::ranges::equal(key.first(range.prefix.size()), range.prefix)) break;
    if (out.size() == most) {
      truncated = true;
      break;
    }
    out.push_back(at->second);
  }
  return out;
}

Usage PendingRows::usage(std::string_view plugin) const {
  std::lock_guard lock(mutex_);
  const auto found = plugins_.find(plugin);
  if (found == plugins_.end()) return {};
  Usage sum = found->second.committed;
  sum += found->second.waiting;
  return sum;
}

}  // namespace atlas::store
