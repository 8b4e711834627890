// atlas/cpp/protocols.hpp - another protocol on the node's port: an ALPN that Setup::claim() takes, with a certificate
// of its own; dial others with it here, and hear of those who come.
//
// Threads: on the role's strand, but close() on any. A ConnectionHandler is freed after DOWN, which comes exactly once
// for each connection that was accepted or dialled; a StreamHandler after CLOSED. What they get is borrowed.
#pragma once

#include <algorithm>

#include "connections.hpp"
#include "streams.hpp"

namespace atlas {

struct Protocol {
  std::string_view alpn;           // 1 to 31 bytes, not "atlas/..."
  bool accepts = true;             // else it only dials
  bool client_certificate = true;  // a dialler must show one; else it may
  // 0 is the default that ext/protocols.h names.
  std::uint32_t max_connections = 0, max_streams = 0, max_unidirectional = 0;
  Millis idle{0}, handshake{0};
  std::uint64_t stream_window = 0, connection_window = 0;
};

// What a peer shows. TLS has proved that it has the key of the first certificate, and nothing else.
struct Presented {
  Connection connection;
  bool dialled;
  std::string_view remote;  // "ip:port"
  std::span<const atlas_bytes> chain;

  // The peer's own, in DER; empty when it showed none.
  Bytes certificate() const { return chain.empty() ? Bytes() : view(chain.front()); }
};

// Whether it is somebody for this role, and who.
class [[nodiscard]] Verdict {
 public:
  // With an identity of at most 64 bytes, which comes with every event of the connection; a longer one refuses.
  static Verdict accept(ByteArg identity) {
    Verdict out(identity.bytes.size() <= sizeof out.c_.identity ? ATLAS_OK : ATLAS_E_ARG);
    if (out.status_ < 0) return out;
    out.c_.identity_size = static_cast<std::uint32_t>(identity.bytes.size());
    std::copy(identity.bytes.begin(), identity.bytes.end(), out.c_.identity);
    return out;
  }
  static Verdict refuse() { return Verdict(ATLAS_E_DENIED); }

  // Into what the host gave, as far as it knows the fields.
  atlas_status put(atlas_verdict* out) const {
    if (status_ >= 0 && ATLAS_HAS(out, atlas_verdict, identity)) {
      out->identity_size = c_.identity_size;
      std::copy_n(c_.identity, c_.identity_size, out->identity);
    }
    return status_;
  }

 private:
  explicit Verdict(atlas_status status) : status_(status) {}
  atlas_status status_;
  atlas_verdict c_{};
};

namespace detail {

inline constexpr std::size_t kMaxProtocols = 7;  // of one node

}  // namespace detail

class Protocols {
 public:
  struct Dialled {
    Status status;
    Connection connection = 0;
  };
  explicit Protocols(Host& host) : host_(host), table_(host.table<atlas_ext_protocols>(ATLAS_EXT_PROTOCOLS)) {}

  // The chain, own certificate first, and its key (PKCS #8), all in DER. Until then nobody is accepted or dialled.
  Status credentials(std::string_view alpn, std::span<const Bytes> chain, Bytes key) const {
    std::vector<atlas_bytes> c_chain;
    for (const Bytes& one : chain) c_chain.push_back(c_bytes(one));
    return {ATLAS_CALL(table_, atlas_ext_protocols, credentials, host_.c(), c_text(alpn), c_chain.data(),
                       c_chain.size(), c_bytes(key))};
  }
  Status credentials(std::string_view alpn, Bytes certificate, Bytes key) const {
    return credentials(alpn, std::span<const Bytes>(&certificate, 1), key);
  }
  // remote is "ip:port"; server_name may be empty; timeout 1 ms .. 60 s. The handler hears of UP or DOWN when the
  // status is OK, and only then.
  Dialled dial(std::string_view alpn, std::string_view remote, std::string_view server_name, Millis timeout,
               ConnectionHandler handler) const {
    const auto limit = static_cast<std::uint32_t>(std::clamp<Millis::rep>(timeout.count(), 1, 60'000));
    Dialled out;
    out.status = {ATLAS_CALL(table_, atlas_ext_protocols, dial, host_.c(), c_text(alpn), c_text(remote),
                             c_text(server_name), limit, nullptr, &out.connection)};
    if (out.status.ok()) host_.connections_[out.connection] = std::move(handler);
    return out;
  }
  // What was written is not waited for.
  Status close(Connection connection, std::uint64_t code, std::string_view reason) const {
    return {ATLAS_CALL(table_, atlas_ext_protocols, close, host_.c(), connection, code, c_text(reason))};
  }
  // As Streams::open(). STATE before UP; FULL: as many as the peer allows are open.
  Streams::Opened open(Connection connection, StreamHandler handler, bool unidirectional = false) const {
    return host_.streams().begin(std::move(handler), [&](void* arg, atlas_stream* out) {
      return ATLAS_CALL(table_, atlas_ext_protocols, open, host_.c(), connection, unidirectional ? 1u : 0u, arg, out);
    });
  }

  // For Setup: an event of the host. `accepted` makes the handler of a connection that was not dialled.
  template <class Accepted>
  void tell(const atlas_connection_event& c, Accepted&& accepted) const {
    const ConnectionEvent event{c.what,         c.connection, view(c.identity), view(c.remote),
                                c.dialled != 0, c.why,        c.code,           view(c.reason)};
    if (event.what == ATLAS_CONNECTION_STREAM) return give(c, event);
    auto& all = host_.connections_;
    if (event.is_down()) {
      auto ended = all.extract(event.connection);  // whatever the handler does, it goes
      if (!ended.empty() && ended.mapped().event) ended.mapped().event(event);
      return;
    }
    if (event.is_up() && !event.dialled) {
      // Nobody is there for it when this throws.
      const Abandon unless{*this, event.connection};
      all[event.connection] = accepted(event);
    }
    const auto found = all.find(event.connection);
    if (found != all.end() && found->second.event) found->second.event(event);
  }

 private:
  // Closes a connection that an exception leaves without a handler.
  struct Abandon {
    const Protocols& protocols;
    const Connection connection;
    const int exceptions = std::uncaught_exceptions();
    ~Abandon() {
      if (std::uncaught_exceptions() > exceptions) static_cast<void>(protocols.close(connection, 0, "internal error"));
    }
  };

  void give(const atlas_connection_event& c, const ConnectionEvent& event) const {
    const Streams streams = host_.streams();
    const auto found = host_.connections_.find(event.connection);
    Status taken{ATLAS_E_DENIED};
    if (found != host_.connections_.end() && found->second.stream) {
      taken = {host_.guarded("a new stream", [&] {
        const PeerStream stream{event.connection, c.stream, c.unidirectional != 0, event.identity};
        return streams.take(c.stream, found->second.stream(stream));
      })};
    }
    if (taken) return;
    static_cast<void>(streams.stop(c.stream, 0));
    if (c.unidirectional == 0) static_cast<void>(streams.reset(c.stream, 0));
  }

  Host& host_;
  const atlas_ext_protocols* table_;
};

inline Protocols Host::protocols() {
  return Protocols(*this);
}

}  // namespace atlas
