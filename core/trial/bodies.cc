#include "trial/bodies.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>

#include "atlas/msgpack.hpp"
#include "wire/envelope.h"

namespace atlas::trial {
namespace {

using Writer = msgpack::Writer;

constexpr std::size_t kLong = 16 * 1024;

void nested(Writer& out, std::size_t deep) {
  for (std::size_t i = 0; i < deep; ++i) out.array(1);
  out.nil();
}

// Every kind of value that a reader may meet where it expects another.
struct Kind {
  const char* name;
  void (*write)(Writer& out);
};
constexpr Kind kKinds[] = {
    {"nil", [](Writer& out) { out.nil(); }},
    {"true", [](Writer& out) { out.boolean(true); }},
    {"0", [](Writer& out) { out.integer(0); }},
    {"1", [](Writer& out) { out.integer(1); }},
    {"-1", [](Writer& out) { out.integer(-1); }},
    {"the smallest integer", [](Writer& out) { out.integer(std::numeric_limits<std::int64_t>::min()); }},
    {"the largest integer", [](Writer& out) { out.integer(std::numeric_limits<std::uint64_t>::max()); }},
    {"a huge float", [](Writer& out) { out.f64(1e308); }},
    {"no number", [](Writer& out) { out.f64(std::numeric_limits<double>::quiet_NaN()); }},
    {"empty text", [](Writer& out) { out.text(""); }},
    {"text", [](Writer& out) { out.text("text"); }},
    {"long text", [](Writer& out) { out.text(std::string(kLong, 'x')); }},
    {"text with control bytes", [](Writer& out) { out.text(std::string("\x00\x1b[2J\n\x7f", 7)); }},
    {"a node id", [](Writer& out) { out.text("atlas_" + std::string(64, '0')); }},
    {"an address", [](Writer& out) { out.text("127.0.0.1:1"); }},
    {"empty bytes", [](Writer& out) { out.bin({}); }},
    {"32 bytes", [](Writer& out) { out.bin(std::array<std::uint8_t, 32>{}); }},
    {"long bytes", [](Writer& out) { out.bin(std::vector<std::uint8_t>(kLong, 0xff)); }},
    {"an empty array", [](Writer& out) { out.array(0); }},
    {"an array of numbers",
     [](Writer& out) {
       out.array(1000);
       for (int i = 0; i < 1000; ++i) out.integer(i - 500);
     }},
    {"an array of texts",
     [](Writer& out) {
       out.array(100);
       for (int i = 0; i < 100; ++i) out.text("text");
     }},
    {"an array of maps",
     [](Writer& out) {
       out.array(10);
       for (int i = 0; i < 10; ++i) out.map(0);
     }},
    {"an empty map", [](Writer& out) { out.map(0); }},
    {"a map", [](Writer& out) { out.map(1).text("key").text("value"); }},
    {"arrays 14 deep", [](Writer& out) { nested(out, 14); }},
};

base::Bytes bytes_of(const Writer& out) {
  return {out.bytes().begin(), out.bytes().end()};
}

Body keys_of_every_kind() {
  Writer out;
  out.map(8).nil().nil().boolean(false).nil().integer(-7).nil().f64(0.5).nil().text("").nil().text(
      std::string(kLong, 'k'));
  out.nil().bin(std::array<std::uint8_t, 4>{}).nil().array(0).nil();
  return {"a map with keys of every kind", bytes_of(out)};
}

Body many_keys() {
  constexpr std::size_t kKeys = 10'000;
  Writer out;
  out.map(kKeys);
  for (std::size_t i = 0; i < kKeys; ++i) out.text(fmt::format("key {}", i)).integer(i);
  return {"a map with 10000 keys", bytes_of(out)};
}

}  // namespace

std::vector<Body> crooked_bodies(const std::vector<std::string>& words) {
  std::vector<Body> all = {{"an empty map", {0x80}}, keys_of_every_kind(), many_keys()};
  for (const Kind& kind : kKinds) {
    Writer out;
    out.map(words.size());
    for (const std::string& word : words) {
      out.text(word);
      kind.write(out);
    }
    all.push_back({fmt::format("a map whose values are all {}", kind.name), bytes_of(out)});
  }
  return all;
}

Body random_body(const std::vector<std::string>& words, base::Random& random) {
  std::vector<const std::string*> chosen;
  for (const std::string& word : words) {
    if (random.below(2) == 0) chosen.push_back(&word);
  }
  Writer out;
  out.map(chosen.size());
  for (const std::string* word : chosen) {
    out.text(*word);
    kKinds[random.below(std::size(kKinds))].write(out);
  }
  return {"a map of random values", bytes_of(out)};
}

std::vector<Body> huge_bodies(const std::vector<std::string>& words) {
  const std::string key = words.empty() ? "data" : words.front();
  const std::size_t room = wire::kMaxPayload - key.size() - 16;
  Writer text, bytes, numbers;
  text.map(1).text(key).text(std::string(room, 'x'));
  bytes.map(1).text(key).bin(std::vector<std::uint8_t>(room, 0));
  numbers.map(1).text(key).array(room);
  for (std::size_t i = 0; i < room; ++i) numbers.integer(1);
  return {
      {"4 MiB of text", bytes_of(text)}, {"4 MiB of bytes", bytes_of(bytes)}, {"4 MiB of numbers", bytes_of(numbers)}};
}

std::vector<Body> broken_bodies() {
  return {{"nothing", {}},
          {"no map", {0x01}},
          {"a map that ends early", {0x82, 0xa1, 'a'}},
          {"a text that ends early", {0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}},
          {"a key twice", {0x82, 0xa1, 'a', 0x01, 0xa1, 'a', 0x02}},
          {"bytes behind the map", {0x80, 0x00}},
          {"text that is no UTF-8", {0x81, 0xa1, 0xff, 0x01}}};
}

}  // namespace atlas::trial
