// Datagrams that the kernel drops before they are queued: a socket filter made of a list of eight-byte beginnings of
// QUIC destination connection ids (RFC 8999, sections 5.1 and 5.2), each with the part that is to be kept.
//
// Datagrams that came joined (GRO) go or stay together, by the first: all of them are from one address.
//
// Any thread.
#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

#include "base/limits.h"
#include "net/loop.h"

namespace atlas::net {

// What fits into one program of the kernel's: 4 096 instructions.
inline constexpr std::size_t kMostShed = base::limits::quic_shed_routes;

// What is none of these passes, but for datagrams too short to have a connection id, which are no QUIC. Of rules whose
// first four bytes are alike one holds; those over kMostShed do not.
std::vector<sock_filter> shed_program(std::span<const ShedRule> rules);

// Replaces what was attached; no rules take it off. False where the kernel knows no filters.
bool attach_shed(int fd, std::span<const ShedRule> rules);

}  // namespace atlas::net
