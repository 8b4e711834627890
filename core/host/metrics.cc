#include "host/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "host/claims.h"

namespace atlas::host {
namespace {

// A name of the exported form has no '.' and no '-'.
std::string prefix_of(const std::string& plugin_id) {
  std::string out = "atlas_" + plugin_id + "_";
  std::ranges::replace_if(
      out, [](char c) { return c == '.' || c == '-'; }, '_');
  return out;
}

bool is_metric_name(std::string_view name) {
  return !name.empty() && name.size() <= 48 &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// What the host counts for every plugin: Plugin::append_metrics.
constexpr std::string_view kOfTheHost[] = {"callbacks",   "callback_us", "slow_callbacks", "queue_messages",
                                           "queue_bytes", "dropped",     "unanswered",     "contract_breaks",
                                           "faults",      "streams",     "stream_bytes",   "connections"};

}  // namespace

Metrics::Metrics(const std::string& plugin_id) : prefix_(prefix_of(plugin_id)) {}

base::Result<std::uint64_t> Metrics::define(Claims& claims, const Owner& owner, std::string_view name, bool gauge,
                                            std::string_view help) {
  if (!is_metric_name(name)) {
    return base::fail(
        base::Fault::kArgument,
        fmt::format("metric \"{}\": a name has 1 to 48 characters of a-z, 0-9 and _", name.substr(0, 64)));
  }
  if (rows_.size() >= kMaxMetrics)
    return base::fail(base::Fault::kFull, fmt::format("{} metrics at most", kMaxMetrics));
  if (std::ranges::find(kOfTheHost, name) != std::end(kOfTheHost)) {
    return base::fail(base::Fault::kConflict,
                      fmt::format("metric \"{}\" of {} ({}) is one that the host keeps for every plugin",
                                  exported(name), owner.id, owner.file));
  }
  if (auto claimed = claims.claim_metric(owner, exported(name)); !claimed) return std::unexpected(claimed.error());
  Row& row = rows_.emplace_back();
  row.name = name;
  row.help = help;
  row.gauge = gauge;
  return rows_.size();
}

void Metrics::add(std::uint64_t metric, std::int64_t delta) {
  if (metric == 0 || metric > rows_.size()) return;
  Row& row = rows_[metric - 1];
  if (!row.gauge && delta < 0) return;
  row.value.fetch_add(delta, std::memory_order_relaxed);
}

void Metrics::set(std::uint64_t metric, std::int64_t value) {
  if (metric == 0 || metric > rows_.size() || !rows_[metric - 1].gauge) return;
  rows_[metric - 1].value.store(value, std::memory_order_relaxed);
}

void Metrics::append_to(std::vector<MetricRow>& out) const {
  for (const Row& row : rows_) {
    out.push_back({exported(row.name), row.help, row.gauge, row.value.load(std::memory_order_relaxed)});
  }
}

}  // namespace atlas::host
