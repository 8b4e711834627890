// The folders keep constants and defaults of their own, for a floor reads its limits where it is; they are those of the
// table.
#include "base/limits.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "control/protocol.h"
#include "identity/key_file.h"
#include "quic/endpoint.h"
#include "session/bans.h"
#include "session/dial_plan.h"
#include "session/exchange.h"
#include "session/handshake.h"
#include "session/limits.h"
#include "store/store.h"
#include "wire/envelope.h"
#include "wire/messages.h"

namespace atlas::base {
namespace {

namespace lim = limits;

TEST(LimitsTable, Wire) {
  EXPECT_EQ(wire::kMaxPayload, lim::wire_max_payload);
  EXPECT_EQ(wire::kMaxHandshakePayload, lim::wire_max_handshake_payload);
  EXPECT_EQ(wire::kMaxNameBytes, lim::wire_name_bytes);
  EXPECT_EQ(wire::kMaxSkills, lim::wire_skills);
  EXPECT_EQ(wire::kMaxSkillBytes, lim::wire_skill_bytes);
}

TEST(LimitsTable, Session) {
  EXPECT_EQ(session::kMaxReasonBytes, lim::session_reason_bytes);
  EXPECT_EQ(session::OutboundExchange::kMaxMoreAnswers, lim::session_more_answers);
  EXPECT_EQ(session::BanList::kDefaultMost, lim::session_bans);
  EXPECT_EQ(session::Budgets::kDefaultMost, lim::session_budgets);
  EXPECT_EQ(session::kMaxRelayCandidates, lim::session_relay_candidates);
  EXPECT_EQ(session::kHandshakeTimeout, lim::session_handshake_timeout * kSecond);
  const session::LimitSettings settings;
  EXPECT_EQ(settings.unknown.per_second, lim::rate_limit_per_peer_per_second);
  EXPECT_EQ(settings.unknown.per_minute, lim::rate_limit_per_peer_per_minute);
  EXPECT_EQ(settings.unknown.payload_per_minute, lim::rate_limit_payload_per_minute);
  EXPECT_EQ(settings.verified.per_second, lim::rate_limit_verified_per_second);
  EXPECT_EQ(settings.verified.per_minute, lim::rate_limit_verified_per_minute);
  EXPECT_EQ(settings.verified.payload_per_minute, lim::rate_limit_verified_payload_per_minute);
  EXPECT_EQ(settings.burst, lim::rate_limit_per_peer_per_second);
  EXPECT_EQ(settings.violations_to_ban, lim::security_violations_to_ban);
  EXPECT_EQ(settings.violation_window, lim::security_violation_window * kSecond);
  EXPECT_EQ(settings.ban_s, lim::security_ban_duration_secs);
}

TEST(LimitsTable, Quic) {
  const quic::EndpointLimits endpoint;
  EXPECT_EQ(endpoint.max_connections, lim::transport_max_connections);
  EXPECT_EQ(endpoint.max_half_open, lim::security_handshake_limit);
  const quic::Protocol protocol;
  EXPECT_EQ(protocol.max_streams, lim::transport_max_streams_per_conn);
  EXPECT_EQ(protocol.idle_timeout, lim::transport_idle_timeout * kSecond);
  EXPECT_EQ(protocol.handshake_timeout, lim::session_handshake_timeout * kSecond);
}

TEST(LimitsTable, StoreControlAndLog) {
  const store::StoreLimits store;
  EXPECT_EQ(store.max_peers, lim::store_max_peers);
  EXPECT_EQ(store.max_queue, lim::store_max_queue);
  EXPECT_EQ(store.max_queue_bytes, lim::store_max_queue_bytes);
  EXPECT_EQ(store.max_file_bytes, lim::store_max_file_bytes);
  EXPECT_EQ(store.max_log_bytes, lim::store_max_log_bytes);
  EXPECT_EQ(store::kMaxKeyBytes, lim::store_key_bytes);
  EXPECT_EQ(store::kMaxValueBytes, lim::store_value_bytes);
  EXPECT_EQ(store.plugin_bytes, lim::store_plugin_bytes);
  EXPECT_EQ(store.plugin_rows, lim::store_plugin_rows);
  EXPECT_EQ(control::kMaxLine, lim::control_line_bytes);
  EXPECT_EQ(control::kMaxClients, lim::control_clients);
  EXPECT_EQ(control::kMaxBacklog, lim::control_backlog_bytes);
  EXPECT_EQ(control::kMaxDepth, lim::control_json_depth);
  EXPECT_EQ(identity::kMaxKeyFile, lim::identity_key_file_bytes);
  EXPECT_EQ(kMaxLogLine, lim::log_line_bytes);
}

}  // namespace
}  // namespace atlas::base
