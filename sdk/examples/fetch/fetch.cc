// Files over raw streams. One stream is one file: it is opened with 0xc6 {"name"}, the other side writes the bytes and
// finishes. No file, no permission or one that is too large: the stream is reset with a code of ours.
//
// Both directions go at the pace of the slower side: the sender stops at FULL until WRITABLE, and the receiver gives
// credit only for what is on its disk.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr std::uint8_t kFetch = 0xc6;
constexpr std::uint64_t kNoFile = 1, kTooLarge = 2, kBroken = 3;  // of a reset
constexpr std::size_t kPiece = 32 << 10;                          // read and written at once
constexpr std::size_t kMostSent = 32;                             // files at once, to all peers together
constexpr atlas::Millis kPatience{10'000};

// A file descriptor, closed when it goes.
struct File {
  explicit File(int fd) : fd(fd) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const int fd;
};

// A name of the directory itself: nothing in it can lead elsewhere.
bool is_plain(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.front() == '.') return false;
  return name.find('/') == name.npos && name.find('\0') == name.npos;
}

std::string meaning_of(std::uint64_t code) {
  if (code == kNoFile) return "it has no such file";
  if (code == kTooLarge) return "the file is larger than it sends";
  if (code == kBroken) return "the transfer broke off there";
  return atlas::concat("refused with code ", code);  // by the node: its role's or its own limits
}

class Fetch {
 public:
  explicit Fetch(atlas::Setup& setup) : host_(setup.host()) {
    directory_ = setup.config().text("directory", "", "Its files are given to every peer; none when empty.");
    if (!directory_.empty() && directory_.front() != '/') setup.config().reject("directory", "not an absolute path");
    most_ = setup.config().integer("max_bytes", 64 << 20, 1, INT64_C(1) << 40, "Of one file, sent or received.");
    sent_ = setup.counter("sent", "Files that were sent whole.");
    setup.accept(kFetch, &Fetch::asked);
    setup.command({"fetch get",
                   ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
                   "Copy a file that another node serves.",
                   {{"node", ATLAS_ARG_TEXT, true, "ip:port, [ipv6]:port or a node id"},
                    {"name", ATLAS_ARG_TEXT, true, "of the file there"},
                    {"to", ATLAS_ARG_TEXT, true, "an absolute path here that does not exist yet"}},
                   "file, bytes:bytes"},
                  &Fetch::get);
  }

 private:
  // --- sending ---
  struct Sending {
    Sending(Fetch& owner, int fd) : owner(owner), file(fd) { ++owner.sending_; }
    ~Sending() { --owner.sending_; }
    Fetch& owner;
    File file;
    std::string piece;  // read, and not taken by write() yet
    std::int64_t left = 0;
  };

  atlas::StreamHandler asked(const atlas::OpenedStream& opened) {
    const auto name = opened.map().find("name").text();
    if (!name || sending_ == kMostSent) return {};  // refused: the peer is told DENIED
    const auto sending = std::make_shared<Sending>(*this, open_served(*name));
    struct stat about {};
    if (sending->file.fd < 0 || ::fstat(sending->file.fd, &about) != 0 || !S_ISREG(about.st_mode)) {
      static_cast<void>(host_.streams().reset(opened.stream, kNoFile));
    } else if (about.st_size > most_) {
      static_cast<void>(host_.streams().reset(opened.stream, kTooLarge));
    } else {
      sending->left = about.st_size;  // what is added meanwhile is not sent
      pump(opened.stream, *sending);
    }
    return [this, sending](const atlas::StreamEvent& event) {
      if (!event.data.empty()) static_cast<void>(host_.streams().stop(event.stream, kBroken));  // nothing was asked
      if (event.what == ATLAS_STREAM_WRITABLE) pump(event.stream, *sending);
      if (event.is_closed() && event.status.ok()) sent_.add();
    };
  }

