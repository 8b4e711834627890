// Fetch without a network: what is served and what is not, and that neither side runs ahead of the other.
#include <atlas/testing/fake_host.h>
#include <atlas/msgpack.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using atlas::kit::Bytes;
using atlas::kit::FakeHost;
namespace fs = std::filesystem;

static int failures = 0;
#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                          \
    }                                                                      \
  } while (false)

struct Directory {
  Directory() {
    char name[] = "/tmp/fetch-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path); }
  void add(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
  fs::path path;
};

static Bytes asking(std::string_view name) {
  atlas::msgpack::Writer out;
  out.map(1).text("name").text(name);
  return {out.bytes().begin(), out.bytes().end()};
}
static std::string text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

static void serves_what_lies_in_its_directory() {
  const Directory served;
  served.add("hello.txt", "hello");
  FakeHost host(atlas_plugin_v1);
  host.config["directory"] = served.path.string();
  host.run();
  const atlas_stream stream = host.open_stream(1, 0xc6, asking("hello.txt"));
  CHECK(text(host.streams.at(stream).written) == "hello");
  CHECK(host.streams.at(stream).finished);
  host.stream_data(stream, {}, true);
  host.stream_closed(stream);
  CHECK(host.metric("sent") == 1);
}

static void serves_nothing_else() {
  const Directory outside, served;
  outside.add("secret", "secret");
  served.add(".hidden", "hidden");
  served.add("large", std::string(101, 'x'));
  fs::create_directory(served.path / "sub");
  fs::create_symlink(outside.path / "secret", served.path / "link");
  FakeHost host(atlas_plugin_v1);
  host.config["directory"] = served.path.string();
  host.config["max_bytes"] = std::int64_t{100};
  host.run();
  const std::string outer = "../" + outside.path.filename().string() + "/secret";
  for (const std::string& name : {outer, (outside.path / "secret").string(), std::string(".hidden"), std::string("sub"),
                                  std::string("link"), std::string("."), std::string(), std::string("none")}) {
    const atlas_stream stream = host.open_stream(1, 0xc6, asking(name));
    CHECK(host.streams.at(stream).reset == 1u);
    CHECK(host.streams.at(stream).written.empty());
  }
  CHECK(host.streams.at(host.open_stream(1, 0xc6, asking("large"))).reset == 2u);
  CHECK(host.open_stream(1, 0xc6, {0x80}) == 0);
}

static void sends_no_faster_than_the_peer_reads() {
  const Directory served;
  const std::string much(1'000'000, 'x');
  served.add("much", much);
  FakeHost host(atlas_plugin_v1);
  host.stream_room = 100'000;
  host.config["directory"] = served.path.string();
  host.run();
  const atlas_stream stream = host.open_stream(1, 0xc6, asking("much"));
  for (std::size_t rounds = 1; !host.streams.at(stream).finished; ++rounds) {
    CHECK(host.streams.at(stream).written.size() <= rounds * host.stream_room);
    host.stream_acknowledged(stream);
  }
  CHECK(text(host.streams.at(stream).written) == much);
}

static void has_a_place_for_so_many() {
  const Directory served;
  served.add("a", "a");
  FakeHost host(atlas_plugin_v1);
  host.config["directory"] = served.path.string();
  host.run();
  const atlas_stream first = host.open_stream(1, 0xc6, asking("a"));
  for (int i = 1; i < 32; ++i) CHECK(host.open_stream(1, 0xc6, asking("a")) != 0);
  CHECK(host.open_stream(1, 0xc6, asking("a")) == 0);
  host.stream_closed(first);
  CHECK(host.open_stream(1, 0xc6, asking("a")) != 0);
}

// Runs `fetch get`; the stream that it opened, or 0.
static atlas_stream begin(FakeHost& host, const std::string& to, atlas_call& call) {
  call = host.run_command("fetch get", {{"node", "192.0.2.1:4433"}, {"name", "a"}, {"to", to}});
  if (!host.dials.empty()) host.finish_dial(host.dials.front(), {.node_id = atlas::kit::node_id(1)});
  return host.streams.empty() ? 0 : host.streams.begin()->first;
}

static void writes_what_comes() {
  const Directory here;
  const std::string to = here.path / "copy";
  FakeHost host(atlas_plugin_v1);
  host.run();
  atlas_call call = 0;
  const atlas_stream stream = begin(host, to, call);
  CHECK(host.streams.at(stream).opening == asking("a"));
  CHECK(host.streams.at(stream).finished);
  host.stream_data(stream, {'a', 'b'});
  host.stream_data(stream, {'c'}, true);
  CHECK(host.streams.at(stream).delivered == 0);
  host.stream_closed(stream);
  CHECK(host.calls.at(call).result == "{\"file\":\"" + to + "\",\"bytes\":3}");
  std::ifstream copy(to);
  CHECK(std::string(std::istreambuf_iterator<char>(copy), {}) == "abc");
  // It is not written over.
  begin(host, to, call);
  CHECK(host.calls.at(call).status == ATLAS_E_ARG);
  begin(host, "copy", call);
  CHECK(host.calls.at(call).status == ATLAS_E_ARG);
}

static void leaves_no_half_of_a_file() {
  const Directory here;
  const std::string to = here.path / "copy";
  FakeHost host(atlas_plugin_v1);
  host.config["max_bytes"] = std::int64_t{4};
  host.run();
  atlas_call call = 0;
  const auto failed = [&] { return host.calls.at(call).status < 0 && !fs::exists(to); };
  atlas_stream stream = begin(host, to, call);
  host.stream_data(stream, {'a', 'b'});
  host.stream_event(stream, ATLAS_STREAM_RESET, 3);
  host.stream_closed(stream, ATLAS_E_DENIED, 3);
  CHECK(failed() && host.calls.at(call).error == "a: the transfer broke off there");
  stream = begin(host, to, call);
  host.stream_data(stream, {'a', 'b'});
  host.stream_closed(stream, ATLAS_E_GONE);
  CHECK(failed());
  stream = begin(host, to, call);
  host.stream_data(stream, {'a', 'b', 'c', 'd', 'e'}, true);
  CHECK(host.streams.at(stream).stopped == 3u);
  host.stream_closed(stream, ATLAS_E_DENIED, 3);
  CHECK(failed() && host.calls.at(call).error == "a: the file is larger than max_bytes");
  stream = begin(host, to, call);
  host.stream_closed(stream, ATLAS_E_DENIED, 2003);
  CHECK(failed());
  stream = begin(host, to, call);
  host.cancel_command(call);
  CHECK(host.streams.at(stream).stopped == 3u);
  host.stream_closed(stream, ATLAS_E_DENIED, 3);
  CHECK(!fs::exists(to));
}

int main() {
  serves_what_lies_in_its_directory();
  serves_nothing_else();
  sends_no_faster_than_the_peer_reads();
  has_a_place_for_so_many();
  writes_what_comes();
  leaves_no_half_of_a_file();
  std::puts(failures == 0 ? "all passed" : "FAILED");
  return failures != 0;
}
