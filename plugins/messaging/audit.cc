// The outbox's row for every attempt.
#include "outbox.h"
#include "rows.h"

namespace messaging {

using atlas::msgpack::MapView;
using atlas::msgpack::Writer;

namespace {

constexpr std::string_view kAudit = "audit/";  // number -> one attempt

Outbox::Attempt attempt_of(atlas::Bytes row) {
  const auto map = MapView::of(row);
  const auto text = [&](std::string_view key) { return std::string(map.find(key).text().value_or("")); };
  return {text("id"),
          text("target"),
          text("outcome"),
          text("reason"),
          map.find("at").i64().value_or(0),
          map.find("attempt").u32().value_or(0)};
}

}  // namespace

void Outbox::load_audit() {
  static_cast<void>(host_.store().scan(kAudit, "", [&](atlas::Bytes key, atlas::Bytes) {
    audit_.push_back(number_of(kAudit, as_text(key)));
    next_audit_ = audit_.back() + 1;
    return true;
  }));
  trim_audit();
}

void Outbox::note(const Entry& entry, std::string_view outcome) {
  Writer row;
  row.map(6).text("id").text(entry.id).text("target").text(entry.target).text("at").integer(host_.unix_seconds());
  row.text("attempt").integer(entry.attempts).text("outcome").text(outcome).text("reason").text(entry.reason);
  if (!host_.store().put(numbered(kAudit, next_audit_), row.bytes()).ok()) return;
  audit_.push_back(next_audit_++);
  trim_audit();
}

void Outbox::trim_audit() {
  while (audit_.size() > limits_.audit_rows) {
    static_cast<void>(host_.store().remove(numbered(kAudit, audit_.front())));
    audit_.pop_front();
  }
}

std::vector<Outbox::Attempt> Outbox::audit(std::size_t most) const {
  std::vector<Attempt> out;
  if (audit_.empty() || most == 0) return out;
  const std::uint64_t first = audit_[audit_.size() - std::min(most, audit_.size())];
  static_cast<void>(host_.store().scan(kAudit, numbered(kAudit, first - 1), [&](atlas::Bytes, atlas::Bytes value) {
    out.push_back(attempt_of(value));
    return true;
  }));
  return out;
}

}  // namespace messaging
