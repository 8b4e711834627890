// Tells a refusal from an answer at the beginning of a raw stream that this node opened: a node that has nobody for its
// type treats the opening as a question and answers with one Error message and FIN (wire protocol, section 4). Anything
// else is the other plugin's bytes, which are held back until they differ from that.
// One stream, its connection's thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace atlas::node {

class StreamRefusal {
 public:
  static constexpr std::size_t kMostHeld = 1024;  // a longer Error is taken for data

  enum class Verdict : std::uint8_t { kWait, kRefused, kData };
  // After kRefused or kData it is done.
  Verdict on_data(base::ByteView data, bool fin);
  // kRefused: what the Error says.
  std::uint64_t code() const { return code_; }
  // kData: everything so far.
  base::Bytes take() { return std::move(held_); }

 private:
  base::Bytes held_;
  std::uint64_t code_ = 0;
};

}  // namespace atlas::node
