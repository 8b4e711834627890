// Answers 0xc0 with its signature under what it was sent: {"signature": 64 bytes}; and 0xc2 {"signature","body"} with
// 0xc3 {"good"}: whether that is the asker's signature under that body.
#include <atlas/plugin.hpp>

#include <algorithm>

class Receipts {
 public:
  explicit Receipts(atlas::Setup& setup) : host_(setup.host()) {
    setup.on(0xc0, &Receipts::on_request).on(0xc2, &Receipts::on_receipt);
  }

 private:
  // What these signatures are for, and nothing else.
  static constexpr std::string_view kReceipt = "receipt";

  void on_request(const atlas::Incoming& request) {
    const auto signature = host_.identity().sign(kReceipt, request.body);
    if (!signature) return static_cast<void>(request.reject("cannot sign now"));
    atlas::msgpack::Writer answer;
    answer.map(1).text("signature").bin(*signature);
    static_cast<void>(request.reply(0xc1, answer.bytes()));
  }

  atlas::Status on_receipt(const atlas::Incoming& request) {
    std::vector<std::uint8_t> given, body;
    if (!request.map().find("signature").bytes(given, 64) || given.size() != 64 ||
        !request.map().find("body").bytes(body, 1 << 20)) {
      return request.reject("signature or body is missing");
    }
    atlas::Signature signature;
    std::copy(given.begin(), given.end(), signature.begin());
    const auto key = host_.identity().key_of(request.from);
    const bool good = key && host_.identity().verify(*key, kReceipt, body, signature);
    atlas::msgpack::Writer answer;
    answer.map(1).text("good").boolean(good);
    return request.reply(0xc3, answer.bytes());
  }

  atlas::Host& host_;
};

ATLAS_PLUGIN(Receipts, "org.example.identity", "1.0.0", "Signs what it is sent.", ATLAS_EXT_IDENTITY,
             ATLAS_EXT_MESSAGES);
