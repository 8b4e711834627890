#include "node/commands.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "atlas/address.hpp"
#include "atlas/ext/cli.h"
#include "control/exit_code.h"
#include "host/status.h"

namespace atlas::node {

using nlohmann::json;

namespace {

json optional_text(const std::optional<std::string>& value) {
  return value ? json(*value) : json(nullptr);
}

// The field names of the wire protocol's PeerRecord, and what the database knows besides.
json to_json(const wire::PeerRecord& record, bool connected) {
  return {{"node_id", record.node_id},
          {"address", record.address},
          {"public_address", optional_text(record.public_address)},
          {"name", record.name},
          {"skills", record.skills},
          {"operator_username", optional_text(record.operator_username)},
          {"trust_level", wire::to_text(record.trust)},
          {"last_seen", record.last_seen},
          {"relays", record.relays},
          {"last_failure", record.last_failure ? json(wire::to_text(*record.last_failure)) : json(nullptr)},
          {"ban_until", record.ban_until ? json(*record.ban_until) : json(nullptr)},
          {"connected", connected}};
}

json to_json(const quic::EndpointCounters& quic) {
  return {{"open", quic.connections},
          {"half_open", quic.half_open},
          {"accepted", quic.accepted},
          {"dialled", quic.dialled},
          {"closed", quic.closed},
          {"retry_sent", quic.retry_sent},
          {"token_refused", quic.token_refused},
          {"version_negotiation_sent", quic.version_negotiation_sent},
          {"stateless_reset_sent", quic.stateless_reset_sent},
          {"refused_full", quic.refused_full},
          {"refused_half_open", quic.refused_half_open},
          {"refused_by_filter", quic.refused_by_filter},
          {"refused_protocol", quic.refused_protocol},
          {"dropped_small_initial", quic.dropped_small_initial},
          {"dropped_unknown_id", quic.dropped_unknown_id},
          {"dropped_malformed", quic.dropped_malformed},
          {"guarded_frames", quic.guarded_frames},
          {"stripped_datagrams", quic.stripped_datagrams}};
}

json to_json(const store::StoreCounters& store) {
  return {{"queued", store.queued},
          {"writes", store.writes},
          {"commits", store.commits},
          {"failed", store.failed},
          {"failed_reads", store.failed_reads},
          {"refused_full", store.refused_full},
          {"refused_quota", store.refused_quota},
          {"refused_row", store.refused_row},
          {"evicted_peers", store.evicted_peers}};
}

json to_json(const net::UdpCounters& udp) {
  return {{"received_bytes", udp.received_bytes},
          {"sent_bytes", udp.sent_bytes},
          {"received_datagrams", udp.received_datagrams},
          {"sent_datagrams", udp.sent_datagrams},
          {"receive_errors", udp.receive_errors},
          {"blocked", udp.blocked},
          {"oversize", udp.oversize},
          {"failed", udp.failed}};
}

// nlohmann refuses broken UTF-8 by throwing; what is in the database was checked on its way in, but a file can be
// edited.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string argument(const control::Request& request, const std::string& name) {
  const auto found = request.args.find(name);
  return found == request.args.end() ? std::string() : found->second;
}

std::string_view to_text(net::Mapping mapping) {
  switch (mapping) {
    case net::Mapping::kUnknown:
      return "unknown";
    case net::Mapping::kSame:
      return "same";
    case net::Mapping::kDependent:
      return "dependent";
  }
  return "unknown";
}

json nat_of(const PublicAddress& address, std::optional<bool> behind, const std::string& warning) {
  json asked = json::array();
  for (const auto& result : address.stun().results()) {
    asked.push_back({{"server", result.server.text()},
                     {"mapped", result.mapped ? json(result.mapped->text()) : json(nullptr)},
                     {"failure", result.failure.empty() ? json(nullptr) : json(result.failure)}});
  }
  return {{"behind_nat", behind ? json(*behind) : json(nullptr)},
          {"mapping_v4", to_text(address.mapping(net::Family::kV4))},
          {"mapping_v6", to_text(address.mapping(net::Family::kV6))},
          {"warning", warning.empty() ? json(nullptr) : json(warning)},
          {"stun", asked}};
}

// False for what is none; then the command has ended.
bool is_target(const std::string& text, control::Call& call) {
  const std::string why = why_no_target(text);
  if (!why.empty()) call.finish(control::kUsage, why);
  return why.empty();
}

double to_ms(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1000.0;
}

// A role's output on its way to the person.
class RoleOutput final : public host::CommandOutput {
 public:
  explicit RoleOutput(std::shared_ptr<control::Call> call) : call_(std::move(call)) {}
  void row(std::string_view value) override { call_->row(value); }
  void progress(std::string_view text) override { call_->progress(text); }
  void result(std::string_view value) override { call_->result(value); }
  void finish(std::int32_t status, std::string_view error) override {
    call_->finish(status == ATLAS_OK ? control::kOk : control::exit_code_of(host::fault_of(status)), error);
  }

