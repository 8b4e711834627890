// Builds a node out of the floors and takes it down again in the right order.
#include "node/node.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "base/log.h"
#include "node/commands.h"
#include "node/listener_view.h"
#include "node/network_port.h"
#include "node/other_protocols.h"
#include "node/public_address.h"
#include "node/restart_notice.h"
#include "node/switchboard.h"

namespace atlas::node {

using base::Level;
using base::log;

namespace {

constexpr std::string_view kAlpn = "atlas/1";
constexpr base::MonoNs kDrain = 500 * base::kMillisecond;

// The same after a restart, so that peers learn of it at the first stateless reset; nobody without the key can make it.
base::ByteArray<32> endpoint_secret(const identity::NodeKey& key) {
  const auto signature = key.sign(base::as_bytes("atlas endpoint secret v1"));
  base::ByteArray<32> secret;
  crypto_generichash(secret.data(), secret.size(), signature.data(), signature.size(), nullptr, 0);
  return secret;
}

session::LimitSettings limits_of(const config::Config& config) {
  session::LimitSettings limits;
  limits.unknown.per_second = config.rate_limit.per_peer_per_second;
  // An operator who allows more in a second allows it at once as well.
  limits.burst = std::max(limits.burst, config.rate_limit.per_peer_per_second);
  limits.unknown.per_minute = config.rate_limit.per_peer_per_minute;
  limits.unknown.payload_per_minute = config.rate_limit.payload_per_minute;
  if (config.security.ban_duration_s) limits.ban_s = *config.security.ban_duration_s;
  return limits;
}

std::unexpected<base::Error> port_taken(const net::SocketAddress& address) {
  return base::fail(base::Fault::kConflict,
                    fmt::format("{}: the address is in use by another process; stop that one (`ss -lunp` shows it), or "
                                "choose another port with --port or network.port",
                                address.text()));
}

class NodeInstance final : public Node {
 public:
  explicit NodeInstance(NodeSetup setup) : setup_(std::move(setup)), node_id_(setup_.key->node_id()) {}
  // Roles that are stopped here still answer and cancel, when the switchboard is gone already.
  ~NodeInstance() override {
    if (port_) port_->close();
  }

  std::vector<config::Problem> load(std::string& error);

  base::Result<void> start() override;
  void begin_stop(std::function<void()> done) override;
  void abandon_roles(std::function<void(const std::vector<std::string>&)> done) override;
  std::vector<net::SocketAddress> listening() const override { return listening_; }
  const std::string& node_id() const override { return node_id_; }
  void handle(const control::Request& request, std::shared_ptr<control::Call> call) override {
    commands_->handle(request, call);
  }
  std::size_t session_count() const override { return table_.size(); }
  const quic::EndpointCounters& endpoint_counters() const override { return endpoint_->counters(); }

 private:
  base::Result<void> open_endpoint();
  base::Result<void> listen();
  void look_at_ourselves();
  void publish_self();
  void publish_listener();
  void warn_of_missing_relay_role() const;
  std::optional<bool> is_behind_nat() const;
  std::string nat_warning() const;
  void warn_of_nat();
  // By a role that was loaded, whether it runs yet or not: "type 0x30: ", "paths: ".
  bool claimed(std::string_view what) const {
    return std::ranges::any_of(host_->claims(), [&](const auto& claim) { return claim.starts_with(what); });
  }
  // Says goodbye to every peer; once.
  void leave(std::function<void()> done);

