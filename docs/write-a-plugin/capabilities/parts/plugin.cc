// Throws a die for whoever asks: 0xc0 {} is answered with 0xc1 {"face":1..6}.
#include <atlas/plugin.hpp>

class Dice {
 public:
  explicit Dice(atlas::Setup& setup) : host_(setup.host()) { setup.on(0xc0, &Dice::on_roll); }

 private:
  void on_roll(const atlas::Incoming& request) {
    atlas::msgpack::Writer answer;
    answer.map(1).text("face").integer(1 + host_.random_below(6));
    static_cast<void>(request.reply(0xc1, answer.bytes()));
  }

  atlas::Host& host_;
};

ATLAS_PLUGIN(Dice, "org.example.plugin", "1.0.0", "Throws a die for whoever asks.", ATLAS_EXT_MESSAGES);
