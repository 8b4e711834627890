// Plugin rows that were accepted and are not committed yet: reads look here first, and quotas count them.
// Private to core/store; any thread.
//
// A waiting write is counted as a new row at its full size, which needs no look at the disk. Only where that would pass
// the quota is the row's present size looked up.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "store/plugin_rows.h"

namespace atlas::store {

// One put or removal on its way; shared by the queue and by reads.
struct RowChange {
  std::string plugin;
  base::Bytes key;
  std::optional<base::Bytes> value;  // nothing: a removal
  std::uint64_t number = 0;          // rises in the order of acceptance
  Usage counted;                     // against the quota while it waits
  Usage real;                        // what its commit changed
};
using RowChangeRef = std::shared_ptr<RowChange>;

class PendingRows {
 public:
  PendingRows(std::uint64_t most_rows, std::uint64_t most_bytes, std::map<std::string, Usage, std::less<>> committed);

  // The committed size of a row's value, as the disk has it.
  using SizeOnDisk = std::function<std::optional<std::int64_t>(std::string_view plugin, base::ByteView key)>;
  enum class Verdict {
    kAccepted,
    kOverQuota,  // with what waits counted at its largest
    kNotQueued,  // `queue` said false
  };
  // `queue` is called under the lock, so that the order here is the queue's.
  Verdict accept(const RowChangeRef& change, const SizeOnDisk& size_on_disk, const std::function<bool()>& queue);
  void settle(const RowChange& change, bool committed);

  // Null when nothing of this key waits.
  RowChangeRef find(std::string_view plugin, base::ByteView key) const;
  // Waiting changes from the range in key order, at most `most`: then `truncated`.
  std::vector<RowChangeRef> range(std::string_view plugin, const Range& range, std::size_t most, bool& truncated) const;
  Usage usage(std::string_view plugin) const;  // committed and waiting

 private:
  struct ByBytes {
    using is_transparent = void;
    bool operator()(base::ByteView a, base::ByteView b) const;
  };
  struct Plugin {
    Usage committed, waiting;
    std::map<base::Bytes, RowChangeRef, ByBytes> changes;  // the last one of each key
  };
  bool fits(const Plugin& plugin, const Usage& more) const;
  Usage exact(const Plugin& plugin, const RowChange& change, const SizeOnDisk& size_on_disk) const;

  const std::uint64_t most_rows_, most_bytes_;
  mutable std::mutex mutex_;
  std::map<std::string, Plugin, std::less<>> plugins_;
  std::uint64_t next_number_ = 1;
};

}  // namespace atlas::store