  // Through the directory itself, and not through a link in it.
  int open_served(std::string_view name) const {
    if (directory_.empty() || !is_plain(name)) return -1;
    const File directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return ::openat(directory.fd, std::string(name).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  }

  // Until there is no room: then WRITABLE calls again. The disk is read here, on the strand; a role whose disks are
  // slow would do that on a thread of its own, and come back with Host::post().
  void pump(atlas::Stream stream, Sending& sending) const {
    const atlas::Streams streams = host_.streams();
    while (sending.left > 0 || !sending.piece.empty()) {
      if (sending.piece.empty()) {
        sending.piece.resize(static_cast<std::size_t>(std::min<std::int64_t>(kPiece, sending.left)));
        const ssize_t got = ::read(sending.file.fd, sending.piece.data(), sending.piece.size());
        if (got <= 0) return static_cast<void>(streams.reset(stream, kBroken));
        sending.piece.resize(static_cast<std::size_t>(got));
        sending.left -= got;
      }
      if (!streams.write(stream, sending.piece)) return;  // FULL, or the peer has gone
      sending.piece.clear();
    }
    static_cast<void>(streams.finish(stream));
  }

  // --- receiving ---
  struct Receiving {
    Receiving(atlas::Call call, std::string name, std::string to, int fd)
        : call(std::move(call)), name(std::move(name)), to(std::move(to)), file(fd) {}
    ~Receiving() {
      if (!whole && file.fd >= 0) ::unlink(to.c_str());
    }
    atlas::Call call;
    const std::string name, to;
    File file;
    std::int64_t bytes = 0;
    std::string why;  // it failed here
    bool whole = false;
  };

  void get(const atlas::Call& call) {
    const std::string node = call.text("node").value_or(""), name = call.text("name").value_or("");
    const std::string to = call.text("to").value_or("");
    if (!to.starts_with('/')) return call.fail({ATLAS_E_ARG}, "to: an absolute path is needed");
    host_.connect(node, kPatience, [this, call, node, name, to](const atlas::Connected& result) {
      if (!result.status) return call.fail(result.status, atlas::concat(node, ": ", result.why(node)));
      const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd < 0) return call.fail({ATLAS_E_ARG}, atlas::concat(to, ": ", std::string_view(::strerror(errno))));
      const auto receiving = std::make_shared<Receiving>(call, name, to, fd);
      atlas::msgpack::Writer opening;
      opening.map(1).text("name").text(name);
      const auto opened = host_.streams().open(result.peer, kFetch, opening.bytes(),
                                               [this, receiving](const auto& event) { received(*receiving, event); });
      if (!opened.status) return call.fail(opened.status, opened.status.text());
      static_cast<void>(host_.streams().finish(opened.stream));  // nothing more to ask
      call.on_cancel([this, stream = opened.stream] { static_cast<void>(host_.streams().stop(stream, kBroken)); });
    });
  }

  void received(Receiving& receiving, const atlas::StreamEvent& event) const {
    const atlas::Streams streams = host_.streams();
    if (event.what == ATLAS_STREAM_DATA) {
      receiving.bytes += static_cast<std::int64_t>(event.data.size());
      if (receiving.bytes > most_) {
        receiving.why = "the file is larger than max_bytes";
      } else if (!write_all(receiving.file.fd, event.data)) {
        receiving.why = atlas::concat(receiving.to, ": ", std::string_view(::strerror(errno)));
      }
      if (!receiving.why.empty()) return static_cast<void>(streams.stop(event.stream, kBroken));
      receiving.whole = event.fin;  // without it the connection ended in the middle
      static_cast<void>(streams.credit(event.stream, event.data.size()));
    }
    if (event.what == ATLAS_STREAM_RESET) receiving.why = meaning_of(event.code);
    if (event.is_closed()) finished(receiving, event.status);
  }

  static void finished(const Receiving& receiving, atlas::Status status) {
    const std::string subject = receiving.name + ": ";
    if (!receiving.why.empty()) return receiving.call.fail({ATLAS_E_DENIED}, subject + receiving.why);
    if (status.code == ATLAS_E_DENIED)
      return receiving.call.fail(status, subject + "that node has no such role, or too much to do");
    if (!receiving.whole) return receiving.call.fail(status, subject + std::string(status.text()));
    static_cast<void>(receiving.call.result(
        atlas::json::Object().text("file", receiving.to).integer("bytes", receiving.bytes).str()));
    receiving.call.finish();
  }

  static bool write_all(int fd, atlas::Bytes data) {
    while (!data.empty()) {
      const ssize_t written = ::write(fd, data.data(), data.size());
      if (written < 0) return false;
      data = data.subspan(static_cast<std::size_t>(written));
    }
    return true;
  }

  atlas::Host& host_;
  std::string directory_;
  std::int64_t most_ = 0;
  std::size_t sending_ = 0;
  atlas::Counter sent_;
};

}  // namespace

ATLAS_PLUGIN(Fetch, "org.example.fetch", "1.0.0", "Files of a directory, over raw streams.", ATLAS_EXT_STREAMS,
             ATLAS_EXT_PEERS, ATLAS_EXT_CLI);
