// Serves the protocol "example/1" to one peer, whose certificate is known: each of its streams is told "hello".
#include <atlas/plugin.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

class Hellos {
 public:
  explicit Hellos(atlas::Setup& setup) : host_(setup.host()) {
    const atlas::Config& config = setup.config();
    certificate_ = config.text("certificate", "", "File with our certificate, DER.");
    key_ = config.text("key", "", "File with its key, PKCS #8 DER.");
    peer_ = config.text("peer", "", "File with the certificate of the one peer that is served, DER.");
    setup.claim({.alpn = "example/1"}, &Hellos::verify, &Hellos::accepted);
  }

  // Until the credentials are there, nobody is accepted.
  void start() {
    friend_ = read(peer_);
    if (friend_.empty() || !host_.protocols().credentials("example/1", read(certificate_), read(key_))) {
      host_.warn("nobody is served: certificate, key or peer is missing");
    }
  }

 private:
  // TLS has proved that the peer has the key of its certificate. Whether it is somebody for us is ours to say.
  atlas::Verdict verify(const atlas::Presented& presented) {
    if (!std::ranges::equal(presented.certificate(), friend_)) return atlas::Verdict::refuse();
    return atlas::Verdict::accept("friend");  // comes with every event of the connection
  }

  atlas::ConnectionHandler accepted(const atlas::ConnectionEvent&) {
    return {.event = {}, .stream = [this](const atlas::PeerStream& opened) -> atlas::StreamHandler {
              const atlas::Streams streams = host_.streams();
              if (!opened.unidirectional) {
                static_cast<void>(streams.write(opened.stream, "hello\n"));
                static_cast<void>(streams.finish(opened.stream));
              }
              static_cast<void>(streams.stop(opened.stream, 0));  // what the peer says is not wanted
              return [](const atlas::StreamEvent&) {};
            }};
  }

  static std::vector<std::uint8_t> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  atlas::Host& host_;
  std::string certificate_, key_, peer_;
  std::vector<std::uint8_t> friend_;
};

ATLAS_PLUGIN(Hellos, "org.example.protocols", "1.0.0", "Serves a protocol of its own.", ATLAS_EXT_PROTOCOLS,
             ATLAS_EXT_STREAMS);