 private:
  std::shared_ptr<control::Call> call_;
};

host::Command command(std::string path, std::string summary, std::string display, std::uint32_t where,
                      std::vector<host::CommandArg> args) {
  host::Command out;
  out.path = std::move(path);
  out.plugin = "core";
  out.summary = std::move(summary);
  out.display = std::move(display);
  out.where = where;
  out.args = std::move(args);
  return out;
}

}  // namespace

std::vector<host::Command> core_commands() {
  constexpr std::uint32_t kAnywhere = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT;
  const host::CommandArg target{"target", ATLAS_ARG_TEXT, true, "ip:port, [ipv6]:port or a node id"};
  return {
      command("status", "What this node is and does", "", ATLAS_CLI_DAEMON, {}),
      command("peers", "The peers that this node knows",
              "node_id:id=NODE, name=NAME, address=ADDRESS, trust_level=TRUST, connected=LIVE, last_seen:ago=SEEN",
              kAnywhere, {}),
      command("connect", "Connect to a peer and keep the session",
              "node_id, name, address, path, trust_level, rtt_ms:ms=round trip", kAnywhere, {target}),
      command("disconnect", "End the session with a peer", "node_id, disconnected", ATLAS_CLI_DAEMON, {target}),
  };
}

Commands::Commands(Setup setup) : setup_(std::move(setup)), started_(setup_.clock->mono_ns()) {}

void Commands::handle(const control::Request& request, const std::shared_ptr<control::Call>& call) {
  if (request.path == "status") return status(call);
  if (request.path == "peers") return peers(request, call);
  if (request.path == "connect") return connect(request, call);
  if (request.path == "disconnect") return disconnect(request, call);
  if (request.path == "plugins") return plugins(call);
  if (request.path == "commands") return list_commands(call);

  const std::uint64_t token = setup_.host->run_command(request.path, request.args, std::make_shared<RoleOutput>(call));
  if (token == 0) {
    call->finish(control::kUsage, "no loaded role offers the command `" + request.path + "`");
    return;
  }
  call->on_gone([host = setup_.host, token] { host->cancel_command(token); });
}

void Commands::status(const std::shared_ptr<control::Call>& call) {
  setup_.loop->post([this, call] {
    json out;
    out["node_id"] = setup_.node_id;
    out["version"] = setup_.version;
    json listen = json::array();
    for (const auto& address : setup_.listening()) listen.push_back(address.text());
    out["listen"] = listen;
    out["public_address"] = optional_text(setup_.port->self().record.public_address);
    out["nat"] = nat_of(*setup_.public_address, setup_.behind_nat(), setup_.nat_warning());
    json paths = json::array();
    for (const auto& row : setup_.paths()) {
      const json reason = row.reason.empty() ? json(nullptr) : json(row.reason);
      paths.push_back({{"node_id", row.node_id}, {"path", row.text}, {"reason", reason}});
    }
    out["paths"] = paths;
    out["uptime_s"] = (setup_.clock->mono_ns() - started_) / base::kSecond;
    out["sessions"] = setup_.port->peers().size();
    json plugins = json::array();
    for (const auto& row : setup_.host->plugins()) {
      plugins.push_back({{"id", row.id}, {"version", row.version}, {"state", row.state}, {"reason", row.reason}});
    }
    out["plugins"] = plugins;
    json counters = json::object();
    setup_.counters->each([&](const char* name, std::uint64_t value) { counters[name] = value; });
    out["connections"] = to_json(setup_.endpoint_counters());
    out["store"] = to_json(setup_.store->counters());
    out["udp"] = to_json(setup_.udp_counters());
    out["counters"] = counters;
    json metrics = json::object();
    for (const auto& row : setup_.host->metrics()) metrics[row.name] = row.value;
    out["metrics"] = metrics;
    call->result(dump(out));
    call->finish(control::kOk, {});
  });
}

