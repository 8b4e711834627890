// View and Writer: every width, every edge, and bytes that nobody checked.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "atlas/msgpack.hpp"

namespace {

using atlas::msgpack::Kind;
using atlas::msgpack::MapView;
using atlas::msgpack::View;
using atlas::msgpack::Writer;
using Blob = std::vector<std::uint8_t>;

TEST(MsgpackWriter, SmallestIntegerForms) {
  const std::vector<std::pair<std::int64_t, std::size_t>> cases = {{0, 1},
                                                                   {127, 1},
                                                                   {128, 2},
                                                                   {255, 2},
                                                                   {256, 3},
                                                                   {65'535, 3},
                                                                   {65'536, 5},
                                                                   {4294967295, 5},
                                                                   {4294967296, 9},
                                                                   {-1, 1},
                                                                   {-32, 1},
                                                                   {-33, 2},
                                                                   {-128, 2},
                                                                   {-129, 3},
                                                                   {-32'768, 3},
                                                                   {-32'769, 5},
                                                                   {-2147483648, 5},
                                                                   {-2147483649, 9},
                                                                   {std::numeric_limits<std::int64_t>::min(), 9},
                                                                   {std::numeric_limits<std::int64_t>::max(), 9}};
  for (const auto& [value, size] : cases) {
    Writer out;
    out.integer(value);
    EXPECT_EQ(out.size(), size) << value;
    EXPECT_EQ(View(out.bytes()).i64(), value);
    EXPECT_EQ(View(out.bytes()).u64().has_value(), value >= 0);
  }
  Writer most;
  most.integer(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(View(most.bytes()).u64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(View(most.bytes()).i64());
}

TEST(MsgpackWriter, SmallestLengthForms) {
  for (const auto& [size, head] : std::vector<std::pair<std::size_t, std::size_t>>{
           {0, 1}, {31, 1}, {32, 2}, {255, 2}, {256, 3}, {65'535, 3}, {65'536, 5}}) {
    Writer text;
    text.text(std::string(size, 'a'));
    EXPECT_EQ(text.size(), head + size);
    EXPECT_EQ(View(text.bytes()).text()->size(), size);
    Writer bin;
    bin.bin(Blob(size, 7));
    EXPECT_EQ(bin.size(), (size < 256 ? 2 : head) + size);
    EXPECT_EQ(View(bin.bytes()).bin()->size(), size);
  }
  for (const auto& [count, head] :
       std::vector<std::pair<std::size_t, std::size_t>>{{0, 1}, {15, 1}, {16, 3}, {65'535, 3}, {65'536, 5}}) {
    EXPECT_EQ(Writer().array(count).size(), head);
    EXPECT_EQ(Writer().map(count).size(), head);
  }
}

TEST(MsgpackWriter, ACeilingHoldsAndStays) {
  Writer out(10);
  out.text("12345678");
  EXPECT_TRUE(out.ok());
  out.text("12");
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.size(), 9u);
  out.nil();
  EXPECT_EQ(out.size(), 9u);  // nothing after the value that did not fit
  out.clear();
  out.array(0);
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.size(), 1u);
}

// The same number in all forms that it has.
TEST(MsgpackView, IntegersInAnyWidth) {
  for (const Blob& bytes :
       {Blob{5}, Blob{0xcc, 5}, Blob{0xcd, 0, 5}, Blob{0xce, 0, 0, 0, 5}, Blob{0xcf, 0, 0, 0, 0, 0, 0, 0, 5},
        Blob{0xd0, 5}, Blob{0xd1, 0, 5}, Blob{0xd2, 0, 0, 0, 5}, Blob{0xd3, 0, 0, 0, 0, 0, 0, 0, 5}}) {
    EXPECT_EQ(View(bytes).i64(), 5);
    EXPECT_EQ(View(bytes).u64(), 5u);
    EXPECT_EQ(View(bytes).u32(), 5u);
  }
  for (const Blob& bytes : {Blob{0xfb}, Blob{0xd0, 0xfb}, Blob{0xd1, 0xff, 0xfb}, Blob{0xd2, 0xff, 0xff, 0xff, 0xfb},
                            Blob{0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb}}) {
    EXPECT_EQ(View(bytes).i64(), -5);
    EXPECT_FALSE(View(bytes).u64());
    EXPECT_FALSE(View(bytes).u32());
  }
  EXPECT_EQ(View(Blob{0xce, 0xff, 0xff, 0xff, 0xff}).u32(), 4294967295u);
  EXPECT_FALSE(View(Blob{0xcf, 0, 0, 0, 1, 0, 0, 0, 0}).u32());
}

TEST(MsgpackView, OtherKindsAreNoNumbersAndTheOtherWayRound) {
  Writer out;
  out.map(7).text("nil").nil().text("bool").boolean(true).text("int").integer(1).text("float").f64(1.5);
  out.text("text").text("t").text("bin").bin(Blob{1}).text("array").array(0);
  const MapView map = MapView::of(out.bytes());
  int integers = 0, texts = 0, booleans = 0, floats = 0, bins = 0, nils = 0;
  for (const auto& [key, value] : map) {
    integers += value.i64().has_value();
    texts += value.text().has_value();
    booleans += value.boolean().has_value();
    floats += value.f64().has_value();
    bins += value.bin().has_value();
    nils += value.is_nil();
  }
  EXPECT_EQ((std::vector{integers, texts, booleans, floats, bins, nils}), (std::vector{1, 1, 1, 1, 1, 1}));
}

TEST(MsgpackView, AMissingKeyIsNil) {
  Writer out;
  out.map(2).text("a").nil().text("b").integer(1);
  const MapView map = MapView::of(out.bytes());
  for (const char* key : {"a", "absent"}) {
    const View value = map.find(key);
    EXPECT_TRUE(value.is_nil());
    EXPECT_FALSE(value.text() || value.i64() || value.boolean() || value.bin());
    EXPECT_EQ(value.map().size(), 0u);
    EXPECT_EQ(value.array().size(), 0u);
  }
  EXPECT_TRUE(map.find("a").present());
  EXPECT_FALSE(map.find("absent").present());
  EXPECT_TRUE(map.find("absent").raw().empty());
}

TEST(MsgpackView, KeysThatAreNoTextAreSkipped) {
  Writer out;
  out.map(4).integer(1).text("one").array(1).nil().text("array").text("x").integer(7).nil().boolean(false);
  EXPECT_EQ(MapView::of(out.bytes()).find("x").i64(), 7);
}

TEST(MsgpackView, BytesAsBinOrAsArray) {
  const Blob expected = {0, 1, 127, 128, 255};
  Writer bin, array, wide;
  bin.bin(expected);
  array.byte_array(expected);
  wide.array(5);
  for (const std::uint8_t byte : expected) wide.raw(Blob{0xd2, 0, 0, 0, byte});
  for (const Writer* form : {&bin, &array, &wide}) {
    Blob out = {9};
    EXPECT_TRUE(View(form->bytes()).bytes(out, 5));
    EXPECT_EQ(out, expected);
    Blob untouched = {9};
    EXPECT_FALSE(View(form->bytes()).bytes(untouched, 4));
    EXPECT_EQ(untouched, Blob{9});
  }
  EXPECT_EQ(Blob(array.bytes().begin(), array.bytes().end()), (Blob{0x95, 0, 1, 127, 0xcc, 128, 0xcc, 255}));
  for (const Blob& wrong :
       {Blob{0x91, 0xcd, 1, 0}, Blob{0x91, 0xff}, Blob{0x91, 0xc0}, Blob{0xa1, 'a'}, Blob{0x80}, Blob{7}}) {
    Blob out = {9};
    EXPECT_FALSE(View(wrong).bytes(out, 100));
    EXPECT_EQ(out, Blob{9});
  }
}

TEST(MsgpackView, RawIsTheValueAndNoMore) {
  Writer inner;
  inner.map(1).text("deep").array(2).integer(1).text("x");
  Writer out;
  out.map(2).text("body").raw(inner.bytes()).text("after").nil();
  const auto raw = MapView::of(out.bytes()).find("body").raw();
  EXPECT_TRUE(std::ranges::equal(raw, inner.bytes()));
}

// The loops below end and nothing is read past the end: AddressSanitizer watches over it.
TEST(MsgpackView, UncheckedBytesAreNeverReadPastTheirEnd) {
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[1 + random() % 40]);
    const std::size_t size = 1 + random() % 40;
    exact.reset(new std::uint8_t[size]);
    for (std::size_t k = 0; k < size; ++k)
      exact[k] = static_cast<std::uint8_t>(random() % 3 ? 0x80 + random() % 0x60 : random());
    const View view{atlas::msgpack::Bytes(exact.get(), size)};
    std::size_t seen = 0;
    for (const auto& [key, value] : view.map()) seen += key.raw().size() + value.raw().size();
    for (const View element : view.array()) seen += element.raw().size();
    Blob out;
    seen += view.bytes(out, 1'000'000);
    seen += view.map().find("a").present();
    EXPECT_LE(seen, 2 * size + 2);
  }
}

TEST(MsgpackView, HugeCountsAllocateNothing) {
  Blob out;
  EXPECT_FALSE(View(Blob{0xdd, 0xff, 0xff, 0xff, 0xff}).bytes(out, std::numeric_limits<std::size_t>::max()));
  EXPECT_EQ(out.capacity(), 0u);
}

}  // namespace
