// The time of day, over another protocol than the nodes' own: ALPN "daytime/1" on the node's UDP port, with a
// certificate of its own. Who shows one that the operator accepts is told the time, on a stream that goes one way; that
// is all the protocol there is. The other side need not be an atlas node.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace {

constexpr const char* kAlpn = "daytime/1";
constexpr std::size_t kMostText = 64;  // of an answer, and of an identity
constexpr std::size_t kMostFile = 16 << 10;
constexpr atlas::Millis kPatience{10'000};

using Der = std::vector<std::uint8_t>;

// Empty when it is not there, or too large for what it should be.
Der read_file(const std::string& path) {
  std::error_code none;
  if (std::filesystem::file_size(path, none) > kMostFile || none) return {};
  std::ifstream file(path, std::ios::binary);
  return Der(std::istreambuf_iterator<char>(file), {});
}

// "2031-05-17T08:30:00Z"
std::string time_of_day(std::int64_t unix_seconds) {
  const std::time_t seconds = unix_seconds;
  std::tm parts{};
  char out[32];
  if (::gmtime_r(&seconds, &parts) == nullptr) return "";
  return std::string(out, std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

class Daytime {
 public:
  explicit Daytime(atlas::Setup& setup) : host_(setup.host()) {
    const auto& config = setup.config();
    certificate_ = config.text("certificate", "", "File of this node's certificate for daytime/1, in DER.");
    key_ = config.text("key", "", "File of its key, PKCS #8 in DER.");
    accept_ = config.texts("accept", "Files of the certificates whose owners are told the time, and are asked for it.");
    told_ = setup.counter("told", "Peers that were told the time.");
    setup.claim({.alpn = kAlpn, .max_connections = 100, .max_streams = 1, .max_unidirectional = 1}, &Daytime::verify,
                &Daytime::accepted);
    setup.command({"daytime ask",
                   ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
                   "Ask another node for the time of day.",
                   {{"address", ATLAS_ARG_TEXT, true, "ip:port or [ipv6]:port"}},
                   "from, time"},
                  &Daytime::ask);
  }

  // Files are read here and not in the constructor, which also runs only to list what there is.
  atlas::Status start() {
    for (const std::string& path : accept_) {
      if (Der certificate = read_file(path); !certificate.empty()) {
        friends_.emplace_back(std::filesystem::path(path).stem().string().substr(0, kMostText), std::move(certificate));
      } else {
        host_.warn("nobody is accepted for ", path, ": it cannot be read");
      }
    }
    if (certificate_.empty()) return {};  // it neither answers nor asks
    const Der certificate = read_file(certificate_), key = read_file(key_);
    const atlas::Status status = host_.protocols().credentials(kAlpn, certificate, key);
    if (!status) host_.error(certificate_, " and ", key_, ": ", host_.last_error());
    return status;
  }

 private:
  // TLS has proved that the peer has the key of what it shows. Whether that is somebody is decided here: pinned, byte
  // for byte. No name, no date and no authority is looked at.
  atlas::Verdict verify(const atlas::Presented& presented) {
    const atlas::Bytes shown = presented.certificate();
    for (const auto& [name, certificate] : friends_) {
      if (std::equal(shown.begin(), shown.end(), certificate.begin(), certificate.end())) {
        return atlas::Verdict::accept(name);
      }
    }
    host_.info("a stranger at ", presented.remote, " is refused");
    return atlas::Verdict::refuse();
  }

  // A friend has dialled: tell the time and finish. It closes the connection when it has read that; else the idle limit
  // does.
  atlas::ConnectionHandler accepted(const atlas::ConnectionEvent& up) {
    const auto opened = host_.protocols().open(up.connection, {}, true);
    if (opened.status) {
      static_cast<void>(host_.streams().write(opened.stream, time_of_day(host_.unix_seconds())));
      static_cast<void>(host_.streams().finish(opened.stream));
      told_.add();
    }
    return {};  // what becomes of it matters to nobody
  }

  // `atlas net daytime ask ADDRESS`
  struct Question {
    atlas::Call call;
    std::string from, time;
    bool whole = false;
  };
  void ask(const atlas::Call& call) {
    const auto question = std::make_shared<Question>(Question{call, "", ""});
    const auto dialled = host_.protocols().dial(
        kAlpn, call.text("address").value_or(""), "", kPatience,
        {.event = [question](const atlas::ConnectionEvent& event) { answer(*question, event); },
         .stream = [this, question](const atlas::PeerStream& stream) { return listen(question, stream); }});
    if (!dialled.status) return call.fail(dialled.status, host_.last_error());
    call.on_cancel([this, connection = dialled.connection] { close(connection); });
  }

  atlas::StreamHandler listen(const std::shared_ptr<Question>& question, const atlas::PeerStream& stream) {
    return [this, question, connection = stream.connection](const atlas::StreamEvent& event) {
      if (event.what != ATLAS_STREAM_DATA) return;
      question->time.append(event.data.begin(), event.data.end());
      question->whole = event.fin;
      static_cast<void>(host_.streams().credit(event.stream, event.data.size()));
      if (event.fin || question->time.size() > kMostText) close(connection);
    };
  }

  void close(atlas::Connection connection) const { static_cast<void>(host_.protocols().close(connection, 0, "")); }

  // UP, and DOWN, which comes in any case.
  static void answer(Question& question, const atlas::ConnectionEvent& event) {
    if (event.is_up()) question.from = event.identity_text();
    if (!event.is_down()) return;
    if (question.whole && question.time.size() <= kMostText) {
      static_cast<void>(
          question.call.result(atlas::json::Object().text("from", question.from).text("time", question.time).str()));
      return question.call.finish();
    }
    const bool refused = event.why == ATLAS_CLOSED_REFUSED;
    question.call.fail({refused ? ATLAS_E_DENIED : ATLAS_E_UNREACHABLE},
                       refused ? std::string("the certificate that it shows is not accepted here")
                               : atlas::concat("no time came: ", event.reason));
  }

  atlas::Host& host_;
  std::string certificate_, key_;
  std::vector<std::string> accept_;
  std::vector<std::pair<std::string, Der>> friends_;
  atlas::Counter told_;
};

}  // namespace

ATLAS_PLUGIN(Daytime, "org.example.daytime", "1.0.0", "The time of day, over a protocol of its own.",
             ATLAS_EXT_PROTOCOLS, ATLAS_EXT_STREAMS, ATLAS_EXT_CLI);
