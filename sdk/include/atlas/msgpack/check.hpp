// atlas/msgpack/check.hpp - is this one well-formed MessagePack value, and is it cheap enough to look at?
//
// One pass, no tree, no recursion. After kNone every View over the bytes is whole. Any thread; a pure function.
//
// Keys are compared by value: 1 as one byte equals 1 as nine, "a" as fixstr equals "a" as str 32, 1.5 as float 32
// equals 1.5 as float 64. An integer never equals a float, a text never a bin. An array or a map is no key. Ext types
// are let through with their bytes unread.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "head.hpp"

namespace atlas::msgpack {

struct Limits {
  std::uint32_t max_depth = 16;            // containers inside each other, the outermost is 1; at most kDepthCeiling
  std::uint32_t max_map_entries = 65'536;  // in one map
};
inline constexpr std::uint32_t kDepthCeiling = 64;

namespace detail {

inline std::uint64_t canonical_float(std::uint64_t bits) {
  const double value = std::bit_cast<double>(bits);
  if (std::isnan(value)) return 0x7ff8000000000000u;
  return value == 0 ? 0 : bits;  // -0.0 equals 0.0
}

template <class T>
inline int three_way(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Some total order of keys in which two are equal exactly when they are the same value. Both are whole, and no
// containers.
inline int compare_keys(const std::uint8_t* at_a, const std::uint8_t* at_b, const std::uint8_t* end) {
  Head a, b;
  if (read_head(at_a, end, a) != Fault::kNone || read_head(at_b, end, b) != Fault::kNone) return 0;
  if (a.kind != b.kind) return three_way(a.kind, b.kind);
  switch (a.kind) {
    case Kind::kBool:
      return three_way(a.number, b.number);
    case Kind::kInteger: {
      const int sign = three_way(!a.negative, !b.negative);
      return sign != 0 ? sign : three_way(a.number, b.number);
    }
    case Kind::kFloat:
      return three_way(canonical_float(a.number), canonical_float(b.number));
    case Kind::kText:
    case Kind::kBin:
    case Kind::kExt: {
      if (const int type = three_way(a.ext_type, b.ext_type)) return type;
      if (const int size = three_way(a.length, b.length)) return size;
      return a.length == 0 ? 0 : std::memcmp(at_a + a.size, at_b + b.size, a.length);
    }
    default:  // nil
      return 0;
  }
}

// One byte that is kind and value or length in one: fixint and fixstr, which nearly every key is.
inline bool is_short_key(std::uint8_t first) {
  return first < 0x80 || first >= 0xe0 || (first & 0xe0) == 0xa0;
}

inline bool same_key(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* end) {
  if (is_short_key(*a) && is_short_key(*b)) {
    return *a == *b && ((*a & 0xe0) != 0xa0 || std::memcmp(a + 1, b + 1, *a & 0x1f) == 0);
  }
  return compare_keys(a, b, end) == 0;
}

// The keys of all maps that are open, innermost last; each map owns the stretch from where it began.
class OpenKeys {
 public:
  explicit OpenKeys(Bytes all) : begin_(all.data()), end_(all.data() + all.size()) {}

  std::uint32_t size() const { return size_; }
  void push(const std::uint8_t* key) {
    const auto offset = static_cast<std::uint32_t>(key - begin_);
    if (size_ < kInline) {
      inline_[size_] = offset;
    } else {
      spilled_.push_back(offset);
    }
    ++size_;
  }
  // Closes the map whose keys begin at `from`: are two of them equal?
  bool pop_has_duplicate(std::uint32_t from) {
    const std::uint32_t count = size_ - from;
    const bool found = count <= kPairwise ? pairwise(from) : sorted(from, count);
    size_ = from;
    spilled_.resize(size_ > kInline ? size_ - kInline : 0);
    return found;
  }

 private:
  static constexpr std::uint32_t kInline = 256;
  static constexpr std::uint32_t kPairwise = 8;

  const std::uint8_t* key(std::uint32_t i) const { return begin_ + (i < kInline ? inline_[i] : spilled_[i - kInline]); }
  bool pairwise(std::uint32_t from) const {
    for (std::uint32_t i = from + 1; i < size_; ++i) {
      for (std::uint32_t j = from; j < i; ++j) {
        if (same_key(key(i), key(j), end_)) return true;
      }
    }
    return false;
  }
  bool sorted(std::uint32_t from, std::uint32_t count) {
    std::vector<std::uint32_t> heap;
    std::span<std::uint32_t> keys;
    if (size_ <= kInline) {
      keys = {inline_.data() + from, count};
    } else if (from >= kInline) {
      keys = {spilled_.data() + (from - kInline), count};
    } else {  // the one map that straddles the edge
      heap.reserve(count);
      for (std::uint32_t i = from; i < size_; ++i) heap.push_back(static_cast<std::uint32_t>(key(i) - begin_));
      keys = heap;
    }
    const auto order = [this](std::uint32_t a, std::uint32_t b) {
      return compare_keys(begin_ + a, begin_ + b, end_) < 0;
    };
    std::sort(keys.begin(), keys.end(), order);
    const auto equal = [this](std::uint32_t a, std::uint32_t b) { return same_key(begin_ + a, begin_ + b, end_); };
    return std::adjacent_find(keys.begin(), keys.end(), equal) != keys.end();
  }

  const std::uint8_t* begin_;
  const std::uint8_t* end_;
  std::uint32_t size_ = 0;
  std::array<std::uint32_t, kInline> inline_;  // not zeroed: only what was pushed is read
  std::vector<std::uint32_t> spilled_;
};

class Checker {
 public:
  Checker(Bytes bytes, const Limits& limits)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), keys_(bytes), limits_(limits) {
    limits_.max_depth = std::min(limits_.max_depth, kDepthCeiling);
  }

  Fault run() {
    do {
      if (const Fault fault = take_value(); fault != Fault::kNone) return fault;
      if (!close_finished()) return Fault::kDuplicateKey;
    } while (depth_ != 0);
    return at_ == end_ ? Fault::kNone : Fault::kTrailing;
  }

 private:
  struct Frame {
    std::uint32_t remaining;  // values still to come
    std::uint32_t keys_from;
    bool map;
  };

  Fault take_value() {
    Head head;
    if (const Fault fault = read_head(at_, end_, head); fault != Fault::kNone) {
      return fault == Fault::kEmpty && owed_ != 0 ? Fault::kTruncated : fault;
    }
    const bool container = head.kind == Kind::kArray || head.kind == Kind::kMap;
    if (depth_ != 0) {
      Frame& frame = frames_[depth_ - 1];
      if (frame.map && frame.remaining % 2 == 0) {
        if (container) return Fault::kContainerKey;
        keys_.push(at_);
      }
      --frame.remaining;
      --owed_;
    }
    at_ += head.size;
    if (container) return open(head);
    const std::uint8_t* body = at_;
    at_ += head.body();
    return head.kind == Kind::kText && !is_utf8(body, at_) ? Fault::kUtf8 : Fault::kNone;
  }

  Fault open(const Head& head) {
    if (depth_ == limits_.max_depth) return Fault::kDepth;
    const bool map = head.kind == Kind::kMap;
    if (head.children() + owed_ > static_cast<std::uint64_t>(end_ - at_)) return Fault::kCount;
    if (map && head.length > limits_.max_map_entries) return Fault::kMapTooLarge;
    owed_ += head.children();
    frames_[depth_++] = {static_cast<std::uint32_t>(head.children()), keys_.size(), map};
    return Fault::kNone;
  }

  // False when a map that ends here has two equal keys.
  bool close_finished() {
    while (depth_ != 0 && frames_[depth_ - 1].remaining == 0) {
      const Frame& frame = frames_[--depth_];
      if (frame.map && keys_.pop_has_duplicate(frame.keys_from)) return false;
    }
    return true;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint64_t owed_ = 0;  // values that open containers still need, each at least one byte
  std::uint32_t depth_ = 0;
  std::array<Frame, kDepthCeiling> frames_;  // not zeroed, as above
  OpenKeys keys_;
  Limits limits_;
};

}  // namespace detail

// Is this exactly one value within the limits?
inline Fault check(Bytes bytes, const Limits& limits = {}) {
  if (bytes.empty()) return Fault::kEmpty;
  if (bytes.size() > 0xffffffffu) return Fault::kTooLarge;
  return detail::Checker(bytes, limits).run();
}

// The same, and the value is a map: what every payload must be.
inline Fault check_map(Bytes bytes, const Limits& limits = {}) {
  Head head;
  if (!bytes.empty() && read_head(bytes.data(), bytes.data() + bytes.size(), head) == Fault::kNone &&
      head.kind != Kind::kMap) {
    return Fault::kNotMap;
  }
  return check(bytes, limits);
}

}  // namespace atlas::msgpack
