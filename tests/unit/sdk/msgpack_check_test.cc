// check(): every fault has its case, limits bite exactly at their edge, and what passes agrees with two other codecs.
#include <gtest/gtest.h>

#include <cmath>
#include <msgpack.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "atlas/msgpack.hpp"

namespace {

using atlas::msgpack::check;
using atlas::msgpack::check_map;
using atlas::msgpack::Fault;
using atlas::msgpack::Limits;
using atlas::msgpack::Writer;
using Blob = std::vector<std::uint8_t>;

Blob hex(std::string_view text) {
  Blob out;
  for (std::size_t i = 0; i + 1 < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    out.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return out;
}

struct Case {
  const char* bytes;
  Fault fault;
};

TEST(MsgpackCheck, EveryFirstByte) {
  for (int first = 0; first < 256; ++first) {
    const Fault fault = check(Blob{static_cast<std::uint8_t>(first)});
    const bool whole = first <= 0x80 || first == 0x90 || first == 0xa0 || first == 0xc0 || first == 0xc2 ||
                       first == 0xc3 || first >= 0xe0;
    EXPECT_EQ(fault == Fault::kNone, whole) << first << ' ' << atlas::msgpack::to_text(fault);
    EXPECT_EQ(fault == Fault::kReserved, first == 0xc1);
  }
}

TEST(MsgpackCheck, Faults) {
  const Case cases[] = {
      {"", Fault::kEmpty},
      {"c1", Fault::kReserved},
      {"81 a1 61 c1", Fault::kReserved},
      {"c0 c0", Fault::kTrailing},
      {"80 00", Fault::kTrailing},
      {"81 a1 61", Fault::kTruncated},
      {"81", Fault::kCount},
      {"92 01", Fault::kCount},
      {"91 cd 01", Fault::kTruncated},
      {"92 92 01 02", Fault::kCount},  // the inner array holds what the outer one needs
      {"a2 61", Fault::kTruncated},
      {"d9", Fault::kTruncated},
      {"d9 05 61", Fault::kTruncated},
      {"da ff ff 61", Fault::kTruncated},
      {"db ff ff ff ff 61", Fault::kTruncated},
      {"c4 02 00", Fault::kTruncated},
      {"c6 ff ff ff ff", Fault::kTruncated},
      {"dd ff ff ff ff", Fault::kCount},
      {"df ff ff ff ff", Fault::kCount},
      {"df 80 00 00 00 00", Fault::kCount},
      {"dc 00 02 c0", Fault::kCount},
      {"ca 00 00 00", Fault::kTruncated},
      {"cb 00 00 00 00 00 00 00", Fault::kTruncated},
      {"cc", Fault::kTruncated},
      {"d3 00 00 00 00 00 00 00", Fault::kTruncated},
      {"c7 02 01 00", Fault::kTruncated},
      {"d8 01 00", Fault::kTruncated},
      {"a1 80", Fault::kUtf8},
      {"a2 c0 80", Fault::kUtf8},        // overlong
      {"a3 ed a0 80", Fault::kUtf8},     // surrogate
      {"a4 f4 90 80 80", Fault::kUtf8},  // above U+10FFFF
      {"a3 e2 82 41", Fault::kUtf8},
      {"ab 61 61 61 61 61 61 61 61 61 e2 82", Fault::kUtf8},
      {"81 a1 ff 01", Fault::kUtf8},  // in a key
      {"c4 01 ff", Fault::kNone},     // a bin is no text
      {"d4 05 00", Fault::kNone},     // fixext
      {"c7 00 7f", Fault::kNone},     // ext of no bytes
      {"c9 00 00 00 01 80 aa", Fault::kNone},
      {"a3 e2 82 ac", Fault::kNone},
      {"a4 f0 9f 98 80", Fault::kNone},
  };
  for (const Case& it : cases) {
    EXPECT_EQ(check(hex(it.bytes)), it.fault) << it.bytes << ": " << atlas::msgpack::to_text(check(hex(it.bytes)));
  }
}

TEST(MsgpackCheck, DuplicateKeys) {
  const Case cases[] = {
      {"82 a1 61 01 a1 61 02", Fault::kDuplicateKey},
      {"82 a1 61 01 a1 62 02", Fault::kNone},
      {"82 a1 61 01 d9 01 61 02", Fault::kDuplicateKey},                             // fixstr and str 8
      {"82 da 00 01 61 01 db 00 00 00 01 61 02", Fault::kDuplicateKey},              // str 16 and str 32
      {"82 01 c0 cc 01 c0", Fault::kDuplicateKey},                                   // fixint and uint 8
      {"82 01 c0 d3 00 00 00 00 00 00 00 01 c0", Fault::kDuplicateKey},              // and int 64
      {"82 ff c0 d1 ff ff c0", Fault::kDuplicateKey},                                // -1 and -1
      {"82 cf ff ff ff ff ff ff ff ff c0 ff c0", Fault::kNone},                      // 2^64-1 and -1
      {"82 ca 3f c0 00 00 c0 cb 3f f8 00 00 00 00 00 00 c0", Fault::kDuplicateKey},  // 1.5 in both widths
      {"82 ca 00 00 00 00 c0 ca 80 00 00 00 c0", Fault::kDuplicateKey},              // 0.0 and -0.0
      {"82 01 c0 ca 3f 80 00 00 c0", Fault::kNone},                                  // 1 and 1.0
      {"82 a1 61 c0 c4 01 61 c0", Fault::kNone},                                     // text and bin
      {"82 c4 01 61 c0 c5 00 01 61 c0", Fault::kDuplicateKey},
      {"82 c0 01 c0 02", Fault::kDuplicateKey},
      {"82 c2 01 c3 02", Fault::kNone},
      {"82 c3 01 c3 02", Fault::kDuplicateKey},
      {"82 d4 01 aa c0 c7 01 01 aa c0", Fault::kDuplicateKey},
      {"82 d4 01 aa c0 d4 02 aa c0", Fault::kNone},
      {"81 a1 61 82 a1 62 01 a1 62 02", Fault::kDuplicateKey},  // deeper
      {"91 91 91 82 a1 62 01 a1 62 02", Fault::kDuplicateKey},  // inside arrays
      {"81 91 01 c0", Fault::kContainerKey},
      {"81 90 c0", Fault::kContainerKey},
      {"82 01 02 80 c0", Fault::kContainerKey},
      {"91 81 81 01 02 c0", Fault::kContainerKey},
      {"82 a1 61 81 a1 61 01 a1 62 81 a1 61 01", Fault::kNone},  // the same key in other maps
  };
  for (const Case& it : cases) EXPECT_EQ(check(hex(it.bytes)), it.fault) << it.bytes;
}

TEST(MsgpackCheck, DuplicatesInMapsOfEverySize) {
  std::mt19937 random(3);
  for (const std::uint32_t size : {2u, 7u, 8u, 9u, 16u, 255u, 256u, 257u, 258u, 300u, 1000u, 65'536u}) {
    for (const std::uint32_t twin : {0u, 1u, size / 2, size - 1}) {
      std::vector<std::uint32_t> keys(size);
      for (std::uint32_t i = 0; i < size; ++i) keys[i] = i;
      std::shuffle(keys.begin(), keys.end(), random);
      Writer good, bad;
      good.map(size);
      bad.map(size);
      for (std::uint32_t i = 0; i < size; ++i) {
        good.text("key" + std::to_string(keys[i])).nil();
        const bool is_twin = i == twin && size > 1;
        bad.text("key" + std::to_string(is_twin ? keys[(i + 1) % size] : keys[i])).nil();
      }
      EXPECT_EQ(check(good.bytes()), Fault::kNone) << size;
      EXPECT_EQ(check(bad.bytes()), Fault::kDuplicateKey) << size << ' ' << twin;
    }
  }
}

// Keys of several open maps share one scratch area: fill its edge from every side.
TEST(MsgpackCheck, DuplicatesInNestedMapsAroundTheInlineEdge) {
  for (const std::uint32_t outer : {1u, 200u, 250u, 255u, 256u, 400u}) {
    for (const std::uint32_t inner : {1u, 5u, 17u, 60u, 300u}) {
      for (const int twin : {0, 1, 2}) {  // none, in the inner map, in the outer map after it
        Writer out;
        out.map(outer + 2);
        for (std::uint32_t i = 0; i < outer; ++i) out.integer(i).nil();
        out.text("inner").map(inner + 1);
        for (std::uint32_t i = 0; i < inner; ++i) out.integer(1000 + i).nil();
        (twin == 1 ? out.integer(1000 + inner - 1) : out.text("end")).nil();
        (twin == 2 ? out.integer(outer - 1) : out.text("last")).nil();
        EXPECT_EQ(check(out.bytes()), twin == 0 ? Fault::kNone : Fault::kDuplicateKey) << outer << ' ' << inner;
      }
    }
  }
}

TEST(MsgpackCheck, DepthSixteenIsTheLast) {
  for (const bool maps : {false, true}) {
    for (std::uint32_t depth = 1; depth <= 40; ++depth) {
      Writer out;
      for (std::uint32_t i = 0; i < depth; ++i) maps ? out.map(i + 1 < depth).text("") : out.array(i + 1 < depth);
      Blob bytes = out.take();
      if (maps) bytes.pop_back();  // the innermost map is empty
      EXPECT_EQ(check(bytes), depth <= 16 ? Fault::kNone : Fault::kDepth) << depth;
      EXPECT_EQ(check(bytes, {.max_depth = depth}), Fault::kNone);
      EXPECT_EQ(check(bytes, {.max_depth = depth - 1}), Fault::kDepth);
    }
  }
  Blob deepest(1000, 0x91);
  deepest.push_back(0xc0);
  EXPECT_EQ(check(deepest, {.max_depth = 100'000}), Fault::kDepth);  // there is a ceiling
}

TEST(MsgpackCheck, FourMebibytesOfNestingIsRefusedAtOnce) {
  EXPECT_EQ(check(Blob(4'194'304, 0x91)), Fault::kDepth);
  Blob maps;
  while (maps.size() < 4'194'304) maps.insert(maps.end(), {0x81, 0xc0});
  EXPECT_EQ(check(maps), Fault::kDepth);
  EXPECT_EQ(check(Blob(4'194'304, 0x81)), Fault::kContainerKey);
}

TEST(MsgpackCheck, MapEntries) {
  for (const std::uint32_t size : {65'536u, 65'537u}) {
    Writer out;
    out.map(size);
    for (std::uint32_t i = 0; i < size; ++i) out.integer(i).nil();
    EXPECT_EQ(check(out.bytes()), size == 65'536 ? Fault::kNone : Fault::kMapTooLarge);
    EXPECT_EQ(check(out.bytes(), {.max_map_entries = size}), Fault::kNone);
  }
}

TEST(MsgpackCheck, OnlyAMapIsAPayload) {
  EXPECT_EQ(check_map(hex("80")), Fault::kNone);
  EXPECT_EQ(check_map(hex("90")), Fault::kNotMap);
  EXPECT_EQ(check_map(hex("c0")), Fault::kNotMap);
  EXPECT_EQ(check_map(hex("")), Fault::kEmpty);
  EXPECT_EQ(check_map(hex("81")), Fault::kCount);
}

// -- against other codecs ---------------------------------------------------------------------------------------------

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_);
  }
  std::uint64_t bits() { return engine_() >> below(64); }

  void value(Writer& out, int depth) {
    switch (below(depth >= 8 ? 7 : 9)) {
      case 0:
        out.nil();
        break;
      case 1:
        out.boolean(below(2));
        break;
      case 2:
        out.integer(bits());
        break;
      case 3:
        out.integer(-static_cast<std::int64_t>(bits() >> 1));
        break;
      case 4:
        out.f64(std::sqrt(2.0) * static_cast<double>(1 + below(1000)));  // no float 32 holds it
        break;
      case 5:
        out.text(std::string(below(40), static_cast<char>('a' + below(26))));
        break;
      case 6:
        out.bin(Blob(below(40), static_cast<std::uint8_t>(bits())));
        break;
      case 7: {
        const std::size_t size = below(20);
        out.array(size);
        for (std::size_t i = 0; i < size; ++i) value(out, depth + 1);
        break;
      }
      default: {
        const std::size_t size = below(20);
        out.map(size);
        for (std::size_t i = 0; i < size; ++i) {
          out.text("k" + std::to_string(i));
          value(out, depth + 1);
        }
      }
    }
  }

 private:
  std::mt19937_64 engine_;
};

TEST(MsgpackOracle, WhatTheWriterWritesOthersRead) {
  Random random(11);
  for (int i = 0; i < 500; ++i) {
    Writer out;
    random.value(out, 0);
    ASSERT_EQ(check(out.bytes()), Fault::kNone);
    const Blob bytes(out.bytes().begin(), out.bytes().end());
    const auto json = nlohmann::json::from_msgpack(bytes);
    EXPECT_EQ(nlohmann::json::to_msgpack(json).size(), bytes.size());  // and nothing shorter exists
    const auto handle = ::msgpack::unpack(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    ::msgpack::sbuffer again;
    ::msgpack::pack(again, handle.get());
    EXPECT_EQ(again.size(), bytes.size());
  }
}

// Bytes that were damaged: check() may refuse more than the oracle (depth, keys, UTF-8), never less.
TEST(MsgpackOracle, NothingPassesThatOthersRefuse) {
  Random random(12);
  int refused = 0, passed = 0;
  for (int i = 0; i < 20'000; ++i) {
    Writer out;
    random.value(out, 4);
    Blob bytes(out.bytes().begin(), out.bytes().end());
    for (std::uint64_t n = 1 + random.below(3); n != 0; --n) {
      if (bytes.empty()) break;
      const std::size_t at = random.below(bytes.size());
      switch (random.below(3)) {
        case 0:
          bytes[at] = static_cast<std::uint8_t>(random.bits());
          break;
        case 1:
          bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random.bits()));
      }
    }
    if (check(bytes) != Fault::kNone) {
      ++refused;
      continue;
    }
    ++passed;
    std::size_t used = 0;
    EXPECT_NO_THROW({
      const auto limits = ::msgpack::unpack_limit(1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 64);
      ::msgpack::unpack(reinterpret_cast<const char*>(bytes.data()), bytes.size(), used, nullptr, nullptr, limits);
    });
    EXPECT_EQ(used, bytes.size());
  }
  EXPECT_GT(refused, 5'000);
  EXPECT_GT(passed, 2'000);
}

TEST(MsgpackUtf8, AgreesWithAPlainDecoder) {
  const auto plain = [](const Blob& bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
      const std::uint8_t first = bytes[i];
      const std::size_t size = first < 0x80             ? 1
                               : (first & 0xe0) == 0xc0 ? 2
                               : (first & 0xf0) == 0xe0 ? 3
                               : (first & 0xf8) == 0xf0 ? 4
                                                        : 0;
      if (size == 0 || i + size > bytes.size()) return false;
      std::uint32_t code = size == 1 ? first : first & (0xff >> (size + 1));
      for (std::size_t k = 1; k < size; ++k) {
        if ((bytes[i + k] & 0xc0) != 0x80) return false;
        code = code << 6 | (bytes[i + k] & 0x3f);
      }
      constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
      if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
      i += size;
    }
    return true;
  };
  Random random(13);
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (const Blob& tail : {Blob{}, Blob{0x80}, Blob{0x80, 0x80}, Blob{0xbf, 0xbf}, Blob{0x41}}) {
        Blob bytes = {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b)};
        bytes.insert(bytes.end(), tail.begin(), tail.end());
        bytes.insert(bytes.begin(), random.below(12), 'x');
        ASSERT_EQ(atlas::msgpack::is_utf8(bytes.data(), bytes.data() + bytes.size()), plain(bytes)) << a << ' ' << b;
      }
    }
  }
}

}  // namespace
