#include "bench/stream_pairs.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/clock.h"

namespace atlas::bench {
namespace {

// Syncthing's relay protocol, version 1: a header of three words and the fields in XDR (RFC 4506).
constexpr std::uint32_t kMagic = 0x9e79bc40;
constexpr std::uint32_t kPing = 0, kPong = 1, kJoinRelay = 2, kJoinSession = 3, kResponse = 4, kConnect = 5,
                        kInvitation = 6;
constexpr std::size_t kHeader = 12, kMostMessage = 1024, kIdSize = 32;
constexpr const char* kAlpn = "bep-relay";
constexpr int kPatienceMs = 5000, kTries = 5;

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::runtime_error(what + ": " + std::strerror(error));
}

void check(int code, const char* what) {
  if (code < 0) throw std::runtime_error(std::string(what) + ": " + gnutls_strerror(code));
}

void put_u32(base::Bytes& out, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint32_t u32_at(base::ByteView bytes, std::size_t at) {
  if (at + 4 > bytes.size()) throw std::runtime_error("a message of the relay is too short");
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out = out << 8 | bytes[at + i];
  return out;
}

// Bytes with their length before them, from `at` on, which moves behind them.
base::Bytes opaque_at(base::ByteView bytes, std::size_t& at) {
  const std::size_t size = u32_at(bytes, at);
  at += 4;
  if (size > bytes.size() || at + size > bytes.size()) throw std::runtime_error("a message of the relay is cut off");
  base::Bytes out(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
  at += (size + 3) / 4 * 4;
  return out;
}

base::Bytes message(std::uint32_t type, const base::Bytes& opaque = {}) {
  base::Bytes out;
  put_u32(out, kMagic);
  put_u32(out, type);
  put_u32(out, opaque.empty() ? 0 : 4 + (opaque.size() + 3) / 4 * 4);
  if (opaque.empty()) return out;
  put_u32(out, opaque.size());
  out.insert(out.end(), opaque.begin(), opaque.end());
  out.resize((out.size() + 3) / 4 * 4);
  return out;
}

struct Message {
  std::uint32_t type = 0;
  base::Bytes body;
};

// `read` fills what it is given or throws.
template <class Read>
Message read_message(const Read& read) {
  base::Bytes header(kHeader);
  read(base::MutableBytes(header));
  const std::size_t size = u32_at(header, 8);
  if (u32_at(header, 0) != kMagic || size > kMostMessage) throw std::runtime_error("this is not Syncthing's relay");
  Message out{u32_at(header, 4), base::Bytes(size)};
  read(base::MutableBytes(out.body));
  return out;
}

bool is_success(const Message& answer) {
  return answer.type == kResponse && u32_at(answer.body, 0) == 0;
}

void read_all(int fd, base::MutableBytes out) {
  const auto got = out.empty() ? 0 : ::recv(fd, out.data(), out.size(), MSG_WAITALL);
  if (got != static_cast<ssize_t>(out.size())) fail("the relay does not answer", got < 0 ? errno : ECONNRESET);
}

net::Descriptor stream() {
  net::Descriptor out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (out.get() < 0) fail("socket", errno);
  return out;
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

net::Descriptor join_session(const net::SocketAddress& server, const base::Bytes& key) {
  net::Descriptor out = connect_stream(server);
  set_waiting(out.get(), kPatienceMs);
  const base::Bytes join = message(kJoinSession, key);
  if (::send(out.get(), join.data(), join.size(), MSG_NOSIGNAL) < 0) fail("send", errno);
  return out;
}

}  // namespace

net::Descriptor connect_stream(const net::SocketAddress& to) {
  net::Descriptor out = stream();
  sockaddr_storage address{};
  const socklen_t length = to.to(address);
  if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) fail("connect", errno);
  set_no_delay(out.get());
  return out;
}

std::pair<net::Descriptor, net::Descriptor> direct_streams(const net::IpAddress& loopback) {
  const net::Descriptor listener = stream();
  sockaddr_storage address{};
  socklen_t length = net::SocketAddress{loopback, 0}.to(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), raw, length) != 0 || ::listen(listener.get(), 1) != 0) fail("listen", errno);
  length = sizeof address;
  if (::getsockname(listener.get(), raw, &length) != 0) fail("name", errno);
  net::Descriptor near = connect_stream(*net::SocketAddress::from(raw, length));
  net::Descriptor far(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (far.get() < 0) fail("accept", errno);
  set_no_delay(far.get());
  return {std::move(near), std::move(far)};
}

void set_waiting(int fd, int receive_ms) {
  const timeval most{receive_ms / 1000, (receive_ms % 1000) * 1000};
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
}

void set_not_waiting(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// One device: its certificate, whose hash is its id, and its connection with the relay.
class StreamPairs::Device {
 public:
  explicit Device(const net::SocketAddress& server) : stream_(connect_stream(server)) {
    set_waiting(stream_.get(), kPatienceMs);
    make_certificate();
    check(gnutls_init(&session_, GNUTLS_CLIENT), "TLS");
    gnutls_set_default_priority(session_);
    gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_);
    gnutls_datum_t alpn{reinterpret_cast<unsigned char*>(const_cast<char*>(kAlpn)),
                        static_cast<unsigned>(std::strlen(kAlpn))};
    gnutls_alpn_set_protocols(session_, &alpn, 1, 0);
    gnutls_transport_set_int(session_, stream_.get());
    int code;
    do {
      code = gnutls_handshake(session_);
    } while (code < 0 && gnutls_error_is_fatal(code) == 0 && code != GNUTLS_E_AGAIN);
    check(code, "TLS handshake with the relay");
  }
  ~Device() {
    gnutls_deinit(session_);
    gnutls_certificate_free_credentials(credentials_);
    gnutls_x509_crt_deinit(certificate_);
    gnutls_x509_privkey_deinit(key_);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const base::Bytes& id() const { return id_; }
  void send(const base::Bytes& bytes) {
    if (gnutls_record_send(session_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("the relay reads nothing");
    }
  }
  // The next message that is not a ping.
  Message read() {
    for (;;) {
      Message got = read_message([this](base::MutableBytes out) { fill(out); });
      if (got.type != kPing) return got;
      send(message(kPong));
    }
  }
  // The key of the session that the relay invites to.
  base::Bytes read_invitation() {
    const Message got = read();
    if (got.type != kInvitation) throw std::runtime_error("the relay invites nobody");
    std::size_t at = 0;
    opaque_at(got.body, at);  // from whom
    return opaque_at(got.body, at);
  }

 private:
  void fill(base::MutableBytes out) {
    while (!out.empty()) {
      const auto got = gnutls_record_recv(session_, out.data(), out.size());
      if (got == GNUTLS_E_INTERRUPTED) continue;
      if (got <= 0) throw std::runtime_error("the relay does not answer");
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  void make_certificate() {
    check(gnutls_x509_privkey_init(&key_), "key");
    check(gnutls_x509_privkey_generate(key_, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
          "key");
    check(gnutls_x509_crt_init(&certificate_), "certificate");
    const unsigned char serial = 1;
    const auto now = static_cast<time_t>(base::SystemClock().unix_s());
    gnutls_x509_crt_set_version(certificate_, 3);
    gnutls_x509_crt_set_serial(certificate_, &serial, 1);
    gnutls_x509_crt_set_activation_time(certificate_, now - 3600);
    gnutls_x509_crt_set_expiration_time(certificate_, now + 86'400);
    gnutls_x509_crt_set_dn(certificate_, "CN=syncthing", nullptr);
    gnutls_x509_crt_set_key(certificate_, key_);
    check(gnutls_x509_crt_sign2(certificate_, certificate_, key_, GNUTLS_DIG_SHA256, 0), "certificate");
    gnutls_datum_t der{};
    check(gnutls_x509_crt_export2(certificate_, GNUTLS_X509_FMT_DER, &der), "certificate");
    id_.resize(kIdSize);
    const int hashed = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, id_.data());
    gnutls_free(der.data);
    check(hashed, "certificate");
    check(gnutls_certificate_allocate_credentials(&credentials_), "credentials");
    check(gnutls_certificate_set_x509_key(credentials_, &certificate_, 1, key_), "credentials");
  }

  net::Descriptor stream_;
  gnutls_session_t session_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
  gnutls_x509_crt_t certificate_ = nullptr;
  gnutls_x509_privkey_t key_ = nullptr;
  base::Bytes id_;
};

// The server takes an end of a session only while it waits for one, and turns away one that is faster than that: then
// the two meet anew.
StreamPairs::Pair StreamPairs::meet(const net::SocketAddress& server, Device& target) {
  for (int i = 0; i < kTries; ++i) {
    Device source(server);
    source.send(message(kConnect, target.id()));
    const base::Bytes source_key = source.read_invitation(), target_key = target.read_invitation();
    Pair pair{join_session(server, source_key), join_session(server, target_key)};
    const auto joined = [](const net::Descriptor& end) {
      return is_success(read_message([&](base::MutableBytes out) { read_all(end.get(), out); }));
    };
    if (joined(pair.source) && joined(pair.target)) return pair;
  }
  throw std::runtime_error("the relay lets nobody into the session that it invited to");
}

StreamPairs::StreamPairs(const net::SocketAddress& server, std::size_t pairs) {
  for (std::size_t i = 0; i < pairs; ++i) {
    auto target = std::make_unique<Device>(server);
    target->send(message(kJoinRelay));
    if (!is_success(target->read())) throw std::runtime_error("the relay does not take a device");
    pairs_.push_back(meet(server, *target));
    targets_.push_back(std::move(target));
  }
}

StreamPairs::~StreamPairs() = default;

}  // namespace atlas::bench