void Commands::peers(const control::Request& request, const std::shared_ptr<control::Call>& call) {
  std::size_t most = kDefaultListedPeers;
  if (const std::string given = argument(request, "--limit"); !given.empty()) {
    const auto [rest, error] = std::from_chars(given.data(), given.data() + given.size(), most);
    if (error != std::errc() || rest != given.data() + given.size() || most < 1 || most > kMaxListedPeers) {
      call->finish(control::kUsage, "--limit: expected a whole number from 1 to 10000, got \"" + given + '"');
      return;
    }
  }
  json out = json::array();
  std::unordered_map<std::string, host::LivePeer> live;
  for (auto& peer : setup_.port->peers()) {
    std::string id = peer.record.node_id;
    live.emplace(std::move(id), std::move(peer));
  }
  for (const auto& record : setup_.store->peers(most)) {
    const auto found = live.find(record.node_id);
    wire::PeerRecord shown = record;
    if (found != live.end()) {
      if (!found->second.relayed) shown.address = found->second.record.address;
      shown.trust = found->second.record.trust;
      shown.last_seen = found->second.record.last_seen;
    }
    out.push_back(to_json(shown, found != live.end()));
    if (found != live.end()) live.erase(found);
  }
  for (const auto& [id, peer] : live) {  // rows that are not written yet, or beyond the limit
    if (out.size() < most) out.push_back(to_json(peer.record, true));
  }
  call->result(dump(out));
  call->finish(control::kOk, {});
}

void Commands::connect(const control::Request& request, const std::shared_ptr<control::Call>& call) {
  const std::string target = argument(request, "target");
  if (!is_target(target, *call)) return;
  setup_.port->connect(target, kConnectTimeout, [this, call](host::Connected&& result) {
    if (!result.ok) {
      call->finish(control::exit_code_of(result.fault), result.error);
      return;
    }
    const auto peer = setup_.port->peer(result.peer);
    if (!peer) {
      call->finish(control::kUnreachable, result.node_id + ": the session ended at once");
      return;
    }
    call->result(dump({{"node_id", peer->record.node_id},
                       {"name", peer->record.name},
                       {"address", peer->record.address},
                       {"path", peer->relayed ? "relay" : "direct"},
                       {"trust_level", wire::to_text(peer->record.trust)},
                       {"rtt_ms", to_ms(peer->rtt_us)}}));
    call->finish(control::kOk, {});
  });
}

void Commands::disconnect(const control::Request& request, const std::shared_ptr<control::Call>& call) {
  const std::string target = argument(request, "target");
  if (!is_target(target, *call)) return;
  host::PeerHandle peer = setup_.port->find(target);
  std::string node_id = target;
  if (peer == 0) {
    for (const auto& live : setup_.port->peers()) {
      if (live.record.address != target) continue;
      peer = live.handle;
      node_id = live.record.node_id;
    }
  }
  if (peer == 0) {
    call->finish(control::kNotFound, target + ": no session with that peer; `atlas net peers` lists them");
    return;
  }
  setup_.port->disconnect(peer, 0, "operator requested disconnect");
  call->result(dump({{"node_id", node_id}, {"disconnected", true}}));
  call->finish(control::kOk, {});
}

void Commands::plugins(const std::shared_ptr<control::Call>& call) {
  json out = json::array();
  for (const auto& row : setup_.host->plugins()) {
    json types = json::array();
    for (const auto type : row.types) types.push_back(base::to_hex({&type, 1}));
    out.push_back({{"id", row.id},
                   {"version", row.version},
                   {"summary", row.summary},
                   {"state", row.state},
                   {"file", row.file},
                   {"reason", row.reason},
                   {"types", types},
                   {"commands", row.commands},
                   {"callbacks", row.callbacks},
                   {"faults", row.faults},
                   {"dropped", row.dropped}});
  }
  call->result(dump(out));
  call->finish(control::kOk, {});
}

void Commands::list_commands(const std::shared_ptr<control::Call>& call) {
  json out = json::array();
  auto all = core_commands();
  for (auto& one : setup_.host->commands()) all.push_back(std::move(one));
  for (const auto& one : all) {
    json args = json::array();
    for (const auto& arg : one.args) {
      args.push_back({{"name", arg.name}, {"kind", arg.kind}, {"required", arg.required}, {"help", arg.help}});
    }
    out.push_back({{"path", one.path},
                   {"plugin", one.plugin},
                   {"summary", one.summary},
                   {"display", one.display},
                   {"where", one.where},
                   {"args", args}});
  }
  call->result(dump(out));
  call->finish(control::kOk, {});
}

}  // namespace atlas::node
