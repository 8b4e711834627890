// A role whose answers are as large as the request says: {"size": n} is answered with n bytes.
#include <atlas/plugin.hpp>

namespace {

constexpr std::uint8_t kAsk = 0x98, kAnswer = 0x99;

class Bulk {
 public:
  explicit Bulk(atlas::Setup& setup) { setup.on(kAsk, &Bulk::on_ask); }

 private:
  void on_ask(const atlas::Incoming& request) {
    const auto size = request.map().find("size").u64();
    if (!size || *size > 4'000'000) return static_cast<void>(request.reject("a size up to four million is wanted"));
    const std::vector<std::uint8_t> bytes(*size, 0x5a);
    atlas::msgpack::Writer out;
    out.map(1).text("bytes").bin(bytes);
    static_cast<void>(request.reply(kAnswer, out.bytes()));
  }
};

}  // namespace

ATLAS_PLUGIN(Bulk, "bulk", "1.0.0", "Answers at length.", ATLAS_EXT_MESSAGES);
