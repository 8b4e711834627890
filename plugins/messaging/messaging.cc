// The messaging role: takes messages of peers into a durable inbox and sends those of people through a durable outbox
// (protocol, section 6).
#include <algorithm>
#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <map>
#include <memory>

#include "inbox.h"
#include "message.h"
#include "outbox.h"

namespace messaging {

using namespace std::chrono_literals;

class Messaging {
 public:
  explicit Messaging(atlas::Setup& setup) : host_(setup.host()) {
    read_config(setup);
    setup.on(kMessage, &Messaging::on_message)
        .command(send_spec(), &Messaging::on_send)
        .command(inbox_spec(), &Messaging::on_inbox)
        .command(outbox_spec(), &Messaging::on_outbox);
    received_ = setup.counter("received", "Messages taken into the inbox.");
    repeats_ = setup.counter("repeats", "Messages that were here already; acknowledged again, delivered once.");
    refused_malformed_ = setup.counter("refused_malformed", "Messages that break a rule of their format.");
    refused_identity_ = setup.counter("refused_identity", "Messages whose from or to is not the session's.");
    refused_full_ = setup.counter("refused_full", "Messages refused because the inbox is at a limit.");
    refused_disk_ = setup.counter("refused_disk", "Messages refused because they could not be stored.");
    sent_ = setup.counter("sent", "Messages that their receiver acknowledged.");
    expired_ = setup.counter("expired", "Messages that nobody took in time.");
    inbox_size_ = setup.gauge("inbox_messages", "Messages in the inbox.");
    outbox_size_ = setup.gauge("outbox_messages", "Messages that wait for their receiver.");
  }

  void start() {
    self_ = host_.peers().self().node_id;
    inbox_ = std::make_unique<Inbox>(host_, inbox_limits_);
    inbox_->load();
    outbox_ = std::make_unique<Outbox>(host_, outbox_limits_, [this](Outcome outcome) { ended(outcome); });
    if (!host_.is_client()) outbox_->load();
    show_sizes();
  }

