#include "cli/console_role.h"

#include <charconv>
#include <optional>
#include <string>

#include "atlas/json.hpp"
#include "atlas/plugin.hpp"

namespace atlas::cli {
namespace {

// A role that promised an answer has 10 s for it.
constexpr Millis kPatience{12'000};

// "c0" or "0xc0", as docs/message-types.md writes it.
std::optional<std::uint8_t> type_of(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != 2) return std::nullopt;
  return static_cast<std::uint8_t>(value);
}

std::string hex(std::uint8_t type) {
  constexpr char kDigits[] = "0123456789abcdef";
  return {kDigits[type >> 4], kDigits[type & 15]};
}

std::string shown(const Answer& answer) {
  json::Object out;
  if (answer.error_code != 0) {
    out.object("error", json::Object().integer("code", answer.error_code).text("text", answer.error_text));
  } else {
    const auto body = json::from_msgpack(answer.body);
    out.text("type", hex(answer.type)).raw("body", body ? *body : "null");
  }
  return out.number("rtt_ms", static_cast<double>(answer.rtt.count()) / 1000).str();
}

class Console {
 public:
  explicit Console(Setup& setup) : host_(setup.host()) {
    setup.command({"console send",
                   ATLAS_CLI_DAEMON,
                   "Send a message to a peer.",
                   {{"target", ATLAS_ARG_TEXT, true, "a node id"},
                    {"type", ATLAS_ARG_TEXT, true, "two hex digits"},
                    {"body", ATLAS_ARG_REST, true, "a JSON object"}}},
                  &Console::send);
  }

 private:
  void send(const Call& call) {
    const auto type = type_of(call.text("type").value_or(""));
    if (!type) return call.fail({ATLAS_E_ARG}, "a type is two hex digits, as c0");
    const std::string text = call.text("body").value_or("");
    const auto body = json::to_msgpack(text);
    if (!body || !text.starts_with('{')) return call.fail({ATLAS_E_ARG}, "the body is no JSON object, as {\"key\":1}");
    const Peer peer = host_.peers().find(call.text("target").value_or(""));
    if (peer == 0) return call.fail({ATLAS_E_GONE}, "the other node is not connected");
    static_cast<void>(host_.request(peer, *type, *body, kPatience, [call](const Answer& answer) {
      if (!answer.status.ok()) return call.fail(answer.status, answer.status.text());
      static_cast<void>(call.result(shown(answer)));
      call.finish();
    }));
  }

  Host& host_;
};

using Entry = detail::Entry<Console>;
constexpr const char* kNeeds[] = {ATLAS_EXT_CLI, ATLAS_EXT_MESSAGES, ATLAS_EXT_PEERS, nullptr};

}  // namespace

constexpr ::atlas_plugin kConsole = {sizeof(::atlas_plugin),
                                     ATLAS_ABI_MAJOR,
                                     0,
                                     kConsoleRole,
                                     "1.0.0",
                                     "Asks in the name of a person.",
                                     kNeeds,
                                     &Entry::init,
                                     &Entry::start,
                                     &Entry::drain,
                                     &Entry::stop,
                                     &Entry::peer_event};

}  // namespace atlas::cli