  NodeSetup setup_;
  const std::string node_id_;
  NodeCounters counters_;
  SessionTable table_;
  // Destroyed from the bottom up: connections first, the database last.
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Deadlines> deadlines_;
  std::unique_ptr<NetworkPort> port_;
  std::unique_ptr<host::Host> host_;
  std::unique_ptr<Switchboard> switchboard_;
  std::unique_ptr<OtherProtocols> others_;
  std::unique_ptr<quic::Endpoint> endpoint_;
  std::unique_ptr<PublicAddress> public_address_;
  std::unique_ptr<RestartNotice> notice_;
  std::unique_ptr<Commands> commands_;
  std::vector<net::SocketAddress> listening_;
  bool warned_of_nat_ = false;
  bool left_ = false;
};

std::vector<config::Problem> NodeInstance::load(std::string& error) {
  const Environment& env = setup_.environment;
  auto problems = config::role_problems(setup_.config);
  auto opened = store::Store::open({.file = setup_.database,
                                    .limits = {.max_peers = setup_.config.store.max_peers},
                                    .executor = env.writer,
                                    .clock = env.clock});
  if (!opened) {
    error = opened.error().text;
    return problems;
  }
  store_ = std::move(*opened);
  port_ = std::make_unique<NetworkPort>(*env.loop, table_, *store_, counters_);
  host::HostSetup host_setup;
  host_setup.mode = setup_.mode == Mode::kDaemon ? host::Mode::kDaemon : host::Mode::kClient;
  host_setup.version = setup_.version;
  host_setup.config = &setup_.config;
  for (const auto& dir : setup_.config.plugins.search) host_setup.search.emplace_back(dir);
  for (const auto& dir : setup_.plugin_dirs) host_setup.search.push_back(dir);
  host_setup.left_out = setup_.left_out;
  host_setup.network = port_.get();
  host_setup.store = store_.get();
  host_setup.loop = env.loop;
  host_setup.clock = env.clock;
  host_setup.key = setup_.key.get();
  host_setup.random = env.random;
  host_setup.executor = env.strands;
  host_setup.watch_strands = env.watch_strands;
  host_setup.on_fault = [this](const std::string& role, const std::string& reason, bool stop_node) {
    if (stop_node && setup_.on_fatal) setup_.on_fatal(role, reason);
  };
  host_ = std::make_unique<host::Host>(std::move(host_setup));
  for (const auto* descriptor : setup_.linked) host_->add_linked(descriptor);
  for (auto& problem : host_->load(setup_.config.roles())) problems.push_back(std::move(problem));
  return problems;
}

// From outside, as others see us.
void NodeInstance::look_at_ourselves() {
  const Environment& env = setup_.environment;
  public_address_ = std::make_unique<PublicAddress>(PublicAddress::Setup{
      .loop = env.loop,
      .random = env.random,
      .servers = setup_.config.stun.servers,
      .send = [this](const auto& to, base::ByteView datagram) { endpoint_->send_datagram(to, datagram); },
      .publish =
          [this](const std::string& address) {
            auto self = port_->self();
            self.record.public_address = address;
            port_->set_self(std::move(self));
            publish_listener();
          },
      .changed =
          [this] {
            warn_of_nat();
            publish_listener();
          }});
}

base::Result<void> NodeInstance::open_endpoint() {
  const Environment& env = setup_.environment;
  const config::Config& config = setup_.config;
  deadlines_ = std::make_unique<Deadlines>(*env.loop);

  Switchboard::Setup setup;
  setup.deadlines = deadlines_.get();
  setup.clock = env.clock;
  setup.random = env.random;
  setup.store = store_.get();
  setup.table = &table_;
  setup.counters = &counters_;
  setup.self.key = setup_.key.get();
  setup.self.name = config.identity.name;
  setup.self.skills = config.identity.skills;
  setup.self.agent_version = "atlas/" + setup_.version;
  setup.limits = limits_of(config);
  setup.max_clock_drift_s = config.security.max_clock_drift_s;
  setup.max_streams = config.transport.max_streams_per_conn;
  setup.exchange_timeout = base::saturating_mul<base::MonoNs>(config.transport.exchange_timeout_s, base::kSecond);
  setup.bootstrap = config.network.bootstrap;
  setup.relays = config.network.relays;
  if (claimed("paths: ")) setup.self.features.emplace_back(kRoutesFeature);
  setup.on_observed = [this](const std::string& by, const std::string& address, PublicAddress::Seen seen) {
    public_address_->on_observed(by, address, seen);
  };
  setup.obstacles = [this] {
    return Obstacles{.symmetric = public_address_->mapping(net::Family::kV4) == net::Mapping::kDependent,
                     .udp = public_address_->stun_is_silent()};
  };
  look_at_ourselves();
  switchboard_ = std::make_unique<Switchboard>(std::move(setup));
  switchboard_->bans().load(store_->bans(), env.clock->unix_s());

  auto made = quic::Endpoint::make({.loop = env.loop,
                                    .random = env.random,
                                    .limits = {.max_connections = config.transport.max_connections,
                                               .max_half_open = config.security.handshake_limit,
                                               .forward_poll = config.transport.relay_poll_us * base::kMicrosecond},
                                    .secret = endpoint_secret(*setup_.key),
                                    .accept_filter = {},
                                    .on_stun = [this](const auto& from, base::ByteView datagram) {
                                      if (!public_address_->on_datagram(from, datagram)) switchboard_->on_opening(from);
                                    }});
  if (!made) return std::unexpected(made.error());
  endpoint_ = std::move(*made);
  const quic::Protocol protocol{
      .alpn = std::string(kAlpn),
      .key = setup_.key.get(),
      .events = switchboard_.get(),
      .max_streams = config.transport.max_streams_per_conn,
      .idle_timeout = base::saturating_mul<base::MonoNs>(config.transport.idle_timeout_s, base::kSecond)};
  if (auto added = endpoint_->add_protocol(protocol); !added) return added;
  switchboard_->attach(*endpoint_, *host_);
  others_ = std::make_unique<OtherProtocols>(OtherProtocols::Setup{
      .deadlines = deadlines_.get(), .host = host_.get(), .index = &switchboard_->stream_index(), .served = [this] {
        publish_listener();
      }});
  if (auto begun = others_->begin(*endpoint_); !begun) return begun;
  port_->attach(*switchboard_, *others_);
  return {};
}

base::Result<void> NodeInstance::listen() {
  const auto& network = setup_.config.network;
  std::uint16_t port = network.port;
  for (const auto& bind : network.bind) {
    const auto ip = net::IpAddress::parse(bind);
    if (!ip) return base::fail(base::Fault::kConfig, "network.bind: " + bind + " is not an IP address");
    const auto bound = endpoint_->listen({*ip, port});
    if (!bound) {
      // A machine without IPv6 still serves IPv4 on the default binding.
      const bool optional = network.bind.size() > 1 && !ip->is_v4() && ip->scope() == net::Scope::kUnspecified;
      if (bound.error().fault == base::Fault::kConflict) return port_taken({*ip, port});
      if (!optional || listening_.empty()) return std::unexpected(bound.error());
      log(Level::kWarn, "node", "IPv6 is off: {}", bound.error().text);
      continue;
    }
    if (port == 0) port = bound->port;  // both families share the one that the kernel chose
    listening_.push_back(*bound);
  }
  return {};
}

void NodeInstance::publish_self() {
  host::LivePeer self = port_->self();
  self.record.node_id = node_id_;
  self.record.name = setup_.config.identity.name;
  self.record.skills = setup_.config.identity.skills;
  self.record.relays = setup_.config.network.relays;
  if (!listening_.empty()) self.record.address = listening_.front().text();
  port_->set_self(std::move(self));
}

// Both families listen on one port: what is said of IPv4 holds for the address that is published.
void NodeInstance::publish_listener() {
  const auto view = listener_view(listening_, endpoint_->served(), port_->self().record.public_address.value_or(""),
                                  public_address_->mapping(net::Family::kV4), is_behind_nat());
  if (port_->set_listener(view)) host_->listener_changed();
}

// A switch that nothing is connected to.
void NodeInstance::warn_of_missing_relay_role() const {
  const auto& transport = setup_.config.transport;
  const auto warn = [this](const char* key, const char* what) {
    log(Level::kWarn, "node", "{}", config::problem_at(setup_.config, key, what).to_string());
  };
  if (transport.offer_relay && !claimed("type 0x30: ")) {
    warn("transport.offer_relay", "is set, but no relay role is enabled: nothing is relayed");
  }
  if (transport.enable_relay && !claimed("paths: ")) {
    warn("transport.enable_relay", "is set, but no enabled role uses relays; add \"relay\" to plugins.enabled");
  }
}

std::optional<bool> NodeInstance::is_behind_nat() const {
  const auto& own = setup_.environment.own_addresses;
  return behind_nat(public_address_->seen_at(), listening_, own ? own() : std::vector<net::IpAddress>());
}

// Agents behind other NATs find a relay at an address that does not change and lets everybody in.
std::string NodeInstance::nat_warning() const {
  if (!setup_.config.transport.offer_relay || is_behind_nat() != true) return {};
  return fmt::format(
      "transport.offer_relay is set, but this node is behind a NAT, and others see it at {}: it is of use as a relay "
      "only if the router passes UDP port {} on to it",
      public_address_->seen_at().front().text(), listening_.empty() ? 0 : listening_.front().port);
}

void NodeInstance::warn_of_nat() {
  if (warned_of_nat_) return;
  const std::string warning = nat_warning();
  if (warning.empty()) return;
  warned_of_nat_ = true;
  log(Level::kWarn, "node", "{}", warning);
}

base::Result<void> NodeInstance::start() {
  if (auto opened = open_endpoint(); !opened) return opened;
  if (setup_.mode == Mode::kDaemon) {
    auto lost = store_->sessions();
    store_->clear_sessions();
    if (auto bound = listen(); !bound) return bound;
    public_address_->start();
    notice_ = std::make_unique<RestartNotice>(*endpoint_, *deadlines_, std::move(lost),
                                              [this](std::string_view node_id) { return table_.find(node_id) != 0; });
    warn_of_missing_relay_role();
  }
  publish_self();
  publish_listener();
  commands_ = std::make_unique<Commands>(Commands::Setup{.node_id = node_id_,
                                                         .version = setup_.version,
                                                         .host = host_.get(),
                                                         .port = port_.get(),
                                                         .store = store_.get(),
                                                         .counters = &counters_,
                                                         .clock = setup_.environment.clock,
                                                         .loop = setup_.environment.loop,
                                                         .public_address = public_address_.get(),
                                                         .paths = [this] { return switchboard_->paths(); },
                                                         .behind_nat = [this] { return is_behind_nat(); },
                                                         .nat_warning = [this] { return nat_warning(); },
                                                         .listening = [this] { return listening_; },
                                                         .endpoint_counters = [this] { return endpoint_->counters(); },
                                                         .udp_counters = [this] { return endpoint_->udp_counters(); }});
  host_->begin_start([this] {
    if (setup_.on_started) setup_.on_started();
  });
  return {};
}

void NodeInstance::begin_stop(std::function<void()> done) {
  const Environment& env = setup_.environment;
  if (endpoint_) endpoint_->stop_accepting();
  host_->begin_drain(base::after(env.clock->mono_ns(), kDrain), [this, &env, done = std::move(done)]() mutable {
    host_->begin_stop([this, &env, done = std::move(done)]() mutable {
      // The last strand may have ended on any thread; the rest belongs to the loop's.
      env.loop->post([this, done = std::move(done)]() mutable { leave(std::move(done)); });
    });
  });
}

void NodeInstance::leave(std::function<void()> done) {
  if (std::exchange(left_, true)) return;
  if (!switchboard_) return done();
  switchboard_->stop([this, done = std::move(done)] {
    port_->close();
    done();
  });
}

void NodeInstance::abandon_roles(std::function<void(const std::vector<std::string>&)> done) {
  auto end = [this, stuck = host_->unstopped(), done = std::move(done)] {
    store_->flush();
    done(stuck);
  };
  if (left_) return end();  // it is the goodbyes that take so long
  leave(std::move(end));
}

}  // namespace

Node::Made Node::make(NodeSetup setup) {
  Made made;
  auto node = std::make_unique<NodeInstance>(std::move(setup));
  made.problems = node->load(made.error);
  if (made.problems.empty() && made.error.empty()) made.node = std::move(node);
  return made;
}

}  // namespace atlas::node
