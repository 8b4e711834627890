// As much DER (X.690) as a key file and a certificate need: a strict reader and a writer.
// Any thread. Views point into what the caller passed; nothing here allocates while reading.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "base/bytes.h"

namespace atlas::identity::der {

// Identifier octets (X.690, 8.1.2); numbers above 30 do not occur here.
enum Tag : std::uint8_t {
  kBoolean = 0x01,
  kInteger = 0x02,
  kBitString = 0x03,
  kOctetString = 0x04,
  kObjectId = 0x06,
  kUtf8String = 0x0c,
  kUtcTime = 0x17,
  kGeneralizedTime = 0x18,
  kSequence = 0x30,
  kSet = 0x31,
  kContext1 = 0x81,             // [1] IMPLICIT of a primitive type
  kContextConstructed0 = 0xa0,  // [0] of a constructed type
  kContextConstructed3 = 0xa3,
};

// Walks over the elements that follow each other in `data`. Only definite lengths in their shortest form are read, and
// none that passes the end of what is there.
class Reader {
 public:
  explicit Reader(base::ByteView data) : rest_(data) {}

  // The contents of the next element when it has that tag; else nothing, and the position stays.
  std::optional<base::ByteView> take(std::uint8_t tag);
  bool next_is(std::uint8_t tag) const { return !rest_.empty() && rest_.front() == tag; }
  bool at_end() const { return rest_.empty(); }

 private:
  base::ByteView rest_;
};

// One element: tag, shortest length, contents. Contents are at most 65 535 bytes.
base::Bytes element(std::uint8_t tag, base::ByteView contents);
// One element whose contents are those parts in that order.
base::Bytes element(std::uint8_t tag, std::initializer_list<base::Bytes> parts);
// An INTEGER from a big-endian number without sign; leading zeros are dropped and one is put back where the sign needs
// it.
base::Bytes unsigned_integer(base::ByteView big_endian);
// A BIT STRING that uses all bits of its last byte but `unused` (0..7).
base::Bytes bit_string(base::ByteView bits, std::uint8_t unused = 0);

}  // namespace atlas::identity::der
