// Sends back, on raw streams of type 0xc0, what comes; slowly where the peer reads slowly.
#include <atlas/plugin.hpp>

#include <algorithm>

class StreamEcho {
 public:
  explicit StreamEcho(atlas::Setup& setup) : host_(setup.host()) { setup.accept(0xc0, &StreamEcho::on_opened); }

 private:
  // What one stream is told. It is freed after CLOSED.
  struct Echo {
    atlas::Streams streams;
    std::vector<std::uint8_t> waiting = {};
    bool fin = false;

    void operator()(const atlas::StreamEvent& event) {
      if (event.what == ATLAS_STREAM_DATA) {
        waiting.insert(waiting.end(), event.data.begin(), event.data.end());
        fin = event.fin;
      }
      if (event.what == ATLAS_STREAM_RESET) static_cast<void>(streams.reset(event.stream, event.code));
      if (event.what == ATLAS_STREAM_STOPPED) static_cast<void>(streams.stop(event.stream, event.code));
      if (event.what == ATLAS_STREAM_DATA || event.what == ATLAS_STREAM_WRITABLE) pump(event.stream);
    }

    // Writes what there is room for. Only what was written is credited, so `waiting` never outgrows the window.
    void pump(atlas::Stream stream) {
      while (!waiting.empty()) {
        const atlas::Bytes piece(waiting.data(), std::min<std::size_t>(waiting.size(), 16'384));
        if (!streams.write(stream, piece)) return;  // FULL: WRITABLE follows
        static_cast<void>(streams.credit(stream, piece.size()));
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(piece.size()));
      }
      if (fin) static_cast<void>(streams.finish(stream));
    }
  };

  atlas::StreamHandler on_opened(const atlas::OpenedStream&) { return Echo{host_.streams()}; }

  atlas::Host& host_;
};

ATLAS_PLUGIN(StreamEcho, "org.example.streams", "1.0.0", "Sends back what comes on raw streams.", ATLAS_EXT_STREAMS);
