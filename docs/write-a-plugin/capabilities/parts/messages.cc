// Answers 0xc0 with what the peer itself says when it is asked 0xc2: one exchange inside another.
#include <atlas/plugin.hpp>

class AsksBack {
 public:
  explicit AsksBack(atlas::Setup& setup) : host_(setup.host()) { setup.on(0xc0, &AsksBack::on_request); }

 private:
  void on_request(const atlas::Incoming& request) {
    const auto answered = [reply = request.reply_to](const atlas::Answer& answer) {
      static_cast<void>(answer.ok() ? reply.send(0xc1, answer.body) : reply.reject("you did not answer"));
    };
    static_cast<void>(host_.request(request.from, 0xc2, request.body, atlas::Millis(5000), answered));
  }

  atlas::Host& host_;
};

ATLAS_PLUGIN(AsksBack, "org.example.messages", "1.0.0", "Asks back.", ATLAS_EXT_MESSAGES);
