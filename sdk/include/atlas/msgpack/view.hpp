// atlas/msgpack/view.hpp - typed reading straight from the encoded bytes.
//
// Make a view of bytes that check() passed. On other bytes nothing is read past their end; values that do not fit read
// as absent. A view borrows the bytes; it is two pointers, pass it by value. Any thread.
//
//   const auto map = msgpack::MapView::of(payload);
//   const auto id = map.find("id").text();           // std::optional<std::string_view>
//   for (const auto peer : map.find("peers").array()) use(peer.map().find("node_id").text());
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "head.hpp"

namespace atlas::msgpack {

class ArrayView;
class MapView;

// One value, or none: an absent value answers like nil, for a missing optional key is nil.
class View {
 public:
  View() = default;
  explicit View(Bytes bytes) : View(bytes.data(), bytes.data() + bytes.size()) {}
  View(const std::uint8_t* at, const std::uint8_t* end) {
    if (read_head(at, end, head_) == Fault::kNone) {
      at_ = at;
      end_ = end;
    } else {
      head_ = Head{};
    }
  }

  bool present() const { return at_ != nullptr; }
  Kind kind() const { return head_.kind; }
  bool is_nil() const { return head_.kind == Kind::kNil; }  // or absent

  std::optional<std::string_view> text() const {
    if (head_.kind != Kind::kText) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(at_ + head_.size), head_.length);
  }
  // Integers in any width, signed or not, when the value fits.
  std::optional<std::int64_t> i64() const {
    if (head_.kind != Kind::kInteger || (!head_.negative && head_.number > kMaxI64)) return std::nullopt;
    return static_cast<std::int64_t>(head_.number);
  }
  std::optional<std::uint64_t> u64() const {
    if (head_.kind != Kind::kInteger || head_.negative) return std::nullopt;
    return head_.number;
  }
  std::optional<std::uint32_t> u32() const {
    if (head_.kind != Kind::kInteger || head_.negative || head_.number > 0xffffffffu) return std::nullopt;
    return static_cast<std::uint32_t>(head_.number);
  }
  std::optional<bool> boolean() const {
    if (head_.kind != Kind::kBool) return std::nullopt;
    return head_.number != 0;
  }
  std::optional<double> f64() const {  // a float of either width; integers are none
    if (head_.kind != Kind::kFloat) return std::nullopt;
    return std::bit_cast<double>(head_.number);
  }
  bool is_single() const { return head_.single; }  // a float that came as 32 bits
  std::optional<Bytes> bin() const {
    if (head_.kind != Kind::kBin) return std::nullopt;
    return Bytes(at_ + head_.size, head_.length);
  }
  std::optional<std::pair<std::int8_t, Bytes>> ext() const {
    if (head_.kind != Kind::kExt) return std::nullopt;
    return std::pair(head_.ext_type, Bytes(at_ + head_.size, head_.length));
  }
  // A bytes field: a bin, or an array of integers 0..255 as serde writes it. False, and out untouched, for anything
  // else and for more than max bytes.
  bool bytes(std::vector<std::uint8_t>& out, std::size_t max) const;
  // The value as it is encoded.
  Bytes raw() const {
    const std::uint8_t* after = present() ? skip(at_, end_) : nullptr;
    return after ? Bytes(at_, after) : Bytes();
  }
  // Empty for a value of another kind; ask kind() where the difference matters.
  MapView map() const;
  ArrayView array() const;

 private:
  friend class ArrayView;
  friend class MapView;
  static constexpr std::uint64_t kMaxI64 = std::numeric_limits<std::int64_t>::max();

  const std::uint8_t* children_at() const { return at_ + head_.size; }

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  Head head_;
};

class ArrayView {
 public:
  class Iterator {
   public:
    using value_type = View;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const std::uint8_t* at, const std::uint8_t* end, std::uint64_t left) : at_(at), end_(end), left_(left) {}
    View operator*() const { return View(at_, end_); }
    Iterator& operator++() {
      at_ = skip(at_, end_);
      left_ = at_ ? left_ - 1 : 0;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    std::uint64_t left_ = 0;
  };

  ArrayView() = default;
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return {at_, end_, size_}; }
  Iterator end() const { return {}; }

 private:
  friend class View;
  ArrayView(const std::uint8_t* at, const std::uint8_t* end, std::uint32_t size) : at_(at), end_(end), size_(size) {}
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint32_t size_ = 0;
};

class MapView {
 public:
  struct Entry {
    View key, value;
  };
  class Iterator {
   public:
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const std::uint8_t* at, const std::uint8_t* end, std::uint32_t left) : at_(at), end_(end), left_(left) {
      find_value();
    }
    Entry operator*() const { return {View(at_, end_), View(value_, end_)}; }
    Iterator& operator++() {
      at_ = skip(value_, end_);
      left_ = at_ ? left_ - 1 : 0;
      find_value();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    void find_value() {
      value_ = left_ != 0 ? skip(at_, end_) : nullptr;
      if (value_ == nullptr) left_ = 0;
    }
    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* value_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    std::uint32_t left_ = 0;
  };

  MapView() = default;
  // The map that a payload is; empty when it is none.
  static MapView of(Bytes bytes) { return View(bytes).map(); }

  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return {at_, end_, size_}; }
  Iterator end() const { return {}; }
  // The value of a text key; absent when there is none. Walks the map.
  View find(std::string_view key) const {
    for (const Entry entry : *this) {
      if (entry.key.text() == key) return entry.value;
    }
    return {};
  }

 private:
  friend class View;
  MapView(const std::uint8_t* at, const std::uint8_t* end, std::uint32_t size) : at_(at), end_(end), size_(size) {}
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint32_t size_ = 0;
};

inline MapView View::map() const {
  return head_.kind == Kind::kMap ? MapView(children_at(), end_, head_.length) : MapView();
}
inline ArrayView View::array() const {
  return head_.kind == Kind::kArray ? ArrayView(children_at(), end_, head_.length) : ArrayView();
}

inline bool View::bytes(std::vector<std::uint8_t>& out, std::size_t max) const {
  if (head_.kind != Kind::kBin && head_.kind != Kind::kArray) return false;
  if (head_.length > max) return false;
  if (const auto whole = bin()) {
    out.assign(whole->begin(), whole->end());
    return true;
  }
  if (head_.length > static_cast<std::size_t>(end_ - children_at())) return false;
  std::vector<std::uint8_t> collected;
  collected.reserve(head_.length);
  for (const View element : array()) {
    const auto value = element.u32();
    if (!value || *value > 255) return false;
    collected.push_back(static_cast<std::uint8_t>(*value));
  }
  if (collected.size() != head_.length) return false;
  out = std::move(collected);
  return true;
}

}  // namespace atlas::msgpack
