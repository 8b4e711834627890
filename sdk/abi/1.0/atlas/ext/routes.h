/* atlas.routes/1 - datagrams between two peers, forwarded by the core unread; and paths to peers through such a node.
 *
 * A node that forwards adds a pair of routes between two of its sessions. Each route is a random prefix: a datagram
 * whose destination connection id begins with it goes, unchanged, to the session's current validated address, if it
 * came from the other session's. The plugin decides who may; the bytes never reach it.
 *
 * A node that wants to be reached through such a node learns its prefixes from it (wire protocol, section 8) and tells
 * the core, which then holds an end-to-end connection with the other agent inside the forwarded datagrams. Dials come
 * to the plugin that provides paths when a relay is the next candidate. */
#ifndef ATLAS_EXT_ROUTES_H
#define ATLAS_EXT_ROUTES_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_ROUTES "atlas.routes/1"

typedef uint64_t atlas_route; /* a pair of routes; 0 = none */
typedef uint64_t atlas_reach; /* a dial that waits for a path; 0 = none */

/* --- forwarding --- */

/* Why a pair of routes ended. */
enum {
    ATLAS_ROUTE_REMOVED = 1,  /* by remove(), or with the plugin */
    ATLAS_ROUTE_IDLE = 2,     /* nothing was forwarded for idle_ms */
    ATLAS_ROUTE_BUDGET = 3,   /* byte_budget is used up */
    ATLAS_ROUTE_PEER_GONE = 4 /* one of the two sessions ended */
};

typedef struct atlas_route_options { /* plugin -> host */
    uint32_t struct_size;
    uint32_t idle_ms;          /* 1000..3600000 */
    uint64_t bytes_per_second; /* both directions together, burst of 250 ms; 0 = no limit */
    uint64_t byte_budget;      /* both directions together; 0 = no limit */
} atlas_route_options;

typedef struct atlas_route_prefixes { /* host -> plugin; frozen layout */
    uint8_t to_a[8];
    uint8_t to_b[8];
} atlas_route_prefixes;

/* Since the pair was added. Bytes are UDP payload. */
typedef struct atlas_route_counters { /* host -> plugin: the caller sets struct_size */
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t datagrams_to_a, bytes_to_a;
    uint64_t datagrams_to_b, bytes_to_b;
    uint64_t dropped_rate;   /* datagrams over bytes_per_second */
    uint64_t dropped_source; /* that did not come from the other peer's validated address */
    uint64_t dropped_queue;  /* for which the socket had no room in time */
    uint64_t dropped_share;  /* over their fair share while more came than could be forwarded; in part an estimate,
                              * for the kernel drops most of them. Not known to older hosts */
} atlas_route_counters;

typedef void (*atlas_route_ended_fn)(void *arg, atlas_route route, uint32_t why, const atlas_route_counters *last);

/* --- paths through a forwarder --- */

/* What a forwarder told this node about one pair of its routes. */
typedef struct atlas_path { /* plugin -> host */
    uint32_t struct_size;
    uint32_t reserved;
    atlas_peer via;       /* the session with the forwarder; the path ends with it */
    uint8_t route[8];     /* the prefix that leads to this node */
    uint8_t peer_route[8]; /* the prefix that leads to the other agent */
    atlas_text node_id;   /* the other agent's: the connection inside is refused when it is another's */
    const atlas_text *observed; /* addresses at which the forwarder sees the other agent, "ip:port"; may be NULL */
    size_t observed_count;
    int64_t expires;      /* Unix seconds; 0 = the forwarder did not say */
} atlas_path;

typedef struct atlas_path_request { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t reserved;
    atlas_reach reach;
    atlas_text node_id; /* whom the dial is for */
    atlas_text relay;   /* "ip:port" of the candidate */
} atlas_path_request;

typedef struct atlas_ext_routes {
    uint32_t struct_size;

    /* [any] Adds a pair of routes between two sessions; the prefixes are valid at once, and in force before anything
     * that is sent after this call. `ended` runs exactly once on the strand, also after remove(). GONE: no such
     * session. DENIED: one of the two is itself reached through a forwarder, or both are the same. STATE: one of the
     * two does not show the feature `routes` in its Hello. FULL: too many routes. */
    atlas_status (*add)(const atlas_host *host, atlas_peer a, atlas_peer b, const atlas_route_options *options,
                        atlas_route_ended_fn ended, void *arg, atlas_route *out, atlas_route_prefixes *prefixes);
    /* [any] GONE when it has ended. */
    atlas_status (*remove)(const atlas_host *host, atlas_route route);
    /* [any] What has been forwarded so far. GONE when it has ended. */
    atlas_status (*counters)(const atlas_host *host, atlas_route route, atlas_route_counters *out);

    /* [init] This plugin finds paths: `wanted` runs on the strand for each dial whose next candidate is a relay, and is
     * answered by found() or not_found() within the 5 s of the candidate. CONFLICT names the plugin that provides them
     * already. */
    atlas_status (*provide)(const atlas_host *host, void (*wanted)(void *self, const atlas_path_request *request));
    /* [any] The path that a dial asked for: the core dials the agent over it. GONE: the dial is over. ARG: a prefix or
     * a node id that is none, or another node's than was asked for. */
    atlas_status (*found)(const atlas_host *host, atlas_reach reach, const atlas_path *path);
    /* [any] There is none: `why` is UNREACHABLE, DENIED, TIMEOUT …; `reason` is for people. */
    atlas_status (*not_found)(const atlas_host *host, atlas_reach reach, atlas_status why, atlas_text reason);
    /* [any] The other agent is about to dial this node over that path, from the address of `via`. Holds for 10 s or
     * until it did. GONE: no session with the forwarder. FULL: too many are expected. */
    atlas_status (*expect)(const atlas_host *host, const atlas_path *path);
} atlas_ext_routes;

#ifdef __cplusplus
}
#endif
#endif
