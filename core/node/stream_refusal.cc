#include "node/stream_refusal.h"

#include <algorithm>

#include "wire/envelope.h"
#include "wire/messages.h"

namespace atlas::node {

StreamRefusal::Verdict StreamRefusal::on_data(base::ByteView data, bool fin) {
  held_.insert(held_.end(), data.begin(), data.end());
  base::ByteArray<wire::kHeaderSize> error{};
  wire::write_header(error, wire::kError, 0);
  const std::size_t begun = std::min<std::size_t>(held_.size(), 4);  // magic, version and type
  if (!std::equal(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(begun), error.begin())) {
    return Verdict::kData;
  }
  if (held_.size() > kMostHeld) return Verdict::kData;
  if (!fin) return Verdict::kWait;
  wire::Header header;
  if (wire::check_header(held_, kMostHeld, header) || held_.size() != wire::kHeaderSize + header.length) {
    return Verdict::kData;
  }
  const auto message = wire::decode_error(base::ByteView(held_).subspan(wire::kHeaderSize));
  if (!message) return Verdict::kData;
  code_ = message->code;
  return Verdict::kRefused;
}

}  // namespace atlas::node
