// What the relay role holds at most. The first ones are the defaults of keys in [plugins.relay].
// Plain constants.
#pragma once

#include <atlas/plugin.hpp>
#include <cstddef>
#include <cstdint>

namespace relay {

// --- keys of [plugins.relay]: default and greatest value; each begins at 1 ---
inline constexpr std::int64_t kMaxSessions = 1'000, kMostSessions = 20'000;  // the core forwards no more pairs
inline constexpr std::int64_t kSessionsPerNode = 16, kMostSessionsPerNode = 20'000;
inline constexpr std::int64_t kSessionsPerPrefix = 64, kMostSessionsPerPrefix = 20'000;
inline constexpr std::int64_t kMaxAnnounced = 10'000, kMostAnnounced = 1'000'000;
// Notices to one target in a minute. A target counts them as our requests, of which it takes 60 a minute and 5 a second
// from a node that it does not know: what goes over that would have us banned, for other people's doing.
inline constexpr std::int64_t kNoticesPerMinute = 40, kMostNoticesPerMinute = 1'000'000;
inline constexpr std::int64_t kNoticeBurst = 4;
inline constexpr std::int64_t kNoticeShare = 8, kLeastShare = 2;  // one source has an eighth of a minute's notices
inline constexpr std::size_t kRememberedSources = 1'024;          // of a minute, for one target

// --- the server half ---
inline constexpr std::size_t kCountedEachSecond = 1'000;  // sessions whose bytes are added to the metric
inline constexpr std::size_t kMaxShownBytes = 4u << 20;   // of sessions in one `net relay status`
inline constexpr std::size_t kMaxShownLines = 50;         // sessions that people see

// A datagram that only keeps a route is smaller than any of QUIC with something in it.
inline constexpr std::uint64_t kMostKeepAlive = 24;  // bytes

// --- the client half ---
inline constexpr std::size_t kMaxObserved = 8;        // addresses taken from one RelayReady
inline constexpr std::size_t kMaxReaches = 256;       // dials that wait for a path
inline constexpr std::size_t kMaxKnownPairs = 1'024;  // agents of which it is known through which pair they are reached
// A relay that has just come back may not have heard of the target yet: asked again after so long each time.
inline constexpr atlas::Millis kAskAgain[] = {atlas::Millis(150), atlas::Millis(450)};
inline constexpr atlas::Millis kJustAnnounced{5'000};
inline constexpr atlas::Millis kSignOfLife{2'000};  // for an agent whose pair has ended while its session is direct
inline constexpr std::size_t kMaxProblem = 256;     // bytes kept of why a relay said no
inline constexpr atlas::Millis kReachTime{4'000};   // the candidate of the dial has 5 s
inline constexpr atlas::Millis kDialTime{10'000}, kAnswerTime{10'000};
// Before an unreachable relay is dialled again: anywhere below the first, which doubles up to the longest.
inline constexpr atlas::Millis kFirstPause{250}, kLongestPause{30'000};
// Before a relay that said no is asked again: half of it to all of it, doubling up to the longest.
inline constexpr atlas::Millis kFirstRefusal{30'000}, kLongestRefusal{600'000};
// A relay's word on when its routes end is believed no further than this.
inline constexpr std::int64_t kLongestLife = 86'400;  // s

}  // namespace relay
