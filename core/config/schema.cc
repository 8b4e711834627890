#include "config/schema.h"

#include <algorithm>
#include <type_traits>

#include "config/values.h"

namespace atlas::config {
namespace {

namespace limits = base::limits;

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kHourMs = 3600 * kSecondMs;
constexpr std::int64_t kDayMs = 24 * kHourMs;

// --- one row from the member that holds the value ---

template <auto Section, auto Field>
using FieldType = std::remove_reference_t<decltype((std::declval<Config&>().*Section).*Field)>;

Row row_of(std::string_view key, Type type, std::string_view doc) {
  Row row{key, type};
  row.doc = doc;
  return row;
}

template <auto Section, auto Field>
Row boolean(std::string_view key, std::string_view doc) {
  Row row = row_of(key, Type::kBool, doc);
  row.set = [](Config& config, const Value& value) { (config.*Section).*Field = std::get<bool>(value.value); };
  row.get = [](const Config& config) { return std::vector<std::string>{(config.*Section).*Field ? "true" : "false"}; };
  return row;
}

template <auto Section, auto Field>
Row integer(std::string_view key, std::int64_t min, std::int64_t max, std::string_view doc) {
  Row row = row_of(key, Type::kInteger, doc);
  row.min = min;
  row.max = max;
  row.set = [](Config& config, const Value& value) {
    (config.*Section).*Field = static_cast<FieldType<Section, Field>>(std::get<std::int64_t>(value.value));
  };
  row.get = [](const Config& config) { return std::vector<std::string>{std::to_string((config.*Section).*Field)}; };
  return row;
}

// Fallback is what an empty optional stands for, in units; fields that are no optional ignore it.
template <auto Section, auto Field, std::int64_t UnitMs, std::uint64_t Fallback = 0>
Row duration(std::string_view key, std::int64_t min_ms, std::int64_t max_ms, std::string_view doc) {
  Row row = row_of(key, Type::kDuration, doc);
  row.min = min_ms;
  row.max = max_ms;
  row.unit_ms = UnitMs;
  row.set = [](Config& config, const Value& value) {
    (config.*Section).*Field = static_cast<std::uint64_t>(std::get<std::int64_t>(value.value) / UnitMs);
  };
  row.get = [](const Config& config) {
    std::uint64_t units;
    if constexpr (std::is_same_v<FieldType<Section, Field>, std::optional<std::uint64_t>>) {
      units = ((config.*Section).*Field).value_or(Fallback);
    } else {
      units = (config.*Section).*Field;
    }
    return std::vector<std::string>{UnitMs == 1 ? std::to_string(units) + "ms" : std::to_string(units)};
  };
  return row;
}

template <auto Section, auto Field>
Row text(std::string_view key, std::size_t max_bytes, std::string_view doc,
         std::string (*check)(std::string_view) = nullptr, std::string_view choices = {}) {
  Row row = row_of(key, Type::kText, doc);
  row.max_bytes = max_bytes;
  row.check = check;
  row.choices = choices;
  row.set = [](Config& config, const Value& value) { (config.*Section).*Field = std::get<std::string>(value.value); };
  row.get = [](const Config& config) { return std::vector<std::string>{(config.*Section).*Field}; };
  return row;
}

template <auto Section, auto Field>
Row texts(std::string_view key, std::size_t max_items, std::size_t max_bytes, std::string_view doc,
          std::string (*check)(std::string_view)) {
  Row row = row_of(key, Type::kTextList, doc);
  row.max_items = max_items;
  row.max_bytes = max_bytes;
  row.check = check;
  row.set = [](Config& config, const Value& value) {
    (config.*Section).*Field = std::get<std::vector<std::string>>(value.value);
  };
  row.get = [](const Config& config) { return (config.*Section).*Field; };
  return row;
}

// --- the table ---

constexpr Section kSections[] = {
    {"identity",
     "What the node says of itself. `atlas id set-name`, `set-bio`, `add-skill` and `remove-skill` write here."},
    {"network", "Where the node listens and whom it asks for peers."},
    {"transport", "Connections, streams and relaying."},
    {"stun", "How the node learns the address that others see it at."},
    {"security", "Handshakes, clocks and bans."},
    {"rate_limit", "How much a peer may ask for."},
    {"exec", "Running commands for peers."},
    {"log", "What the node writes to stderr."},
    {"store", "The peer database, state/peers.db."},
    {"plugins", "The roles that this node plays. Every plugin has its own keys in a table [plugins.<id>]."},
};

void add_identity(std::vector<Row>& rows) {
  rows.push_back(text<&Config::identity, &Identity::name>(
      "identity.name", limits::wire_name_bytes,
      "The name that peers see. It proves nothing: a node is known by its id.", line_fault));
  rows.push_back(text<&Config::identity, &Identity::bio>(
      "identity.bio", limits::identity_bio_bytes,
      "A sentence or two about the node, for people. It stays on this machine.", prose_fault));
  rows.push_back(texts<&Config::identity, &Identity::skills>(
      "identity.skills", limits::wire_skills, limits::wire_skill_bytes,
      "What the node can do for others; `atlas net discover --skill` finds it by these words.", skill_fault));
}

void add_network(std::vector<Row>& rows) {
  rows.push_back(integer<&Config::network, &Network::port>(
      "network.port", 0, 65'535, "The UDP port to listen on. 0 takes a free one; `net listen` prints which."));
  rows.push_back(texts<&Config::network, &Network::bind>(
      "network.bind", 2, 64,
      "The IP addresses to listen on: one of IPv4, one of IPv6, or either alone. 0.0.0.0 and :: stand for every "
      "address of the machine.",
      ip_fault));
  rows.push_back(texts<&Config::network, &Network::bootstrap>(
      "network.bootstrap", limits::config_addresses, 64,
      "The bootstrap nodes that this node registers with and asks for peers, as ip:port or [ipv6]:port. Peers at these "
      "addresses have the trust level `bootstrap`.",
      address_fault));
  rows.push_back(texts<&Config::network, &Network::relays>(
      "network.relays", limits::config_addresses, 64,
      "The relays to fall back on when a peer cannot be reached directly, as ip:port or [ipv6]:port, best first.",
      address_fault));
}

void add_stun(std::vector<Row>& rows) {
  rows.push_back(texts<&Config::stun, &Stun::servers>(
      "stun.servers", limits::stun_asked, 64,
      "STUN servers to ask for our public address (RFC 8489), as ip:port or [ipv6]:port. Two tell, too, whether a NAT "
      "shows everybody the same one.",
      address_fault));
}

void add_transport(std::vector<Row>& rows) {
  rows.push_back(integer<&Config::transport, &Transport::max_connections>(
      "transport.max_connections", 1, 1'000'000,
      "Connections at a time, dialled and accepted together; more are refused. Count on up to 64 KiB of memory for "
      "each, and on one file handle for the whole node."));
  rows.push_back(integer<&Config::transport, &Transport::max_streams_per_conn>(
      "transport.max_streams_per_conn", 1, 65'535,
      "Exchanges that one peer may have open at a time. A peer that wants more waits; nothing is lost."));
  rows.push_back(duration<&Config::transport, &Transport::idle_timeout_s, 1000>(
      "transport.idle_timeout", kSecondMs, kDayMs,
      "A connection on which nothing arrives for this long is over. The keepalive role pings every 60 s, so less than "
      "that ends quiet sessions."));
  rows.push_back(duration<&Config::transport, &Transport::exchange_timeout_s, 1000>(
      "transport.exchange_timeout", kSecondMs, kHourMs,
      "A stream whose request or answer stalls for this long is reset."));
  rows.push_back(boolean<&Config::transport, &Transport::enable_relay>(
      "transport.enable_relay", "Use relays when no direct path to a peer works."));
  rows.push_back(boolean<&Config::transport, &Transport::offer_relay>("transport.offer_relay",
                                                                      "Be a relay for others. Needs enable_relay."));
  rows.push_back(integer<&Config::transport, &Transport::relay_bandwidth_limit>(
      "transport.relay_bandwidth_limit", 0, 1'000'000'000'000,
      "Bytes per second that one relayed session may use, both directions together; what exceeds it is dropped. 0 is "
      "no limit."));
  rows.push_back(integer<&Config::transport, &Transport::relay_poll_us>(
      "transport.relay_poll_us", 0, 1000,
      "Microseconds for which a relay looks for the next datagram before its thread sleeps, while datagrams come "
      "closer "
      "to each other than that. It saves each of them the time of waking up, and may keep a core busy meanwhile. 0 "
      "sleeps at once."));
}

void add_security(std::vector<Row>& rows) {
  rows.push_back(duration<&Config::security, &Security::ban_duration_s, 1000, limits::security_ban_duration_secs>(
      "security.ban_duration_secs", kSecondMs, 365 * kDayMs,
      "How long a peer is banned that broke its limits three times within five minutes. Bans outlive a restart."));
  rows.push_back(integer<&Config::security, &Security::handshake_limit>(
      "security.handshake_limit", 1, 1'000'000,
      "Handshakes that others began and have not finished. From half of it on, newcomers must first prove their "
      "address (QUIC Retry, RFC 9000, 8.1.2); at the limit they are refused."));
  rows.push_back(duration<&Config::security, &Security::max_clock_drift_s, 1000>(
      "security.max_clock_drift_secs", kSecondMs, kDayMs,
      "How far a peer's clock may be from ours before its handshake is refused (Error 1002)."));
  rows.push_back(integer<&Config::rate_limit, &RateLimit::per_peer_per_second>(
      "rate_limit.per_peer_per_second", 1, 1'000'000,
      "Requests that an unverified peer may make in a second; verified peers have 20. Over it: Error 4001, and a "
      "violation."));
  rows.push_back(integer<&Config::rate_limit, &RateLimit::per_peer_per_minute>(
      "rate_limit.per_peer_per_minute", 1, 60'000'000,
      "Requests that an unverified peer may make in a minute; verified peers have 300. Over it: Error 4001, and a "
      "violation."));
  rows.push_back(integer<&Config::rate_limit, &RateLimit::payload_per_minute>(
      "rate_limit.payload_per_minute", 1, 1'000'000'000'000,
      "Bytes of payload that an unverified peer may send in a minute; verified peers have 50 MB. Over it: Error 4001, "
      "and a violation."));
  rows.push_back(boolean<&Config::exec, &Exec::enabled>(
      "exec.enabled",
      "Let peers run commands here. Needs a plugin that provides it; the node does not start without one."));
}

void add_log_and_store(std::vector<Row>& rows) {
  rows.push_back(text<&Config::log, &Log::level>("log.level", 16, "The least important line that is still written.",
                                                 nullptr, "debug|info|warn|error|off"));
  rows.push_back(text<&Config::log, &Log::format>(
      "log.format", 16, "Lines for people, or one JSON object a line for machines.", nullptr, "text|json"));
  rows.push_back(integer<&Config::store, &Store::max_peers>(
      "store.max_peers", 100, 100'000'000,
      "Peers to remember. Past it, the oldest of those go that never proved who they are."));
}

void add_plugins(std::vector<Row>& rows) {
  rows.push_back(texts<&Config::plugins, &Plugins::enabled>(
      "plugins.enabled", limits::config_plugins, 64,
      "The plugins to load, by id, in this order. A plugin that is not listed does not run, whatever tables it has "
      "here. Without this key it is these three, and `relay` where transport.enable_relay is true.",
      plugin_id_fault));
  rows.push_back(texts<&Config::plugins, &Plugins::search>(
      "plugins.search", 16, 4'096,
      "Absolute directories in which <id>.so is looked for, before the directory that came with atlas.",
      directory_fault));
  rows.push_back(duration<&Config::plugins, &Plugins::soft_budget_ms, 1>(
      "plugins.soft_budget", 1, 60 * kSecondMs, "A callback of a plugin that takes longer is counted and logged."));
  rows.push_back(duration<&Config::plugins, &Plugins::hard_budget_ms, 1>(
      "plugins.hard_budget", 1, kHourMs, "A callback that takes longer puts its plugin out of service."));
  rows.push_back(integer<&Config::plugins, &Plugins::queue_messages>(
      "plugins.queue_messages", 1, 1'000'000,
      "Messages that may wait for one plugin; more are refused until it has caught up."));
  rows.push_back(integer<&Config::plugins, &Plugins::queue_bytes>(
      "plugins.queue_bytes", limits::wire_max_payload, std::int64_t{1} << 34,
      "Bytes that may wait for one plugin; at least one whole payload."));
}

std::vector<Row> make_rows() {
  std::vector<Row> rows;
  add_identity(rows);
  add_network(rows);
  add_transport(rows);
  add_stun(rows);
  add_security(rows);
  add_log_and_store(rows);
  add_plugins(rows);
  return rows;
}

std::string quoted_list(std::string_view choices) {
  std::string out;
  std::size_t at = 0;
  while (at <= choices.size()) {
    const std::size_t bar = std::min(choices.find('|', at), choices.size());
    if (!out.empty()) out += ", ";
    out += toml_quoted(choices.substr(at, bar - at));
    at = bar + 1;
  }
  return out;
}

}  // namespace

std::span<const Row> schema() {
  static const std::vector<Row> rows = make_rows();
  return rows;
}

std::span<const Section> sections() {
  return kSections;
}

const Row* find_row(std::string_view key) {
  const auto rows = schema();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

std::string toml_text(const Row& row, const std::vector<std::string>& values) {
  if (row.type == Type::kTextList) return toml_array(values);
  const std::string value = values.empty() ? "" : values.front();
  const bool bare_number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  switch (row.type) {
    case Type::kBool:
    case Type::kInteger:
      return value;
    case Type::kDuration:
      return bare_number ? value : toml_quoted(value);
    case Type::kText:
    case Type::kTextList:
      break;
  }
  return toml_quoted(value);
}

std::string default_text(const Row& row) {
  return toml_text(row, row.get(Config{}));
}

std::string expected(const Row& row) {
  switch (row.type) {
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "an integer from " + std::to_string(row.min) + " to " + std::to_string(row.max);
    case Type::kDuration:
      return (row.unit_ms == 1 ? "a duration from " : "a duration in whole seconds from ") + duration_text(row.min) +
             " to " + duration_text(row.max) +
             " (seconds as an integer, or text such as \"5ms\", \"90s\", \"5m\", \"1h\")";
    case Type::kText:
      if (!row.choices.empty()) return "one of " + quoted_list(row.choices);
      return "text of at most " + std::to_string(row.max_bytes) + " bytes";
    case Type::kTextList:
      return "an array of at most " + std::to_string(row.max_items) + " texts of at most " +
             std::to_string(row.max_bytes) + " bytes";
  }
  return {};
}

}  // namespace atlas::config
