// The bootstrap role: keeps a registry of the peers that announced themselves, and tells whoever asks (protocol, 7).
#include <chrono>

#include "atlas/json.hpp"
#include "registry.h"
#include "requests.h"

namespace bootstrap {

using namespace std::chrono_literals;

// A zero of the registry's clock that lies well before the first record, so that ages never reach below it.
constexpr Seconds kClockOffset = 1u << 20;

// What `net registry` shows at most, in bytes of JSON; the result of a command has to fit one line of the control
// socket.
constexpr std::size_t kMaxShownBytes = 4u << 20;

class Bootstrap {
 public:
  explicit Bootstrap(atlas::Setup& setup)
      : host_(setup.host()),
        registry_(read_capacity(setup), random_key(), [this](atlas::Peer peer) { return session_seen(peer); }) {
    allow_foreign_ =
        setup.config().boolean("allow_foreign_address", false,
                               "Accept addresses that are neither the node's own as seen from here nor private.");
    setup.on(kRegister, &Bootstrap::on_register).on(kDiscover, &Bootstrap::on_discover);
    setup.every(1s, &Bootstrap::sweep);
    setup.command({.path = "registry",
                   .where = ATLAS_CLI_DAEMON,
                   .summary = "List the peers that registered with this bootstrap node",
                   .args = {{"--skill", ATLAS_ARG_TEXT, false, "Only peers with this skill"},
                            {"--operator", ATLAS_ARG_TEXT, false, "Only peers of this operator"},
                            {"--limit", ATLAS_ARG_INTEGER, false, "At most so many, 1 to 10000 (default 1000)"}},
                   .display = "node_id:id=node id, name, address, skills:list, operator_username=operator, "
                              "trust_level=trust, connected, last_seen:ago=last seen"},
                  &Bootstrap::on_registry_command);
    records_ = setup.gauge("records", "Peers in the registry.");
    registers_ = setup.counter("registers", "Registers accepted.");
    discovers_ = setup.counter("discovers", "Discover requests answered.");
    evicted_ = setup.counter("evicted", "Records let go because they were stale.");
    refused_[Rule::kIdentity] = setup.counter("refused_identity", "Registers for another node.");
    refused_[Rule::kAddress] = setup.counter("refused_address", "Registers with an address of somebody else, or none.");
    refused_[Rule::kFields] = setup.counter("refused_fields", "Requests with a missing, ill-typed or too long field.");
    refused_[Rule::kFull] = setup.counter("refused_full", "Registers refused because the registry was full.");
    refused_[Rule::kCursor] = setup.counter("refused_cursor", "Discover requests with a cursor that is not ours.");
  }

  void on_peer(const atlas::PeerEvent& event) {
    const auto id = parse_node_id(event.node_id);
    if (!id) return;
    if (event.what == ATLAS_PEER_UP) registry_.session_up(*id, event.peer, now());
    if (event.what == ATLAS_PEER_DOWN) registry_.session_down(*id, event.peer);
  }

