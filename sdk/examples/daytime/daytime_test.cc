// Daytime without a network: who is told the time, and what comes of asking.
#include <atlas/testing/fake_host.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

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

static Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

// The fake host has no TLS: any bytes are a certificate.
struct Setting {
  Setting() {
    char name[] = "/tmp/daytime-XXXXXX";
    directory = ::mkdtemp(name);
    for (const char* file : {"own.der", "own.key", "bob.der"}) std::ofstream(directory / file) << file;
    host.config["certificate"] = (directory / "own.der").string();
    host.config["key"] = (directory / "own.key").string();
    host.config["accept"] = std::vector<std::string>{(directory / "bob.der").string()};
  }
  ~Setting() {
    host.stop();
    fs::remove_all(directory);
  }
  atlas_call ask() { return host.run_command("daytime ask", {{"address", "192.0.2.1:4433"}}); }
  atlas_connection dialled() { return host.connections.begin()->first; }

  fs::path directory;
  FakeHost host{atlas_plugin_v1};
};

static void friends_are_told_the_time() {
  Setting it;
  it.host.run();
  CHECK(it.host.protocols.at("daytime/1").chain == std::vector<Bytes>{bytes("own.der")});
  CHECK(it.host.protocols.at("daytime/1").key == bytes("own.key"));
  const atlas_connection connection = it.host.present("daytime/1", "192.0.2.1:7", {bytes("bob.der")});
  CHECK(connection != 0);
  CHECK(it.host.connections.at(connection).identity == bytes("bob"));
  CHECK(it.host.streams.size() == 1);
  const auto& stream = it.host.streams.begin()->second;
  CHECK(stream.written == bytes("2023-11-14T22:13:20Z"));
  CHECK(stream.finished && !stream.reads);
  CHECK(it.host.metric("told") == 1);
}

static void strangers_are_not() {
  Setting it;
  it.host.run();
  for (const char* shown : {"mallory.der", "bob.de", "bob.derr"}) {
    CHECK(it.host.present("daytime/1", "192.0.2.1:7", {bytes(shown)}) == 0);
  }
  CHECK(it.host.streams.empty());
}

static void asking_gives_the_answer_and_whose_it_is() {
  Setting it;
  it.host.run();
  const atlas_call call = it.ask();
  const atlas_connection connection = it.dialled();
  CHECK(it.host.answer_protocol_dial(connection, {bytes("bob.der")}));
  const atlas_stream stream = it.host.open_connection_stream(connection, true);
  it.host.stream_data(stream, bytes("2031-05-17T"));
  CHECK(!it.host.calls.at(call).finished);
  it.host.stream_data(stream, bytes("08:30:00Z"), true);
  it.host.settle();
  CHECK(it.host.calls.at(call).result == "{\"from\":\"bob\",\"time\":\"2031-05-17T08:30:00Z\"}");
  CHECK(it.host.connections.empty());
}

static void what_is_no_answer_is_an_error() {
  Setting it;
  it.host.run();
  const auto failed = [&](atlas_call call, std::string_view why) {
    const auto& shown = it.host.calls.at(call);
    return shown.finished && shown.status < 0 && shown.error == why;
  };
  atlas_call call = it.ask();
  CHECK(!it.host.answer_protocol_dial(it.dialled(), {bytes("mallory.der")}));
  CHECK(failed(call, "the certificate that it shows is not accepted here"));
  call = it.ask();
  it.host.connection_down(it.dialled(), ATLAS_CLOSED_IDLE, 0, "nobody answers");
  CHECK(failed(call, "no time came: nobody answers"));
  call = it.ask();
  it.host.answer_protocol_dial(it.dialled(), {bytes("bob.der")});
  const atlas_stream stream = it.host.open_connection_stream(it.dialled(), true);
  it.host.stream_data(stream, Bytes(65, 'x'));
  it.host.settle();
  CHECK(failed(call, "no time came: "));
  call = it.ask();
  it.host.cancel_command(call);
  CHECK(it.host.connections.empty());
}

static void certificates_that_are_wrong_keep_it_from_starting() {
  Setting it;
  it.host.credentials_status = ATLAS_E_ARG;
  CHECK(it.host.init() == ATLAS_OK);
  CHECK(it.host.start() == ATLAS_E_ARG);
  CHECK(it.host.logged("own.der and "));
}

static void without_certificates_it_is_silent() {
  FakeHost host(atlas_plugin_v1);
  host.config["accept"] = std::vector<std::string>{"/nowhere/bob.der"};
  host.run();
  CHECK(host.logged("/nowhere/bob.der: it cannot be read"));
  const atlas_call call = host.run_command("daytime ask", {{"address", "192.0.2.1:4433"}});
  CHECK(host.calls.at(call).error == "the protocol has no certificate yet");
}

int main() {
  friends_are_told_the_time();
  strangers_are_not();
  asking_gives_the_answer_and_whose_it_is();
  what_is_no_answer_is_an_error();
  certificates_that_are_wrong_keep_it_from_starting();
  without_certificates_it_is_silent();
  std::puts(failures == 0 ? "all passed" : "FAILED");
  return failures != 0;
}
