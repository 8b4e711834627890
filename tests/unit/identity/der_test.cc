// der::Reader takes only the one shortest form of an element; the writer makes exactly that form.
#include "identity/der.h"

#include <gtest/gtest.h>

namespace atlas::identity::der {
namespace {

using base::Bytes;
using base::ByteView;

TEST(DerReader, TakesWhatIsThereAndNothingElse) {
  const Bytes data = {0x02, 0x01, 0x05, 0x04, 0x02, 0xaa, 0xbb};
  Reader reader(data);
  EXPECT_FALSE(reader.take(kOctetString)) << "another tag stands first";
  const auto number = reader.take(kInteger);
  ASSERT_TRUE(number);
  EXPECT_EQ(Bytes(number->begin(), number->end()), Bytes{0x05});
  EXPECT_TRUE(reader.next_is(kOctetString));
  EXPECT_FALSE(reader.at_end());
  EXPECT_TRUE(reader.take(kOctetString));
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.take(kInteger));
}

TEST(DerReader, RefusesEveryLengthThatIsNotTheShortest) {
  const Bytes faulty[] = {
      {0x04},                                // no length
      {0x04, 0x80, 0x00, 0x00},              // indefinite
      {0x04, 0x81, 0x01, 0xaa},              // one length byte too many
      {0x04, 0x82, 0x00, 0x01, 0xaa},        // two too many
      {0x04, 0x83, 0x00, 0x00, 0x01, 0xaa},  // three length bytes
      {0x04, 0xff, 0xaa},                    // reserved
      {0x04, 0x81},                          // length cut off
      {0x04, 0x82, 0x01},                    // length cut off
      {0x04, 0x03, 0xaa, 0xbb},              // contents cut off
  };
  for (const Bytes& data : faulty) {
    Reader reader(data);
    EXPECT_FALSE(reader.take(kOctetString)) << base::to_hex(data);
  }
}

TEST(DerWriter, EveryLengthReadsBack) {
  for (const std::size_t size : {0u, 1u, 127u, 128u, 255u, 256u, 65'535u}) {
    const Bytes contents(size, 0x5a);
    const Bytes written = element(kOctetString, contents);
    EXPECT_EQ(written.size(), size + (size < 128 ? 2 : size < 256 ? 3 : 4));
    Reader reader(written);
    const auto back = reader.take(kOctetString);
    ASSERT_TRUE(back) << size;
    EXPECT_EQ(Bytes(back->begin(), back->end()), contents);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(DerWriter, IntegersAreShortestAndPositive) {
  EXPECT_EQ(unsigned_integer(Bytes{0x00}), (Bytes{0x02, 0x01, 0x00}));
  EXPECT_EQ(unsigned_integer(Bytes{}), (Bytes{0x02, 0x01, 0x00}));
  EXPECT_EQ(unsigned_integer(Bytes{0x00, 0x00, 0x7f}), (Bytes{0x02, 0x01, 0x7f}));
  EXPECT_EQ(unsigned_integer(Bytes{0x80}), (Bytes{0x02, 0x02, 0x00, 0x80}));
}

TEST(DerWriter, BitStringsSayHowManyBitsAreUnused) {
  EXPECT_EQ(bit_string(Bytes{0x80}, 7), (Bytes{0x03, 0x02, 0x07, 0x80}));
  EXPECT_EQ(element(kSequence, {bit_string(Bytes{0xff}), Bytes{}}), (Bytes{0x30, 0x04, 0x03, 0x02, 0x00, 0xff}));
}

}  // namespace
}  // namespace atlas::identity::der