  void drain(atlas::Millis) {
    if (outbox_) outbox_->stop();
    for (const auto& [id, follower] : std::exchange(followers_, {})) {
      follower.call.fail({ATLAS_E_STOPPING}, "the node is shutting down");
    }
  }

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what != ATLAS_PEER_UP || !outbox_ || outbox_->size() == 0) return;
    std::string address;
    static_cast<void>(host_.peers().info(event.peer, [&](const auto& peer) { address = peer.address(); }));
    outbox_->peer_is_up(event.node_id, address);
  }

 private:
  void read_config(atlas::Setup& setup) {
    const auto& config = setup.config();
    const auto count = [&](const char* key, std::uint64_t fallback, std::int64_t most, const char* doc) {
      return static_cast<std::uint64_t>(config.integer(key, static_cast<std::int64_t>(fallback), 1, most, doc));
    };
    // Together they stay below what the node grants to one role: 256 MiB and 200 000 rows.
    inbox_limits_.messages = count("inbox_messages", inbox_limits_.messages, 50'000, "Messages that the inbox holds.");
    inbox_limits_.bytes = count("inbox_bytes", inbox_limits_.bytes, 96 << 20, "Bytes that the inbox holds.");
    inbox_limits_.messages_per_peer = count("inbox_per_peer", inbox_limits_.messages_per_peer, 50'000,
                                            "Messages of one sender that the inbox holds.");
    inbox_limits_.bytes_per_peer = count("inbox_bytes_per_peer", inbox_limits_.bytes_per_peer, 96 << 20,
                                         "Bytes of one sender that the inbox holds.");
    outbox_limits_.messages = count("outbox_messages", outbox_limits_.messages, 10'000, "Messages that may wait.");
    outbox_limits_.bytes = count("outbox_bytes", outbox_limits_.bytes, 96 << 20, "Bytes of messages that may wait.");
    outbox_limits_.audit_rows = count("outbox_audit_rows", outbox_limits_.audit_rows, 50'000,
                                      "Attempts that are remembered; the oldest go first.");
    outbox_limits_.first_pause = config.duration("retry_first", outbox_limits_.first_pause, 100ms, 1h,
                                                 "Pause before the second attempt; it doubles from then on.");
    outbox_limits_.longest_pause = config.duration("retry_longest", outbox_limits_.longest_pause, 1s, 24h,
                                                   "The longest pause between two attempts.");
    outbox_limits_.keep_for = config.duration("retry_for", outbox_limits_.keep_for, 1s, 24h * 365,
                                              "Age at which a message that nobody took is given up.");
  }

  // --- messages of peers ---

  void on_message(const atlas::Incoming& request) {
    std::string why;
    auto message = decode(request.map(), why);
    if (!message) {
      refused_malformed_.add();
      return static_cast<void>(request.reject(atlas::concat("malformed message: ", why)));
    }
    std::string from;
    static_cast<void>(host_.peers().info(request.from, [&](const atlas::PeerView& peer) { from = peer.node_id(); }));
    if (message->from != from || message->to != self_) {
      refused_identity_.add();
      return static_cast<void>(
          request.reject(message->from != from ? "from is not the node of this session" : "to is not this node"));
    }
    std::string shown;
    if (!followers_.empty()) shown = to_json(*message, host_.unix_seconds(), kMaxShownBytes).str();
    inbox_->take(std::move(*message), [this, id = message->id, from, reply = request.reply_to,
                                       shown = std::move(shown)](Inbox::Taken taken) {
      if (taken == Inbox::Taken::kNew) show_to_followers(from, shown);
      answer(reply, id, taken);
    });
  }

  void show_to_followers(const std::string& from, const std::string& shown) {
    if (shown.empty()) return;
    for (const auto& [id, follower] : followers_) {
      if (follower.from.empty() || follower.from == from) static_cast<void>(follower.call.row(shown));
    }
  }

  void answer(const atlas::ReplyTo& reply, const std::string& id, Inbox::Taken taken) {
    using Taken = Inbox::Taken;
    switch (taken) {
      case Taken::kNew:
        received_.add();
        show_sizes();
        return static_cast<void>(reply.send(kMessageAck, encode_ack(id)));
      case Taken::kRepeat:
        repeats_.add();
        return static_cast<void>(reply.send(kMessageAck, encode_ack(id)));
      case Taken::kFull:
        refused_full_.add();
        return static_cast<void>(reply.reject("inbox full"));
      case Taken::kPeerFull:
        refused_full_.add();
        return static_cast<void>(reply.reject("inbox full for this sender"));
      case Taken::kFailed:
        refused_disk_.add();
        return static_cast<void>(reply.fail(ATLAS_ERROR_INTERNAL, "the message could not be stored"));
    }
  }

  void ended(Outcome outcome) {
    if (outcome == Outcome::kReceived) sent_.add();
    if (outcome == Outcome::kExpired) expired_.add();
    show_sizes();
  }

  void show_sizes() {
    inbox_size_.set(static_cast<std::int64_t>(inbox_->size()));
    outbox_size_.set(static_cast<std::int64_t>(outbox_->size()));
  }

  // --- commands ---

  static atlas::Command send_spec() {
    return {.path = "send",
            .where = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
            .summary = "Send a message to a peer",
            .args = {{"target", ATLAS_ARG_TEXT, true, "ip:port, [ipv6]:port or a node id"},
                     {"body", ATLAS_ARG_REST, true,
                      "JSON, or plain text that becomes a JSON string; - reads it from standard input"},
                     {"--topic", ATLAS_ARG_TEXT, false, "what it is about, at most 256 bytes"},
                     {"--reply-to", ATLAS_ARG_TEXT, false, "id of the message that this one answers"}},
            .display = "id, to=to, status, attempts, reason"};
  }
  static atlas::Command inbox_spec() {
    return {.path = "inbox",
            .where = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
            .summary = "Messages that arrived",
            .args = {{"--follow", ATLAS_ARG_FLAG, false, "go on and show what arrives"},
                     {"--limit", ATLAS_ARG_INTEGER, false, "how many of the newest (default 100)"},
                     {"--from", ATLAS_ARG_TEXT, false, "only of this node"},
                     {"--id", ATLAS_ARG_TEXT, false, "show the message with this id, whole"},
                     {"--remove", ATLAS_ARG_TEXT, false, "remove the message with this id"}},
            .display = "received_at:ago=received, from:id, topic, body, id, reply_to"};
  }
  static atlas::Command outbox_spec() {
    return {.path = "outbox",
            .where = ATLAS_CLI_DAEMON,
            .summary = "Messages that wait for their receiver, and the attempts made",
            .args = {{"--audit", ATLAS_ARG_FLAG, false, "show the attempts instead"},
                     {"--limit", ATLAS_ARG_INTEGER, false, "how many (default 100)"},
                     {"--remove", ATLAS_ARG_TEXT, false, "give up on the message with this id"}},
            .display = "id, target:id, attempts, attempt, outcome, next_at:ago=next, at:ago, reason"};
  }

  void on_send(const atlas::Call& call) {
    const std::string target = call.text("target").value_or("");
    if (const auto no = atlas::why_no_target(target); !no.empty()) return call.fail({ATLAS_E_ARG}, no);
    Message message;
    std::string why;
    auto body = body_from_text(call.text("body").value_or(""), why);
    if (!body) return call.fail({ATLAS_E_ARG}, why);
    message.topic = call.text("--topic");
    if (message.topic && message.topic->size() > kMaxTopic) {
      return call.fail({ATLAS_E_ARG}, "--topic: at most 256 bytes");
    }
    message.reply_to = call.text("--reply-to");
    if (message.reply_to && !is_message_id(*message.reply_to)) {
      return call.fail({ATLAS_E_ARG}, "--reply-to: not a message id (msg_ and a UUID)");
    }
    message.id = new_message_id(host_);
    message.from = self_;
    message.timestamp = host_.unix_seconds();
    message.body = std::move(*body);
    if (host_.is_client()) return send_directly(call, target, std::move(message));
    outbox_->add(
        target, std::move(message),
        [this, call](Outcome outcome, const Outbox::Entry& entry) { report(call, outcome, entry); },
        [this, call](atlas::Status status, const std::string& why) {
          show_sizes();
          call.fail(status, why);
        });
    show_sizes();
  }

  // Without a daemon nothing waits: what was not received was not sent.
  void send_directly(const atlas::Call& call, const std::string& target, Message message) {
    Outbox::Entry entry;
    entry.target = target;
    entry.id = message.id;
    entry.attempts = 1;
    deliver(host_, target, std::move(message), [this, call, entry](const Delivery& delivery) mutable {
      entry.to = delivery.to;
      entry.reason = delivery.reason;
      if (delivery.outcome == Outcome::kReceived) sent_.add();
      report(call, delivery.outcome, entry);
    });
  }

  void report(const atlas::Call& call, Outcome outcome, const Outbox::Entry& entry) {
    const bool lost = outcome == Outcome::kWaiting && host_.is_client();
    const std::string& to = entry.to.empty() ? entry.target : entry.to;
    const std::string reason = outcome == Outcome::kReceived ? "" : entry.reason;
    atlas::json::Object out;
    out.text("id", entry.id).text("to", to).text("status", lost ? "failed" : to_text(outcome));
    out.integer("attempts", entry.attempts);
    static_cast<void>(call.result(out.text("reason", or_null(reason)).str()));
    if (outcome == Outcome::kRefused) return call.fail({ATLAS_E_DENIED}, atlas::concat(to, " refused it: ", reason));
    if (lost || outcome == Outcome::kExpired) {
      return call.fail({ATLAS_E_UNREACHABLE}, atlas::concat("not sent: ", reason));
    }
    if (outcome == Outcome::kRemoved) return call.fail({ATLAS_E_GONE}, "removed from the outbox");
    call.finish();
  }

  static std::optional<std::string> or_null(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  }

  // False when the option is there and no message id; then the command has ended.
  static bool is_id_or_absent(const atlas::Call& call, std::string_view option) {
    const auto id = call.text(option);
    if (!id || is_message_id(*id)) return true;
    call.fail({ATLAS_E_ARG}, atlas::concat(option, ": ", *id, ": a message id is msg_ and a UUID"));
    return false;
  }

  void on_inbox(const atlas::Call& call) {
    if (!is_id_or_absent(call, "--remove") || !is_id_or_absent(call, "--id")) return;
    const auto limit = call.integer("--limit", 100, 1, 50'000);
    if (!limit) return;
    const std::string from = call.text("--from").value_or("");
    const std::string why = call.flag("--from") ? atlas::why_no_node_id(from) : "";
    if (!why.empty()) return call.fail({ATLAS_E_ARG}, atlas::concat("--from: ", why));
    if (const auto id = call.text("--remove")) return remove_from_inbox(call, *id);
    if (const auto id = call.text("--id")) return show_one(call, *id, from);
    if (call.flag("--follow")) return follow(call, newest(call, *limit, from), from);
    atlas::json::Array out;
    for (const auto& row : newest(call, *limit, from)) out.raw(row);
    static_cast<void>(call.result(out.str()));
    call.finish();
  }

  void show_one(const atlas::Call& call, const std::string& id, const std::string& from) {
    const auto one = inbox_->find(id, from);
    if (!one) return call.fail({ATLAS_E_GONE}, atlas::concat(id, ": no such message in the inbox"));
    static_cast<void>(call.result(to_json(one->message, one->received_at, kMaxShownBytes).str()));
    call.finish();
  }

  void remove_from_inbox(const atlas::Call& call, const std::string& id) {
    const auto status = inbox_->remove(id);
    if (status.code == ATLAS_E_GONE) return call.fail(status, atlas::concat(id, ": no such message in the inbox"));
    if (!status.ok()) return call.fail(status, atlas::concat(id, ": ", status.text()));
    show_sizes();
    static_cast<void>(call.result(atlas::json::Array().object(atlas::json::Object().text("id", id)).str()));
    call.finish();
  }

  // The newest messages as JSON, oldest first. One result has to fit a line of the control socket (8 MiB).
  std::vector<std::string> newest(const atlas::Call& call, std::int64_t most, const std::string& from) const {
    std::vector<std::string> out;
    std::size_t bytes = 0;
    inbox_->newest_first(from, [&](const Inbox::Stored& one) {
      std::string row = to_json(one.message, one.received_at, kMaxShownBytes).str();
      bytes += std::max(row.size() + 1, one.message.body.size());  // what is read costs time too
      if (bytes > kMaxShownBytes && !out.empty()) {
        static_cast<void>(call.progress("older messages are not shown: remove some, or use --limit and --from"));
        return false;
      }
      out.push_back(std::move(row));
      return static_cast<std::int64_t>(out.size()) < most;
    });
    std::reverse(out.begin(), out.end());
    return out;
  }

  void follow(const atlas::Call& call, const std::vector<std::string>& rows, const std::string& from) {
    if (host_.is_client()) {
      return call.fail({ATLAS_E_GONE}, "--follow needs a running node; start one with `atlas net listen`");
    }
    if (followers_.size() >= kMaxFollowers) return call.fail({ATLAS_E_FULL}, "too many follow the inbox already");
    for (const auto& row : rows) static_cast<void>(call.row(row));
    const std::uint64_t id = next_follower_++;
    followers_.emplace(id, Follower{call, from});
    call.on_cancel([this, id] { followers_.erase(id); });
  }

  void on_outbox(const atlas::Call& call) {
    if (!is_id_or_absent(call, "--remove")) return;
    if (const auto id = call.text("--remove")) {
      if (!outbox_->remove(*id)) {
        return call.fail({ATLAS_E_GONE}, atlas::concat(*id, ": no such message in the outbox"));
      }
      static_cast<void>(call.result(atlas::json::Array().object(atlas::json::Object().text("id", *id)).str()));
      return call.finish();
    }
    const auto limit = call.integer("--limit", 100, 1, 5'000);
    if (!limit) return;
    const auto most = static_cast<std::size_t>(*limit);
    static_cast<void>(call.result((call.flag("--audit") ? shown_attempts(most) : shown_waiting(most)).str()));
    call.finish();
  }

  atlas::json::Array shown_attempts(std::size_t most) const {
    atlas::json::Array out;
    for (const auto& one : outbox_->audit(most)) {
      atlas::json::Object row;
      row.text("id", one.id).text("target", one.target).integer("attempt", one.attempt).integer("at", one.at);
      out.object(row.text("outcome", one.outcome).text("reason", or_null(one.reason)));
    }
    return out;
  }

  atlas::json::Array shown_waiting(std::size_t most) const {
    atlas::json::Array out;
    for (const auto& one : outbox_->list()) {
      if (most-- == 0) break;
      atlas::json::Object row;
      row.text("id", one.id).text("target", one.target).integer("attempts", one.attempts);
      row.integer("created_at", one.created_at);
      if (one.next_at == 0) row.null("next_at");
      if (one.next_at != 0) row.integer("next_at", one.next_at);
      out.object(row.text("reason", or_null(one.reason)));
    }
    return out;
  }

  struct Follower {
    atlas::Call call;
    std::string from;  // empty: everybody
  };
  static constexpr std::size_t kMaxFollowers = 16;
  static constexpr std::size_t kMaxShownBytes = 6u << 20;  // of one result, and of one body in it

  atlas::Host& host_;
  std::string self_;
  Inbox::Limits inbox_limits_;
  Outbox::Limits outbox_limits_;
  std::unique_ptr<Inbox> inbox_;
  std::unique_ptr<Outbox> outbox_;
  std::map<std::uint64_t, Follower> followers_;
  std::uint64_t next_follower_ = 1;
  atlas::Counter received_, repeats_, refused_malformed_, refused_identity_, refused_full_, refused_disk_, sent_,
      expired_;
  atlas::Gauge inbox_size_, outbox_size_;
};

}  // namespace messaging

ATLAS_PLUGIN(messaging::Messaging, "messaging", "0.2.0", "Takes messages of peers and sends those of people.",
             ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS, ATLAS_EXT_PEERS, ATLAS_EXT_STORE, ATLAS_EXT_CLI);
