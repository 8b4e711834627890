// @id@: answers message type 0xc0 with what it was sent, as 0xc1, and counts how often.
#include <atlas/json.hpp>
#include <atlas/plugin.hpp>

namespace {

// c0-cf are for experiments; docs/message-types.md of Atlas says how to get a byte of one's own.
constexpr std::uint8_t kRequest = 0xc0, kAnswer = 0xc1;

class @Class@ {
 public:
  // Registers and does nothing else: it also runs where somebody only wants to know what this role has.
  explicit @Class@(atlas::Setup& setup) {
    max_bytes_ = static_cast<std::size_t>(setup.config().integer("max_bytes", 65536, 1, 4194304,
                                                                 "Size of the largest request that is answered."));
    answered_ = setup.counter("answered", "Requests answered.");
    setup.on(kRequest, &@Class@::on_request);
    setup.command({"@command@", ATLAS_CLI_DAEMON, "Shows how many requests were answered."}, &@Class@::on_command);
  }

 private:
  void on_request(const atlas::Incoming& request) {
    if (request.body.size() > max_bytes_) return static_cast<void>(request.reject("larger than max_bytes"));
    ++count_;
    answered_.add();
    static_cast<void>(request.reply(kAnswer, request.body));
  }

  // `atlas net @command@`
  void on_command(const atlas::Call& call) {
    static_cast<void>(call.result(atlas::json::Object().integer("answered", count_).str()));
    call.finish();
  }

  std::size_t max_bytes_ = 0;
  std::int64_t count_ = 0;
  atlas::Counter answered_;
};

}  // namespace

ATLAS_PLUGIN(@Class@, "@id@", "0.1.0", "Answers what it is sent.", ATLAS_EXT_MESSAGES);