 private:
  static std::size_t read_capacity(atlas::Setup& setup) {
    return static_cast<std::size_t>(
        setup.config().integer("max_records", 100'000, 1, 10'000'000, "Peers that the registry holds at most."));
  }
  SipHash::Key random_key() const {
    SipHash::Key key{};
    host_.random(key);
    return key;
  }
  Registry::RandomBelow random() const {
    return [this](std::uint64_t bound) { return host_.random_below(bound); };
  }

  Seconds now() const { return static_cast<Seconds>(host_.now().count() / 1000) + kClockOffset; }
  std::int64_t to_unix(Seconds time) const {
    return host_.unix_seconds() - (static_cast<std::int64_t>(now()) - static_cast<std::int64_t>(time));
  }
  // The host counts in Unix seconds; the difference to now is what matters.
  std::optional<Seconds> session_seen(atlas::Peer peer) const {
    std::optional<Seconds> out;
    static_cast<void>(host_.peers().info(peer, [&](const atlas::PeerView& info) {
      // The host begins with the handshake, which is no exchange. In either direction: the wall clock may jump back.
      if (info.last_seen() == info.connected_at()) {
        out = 0;
        return;
      }
      const std::int64_t unix_now = host_.unix_seconds();
      const std::int64_t seen = std::clamp<std::int64_t>(info.last_seen(), 0, std::max<std::int64_t>(unix_now, 0));
      out = now() -
            static_cast<Seconds>(std::min<std::int64_t>(std::max<std::int64_t>(unix_now, 0) - seen, kClockOffset));
    }));
    return out;
  }

  void on_register(const atlas::Incoming& request) {
    std::optional<SessionFacts> session;
    static_cast<void>(host_.peers().info(request.from, [&](const atlas::PeerView& info) { session.emplace(info); }));
    if (!session) return refuse(request, {Rule::kIdentity, "the session has ended"});
    Record record;
    if (const Refusal no = read_register(request.map(), *session, allow_foreign_, record); no.rule != Rule::kNone) {
      return refuse(request, no);
    }
    const auto put = registry_.put(record, request.from, now());
    count_records();
    if (put == Registry::Put::kFull) return refuse(request, {Rule::kFull, "registry full"});
    registers_.add();
    atlas::msgpack::Writer ack;
    ack.map(2).text("msg_id").text(session->node_id).text("status").text("registered");
    static_cast<void>(request.reply(kMessageAck, ack.bytes()));
  }

  void on_discover(const atlas::Incoming& request) {
    DiscoverRequest wanted;
    if (const Refusal no = read_discover(request.map(), wanted); no.rule != Rule::kNone) return refuse(request, no);
    std::optional<Cursor> cursor;
    if (wanted.cursor && !(cursor = registry_.unseal(*wanted.cursor, wanted.filter))) {
      return refuse(request, {Rule::kCursor, "cursor: not from this listing; begin again without one"});
    }
    atlas::msgpack::Writer peers(kMaxAnswerBytes - 256);  // the rest of the answer needs less than that
    std::size_t count = 0;
    const auto take = [&](const Listed& listed) {
      atlas::msgpack::Writer one;
      write_peer_record(one, listed.record, to_unix(listed.last_seen));
      if (peers.size() + one.size() > kMaxAnswerBytes - 256) return false;
      peers.raw(one.bytes());
      ++count;
      return true;
    };
    std::optional<Cursor> next;
    if (cursor || wanted.limit) {
      if (!cursor) cursor = registry_.first_page(random());
      next = registry_.page(wanted.filter, *cursor, wanted.limit.value_or(kMaxPeers), now(), take);
    } else {
      registry_.sample(wanted.filter, kMaxPeers, now(), random(), take);
    }
    atlas::msgpack::Writer answer;
    answer.map(next ? 2 : 1).text("peers").array(count).raw(peers.bytes());
    if (next) answer.text("next").bin(registry_.seal(*next, wanted.filter));
    discovers_.add();
    static_cast<void>(request.reply(kPeers, answer.bytes()));
  }

  void refuse(const atlas::Incoming& request, const Refusal& refusal) {
    refused_[refusal.rule].add();
    static_cast<void>(request.reject(refusal.text));
  }

  void sweep() {
    registry_.sweep(now());
    count_records();
  }

  void count_records() {
    records_.set(static_cast<std::int64_t>(registry_.size()));
    evicted_.add(static_cast<std::int64_t>(registry_.evicted() - evicted_counted_));
    evicted_counted_ = registry_.evicted();
  }

  void on_registry_command(const atlas::Call& call) {
    const auto limit = call.integer("--limit", 1000, 1, 10'000);
    if (!limit) return;
    Filter filter{std::nullopt, call.text("--skill"), call.text("--operator")};
    if (filter.operator_username && filter.operator_username->starts_with('@')) filter.operator_username->erase(0, 1);
    atlas::json::Array rows;
    const auto more = registry_.page(filter, Cursor{}, static_cast<std::size_t>(*limit), now(), [&](const Listed& it) {
      const std::string row = peer_record_json(it.record, to_unix(it.last_seen), it.connected);
      if (rows.bytes() + row.size() >= kMaxShownBytes) return false;
      rows.raw(row);
      return true;
    });
    static_cast<void>(call.progress(atlas::concat(registry_.size(), " of at most ", registry_.capacity(), " records, ",
                                                  registry_.skills(), " skills, ", registry_.operators(), " operators",
                                                  more ? "; more match than are shown" : "")));
    static_cast<void>(call.result(rows.str()));
    call.finish();
  }

  atlas::Host& host_;
  Registry registry_;
  bool allow_foreign_ = false;
  std::uint64_t evicted_counted_ = 0;
  atlas::Gauge records_;
  atlas::Counter registers_, discovers_, evicted_;
  std::map<Rule, atlas::Counter> refused_;
};

}  // namespace bootstrap

ATLAS_PLUGIN(bootstrap::Bootstrap, "bootstrap", "0.2.0", "Keeps a registry of peers and tells whoever asks.",
             ATLAS_EXT_MESSAGES, ATLAS_EXT_PEERS, ATLAS_EXT_TIMERS);
