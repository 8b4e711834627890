/* atlas.peers/1 - sessions with other nodes, and the peer database. */
#ifndef ATLAS_EXT_PEERS_H
#define ATLAS_EXT_PEERS_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_PEERS "atlas.peers/1"

enum { ATLAS_TRUST_UNKNOWN = 0, ATLAS_TRUST_VERIFIED = 1, ATLAS_TRUST_BOOTSTRAP = 2, ATLAS_TRUST_RELAY = 3 };

/* One peer as the node knows it: from a session, or from the database. */
typedef struct atlas_peer_info { /* both directions */
    uint32_t struct_size;
    atlas_peer peer;           /* the live session, 0 when there is none */
    atlas_text node_id;
    atlas_text address;        /* "ip:port", IPv6 in brackets; of a live session: where it is seen now */
    atlas_text public_address; /* may be empty */
    atlas_text name;           /* may be empty */
    const atlas_text *skills;
    size_t skill_count;
    atlas_text operator_username; /* may be empty */
    const atlas_text *relays;
    size_t relay_count;
    uint32_t trust;            /* ATLAS_TRUST_* */
    uint32_t dialled;          /* live: 1 when this side dialled */
    int64_t last_seen;         /* Unix seconds; live: the last exchange in either direction */
    int64_t connected_at;      /* live: Unix seconds of the handshake, else 0 */
    uint64_t rtt_us;           /* live: smoothed round trip of the connection, else 0 */
} atlas_peer_info;

/* Disconnect reasons: the wire protocol's, section 6. */
enum { ATLAS_DISCONNECT_SHUTDOWN = 0, ATLAS_DISCONNECT_IDLE = 1, ATLAS_DISCONNECT_OVERLOAD = 5 };

enum { ATLAS_PEERS_LIVE = 1, ATLAS_PEERS_KNOWN = 2 };

typedef struct atlas_connected { /* host -> plugin */
    uint32_t struct_size;
    atlas_status status;  /* OK, TIMEOUT, UNREACHABLE, DENIED (the peer refused, or another node answered), STOPPING */
    atlas_peer peer;
    atlas_text node_id;
    atlas_text error;     /* for people */
    uint32_t existing;    /* 1 when a session was there already */
} atlas_connected;

typedef void (*atlas_connected_fn)(void *arg, const atlas_connected *result);

typedef struct atlas_ext_peers {
    uint32_t struct_size;
    /* [any] This node: id, name, skills, operator, and the address it is best reached at ("[::]:4433" when it only
     * knows its own socket). Borrowed as each(): copy inside. */
    atlas_status (*self)(const atlas_host *host, void *arg, void (*each)(void *arg, const atlas_peer_info *info));
    /* [any] One live session. GONE when it has ended. */
    atlas_status (*info)(const atlas_host *host, atlas_peer peer, void *arg,
                         void (*each)(void *arg, const atlas_peer_info *info));
    /* [any] The live session with a node id; 0 in *out and GONE when there is none. */
    atlas_status (*find)(const atlas_host *host, atlas_text node_id, atlas_peer *out);
    /* [any] which: LIVE for sessions, KNOWN for the rows of the database (newest last_seen first, live ones marked).
     * each() returns a negative status to end the listing. The database read blocks the calling thread, never the
     * I/O. */
    atlas_status (*list)(const atlas_host *host, uint32_t which, void *arg,
                         atlas_status (*each)(void *arg, const atlas_peer_info *info));
    /* [any] Target is "ip:port" or a node id that is known. done runs exactly once on the strand, at once when there
     * is a session. timeout_ms 1..60000 bounds the whole dial; each candidate has 5 s. */
    atlas_status (*connect)(const atlas_host *host, atlas_text target, uint32_t timeout_ms, atlas_connected_fn done,
                            void *arg);
    /* [any] Sends Disconnect with that reason and note, then closes. */
    atlas_status (*disconnect)(const atlas_host *host, atlas_peer peer, uint32_t reason, atlas_text note);
    /* [any] A record that somebody told us of. Queued for the database; never overwrites what a session proved, and
     * never an address that does not parse. */
    atlas_status (*upsert)(const atlas_host *host, const atlas_peer_info *record);
} atlas_ext_peers;

#ifdef __cplusplus
}
#endif
#endif
