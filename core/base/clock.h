// Time, as everything below core/node sees it: an injected clock and saturating arithmetic.
// Monotonic time is nanoseconds since an arbitrary start, never UINT64_MAX. Wall time is Unix seconds or milliseconds
// and may jump; nothing that waits uses it.
#pragma once

#include <cstdint>
#include <limits>

namespace atlas::base {

using MonoNs = std::uint64_t;  // a point in monotonic time, or a span of it

inline constexpr MonoNs kNever = std::numeric_limits<MonoNs>::max();
inline constexpr MonoNs kMicrosecond = 1'000;
inline constexpr MonoNs kMillisecond = 1'000'000;
inline constexpr MonoNs kSecond = 1'000'000'000;

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoNs mono_ns() const = 0;
  virtual std::int64_t unix_ms() const = 0;
  std::int64_t unix_s() const { return unix_ms() / 1000; }
};

// a + b, held at the ends of the type: what a peer supplies can never wrap.
template <class T>
constexpr T saturating_add(T a, T b) {
  T out;
  if (!__builtin_add_overflow(a, b, &out)) return out;
  if constexpr (std::numeric_limits<T>::is_signed) {
    return b < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
  } else {
    return std::numeric_limits<T>::max();
  }
}

template <class T>
constexpr T saturating_sub(T a, T b) {
  T out;
  if (!__builtin_sub_overflow(a, b, &out)) return out;
  if constexpr (std::numeric_limits<T>::is_signed) {
    return b < 0 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
  } else {
    return 0;
  }
}

template <class T>
constexpr T saturating_mul(T a, T b) {
  T out;
  if (!__builtin_mul_overflow(a, b, &out)) return out;
  if constexpr (std::numeric_limits<T>::is_signed) {
    return (a < 0) != (b < 0) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
  } else {
    return std::numeric_limits<T>::max();
  }
}

// |a - b| without overflow, for skew checks on what a peer says its time is.
constexpr std::uint64_t distance(std::int64_t a, std::int64_t b) {
  return a > b ? static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)
               : static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
}

// A point in time `span` after `now`, never past kNever - 1.
constexpr MonoNs after(MonoNs now, MonoNs span) {
  const MonoNs sum = saturating_add(now, span);
  return sum == kNever ? kNever - 1 : sum;
}

// The machine's clocks; made in core/node and in tests only.
class SystemClock final : public Clock {
 public:
  MonoNs mono_ns() const override;
  std::int64_t unix_ms() const override;
};

}  // namespace atlas::base
