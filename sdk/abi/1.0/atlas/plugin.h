/* atlas/plugin.h - the binary contract between the atlas core and a plugin.
 *
 * C11 and C++11 upwards. Nothing to link against: a plugin exports one constant object, `atlas_plugin_v1`,
 * and reaches everything else through the host table it is given.
 *
 * Growth     Every struct that may grow begins with its own size. Fields are only ever appended; a reader looks
 *            at a field only after ATLAS_HAS said that it is there.
 * Threads    [init]   only from init() of this plugin
 *            [strand] only from a callback of this plugin; callbacks of one plugin never overlap
 *            [any]    any thread; never blocks, never calls back before it returns
 * Ownership  Bytes and text are borrowed until the call or the callback returns. Copy what you keep.
 *            Nobody frees the other side's memory.
 * Handles    64-bit numbers, 0 is none. A stale handle yields ATLAS_E_GONE, never a bad access.
 * Unknown    Numbers that flow from host to plugin (modes, events) may gain values: ignore what you do not know.
 */
#ifndef ATLAS_PLUGIN_H
#define ATLAS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_ABI_MAJOR 1u /* also part of the name of the exported object */
#define ATLAS_ABI_MINOR 0u /* what this header describes */

/* True when the struct that p points to is long enough to hold its field f. */
#define ATLAS_HAS(p, type, f) ((p)->struct_size >= offsetof(type, f) + sizeof((p)->f))

/* Every negative value means "failed"; values not listed here are to be treated like ATLAS_E_INTERNAL. */
typedef int32_t atlas_status;
enum {
    ATLAS_OK = 0,
    ATLAS_E_ARG = -1,       /* an argument is out of its documented range */
    ATLAS_E_STATE = -2,     /* not allowed now (an [init] function after init, a second reply, ...) */
    ATLAS_E_CONFLICT = -3,  /* somebody else owns it; last_error names the owner */
    ATLAS_E_GONE = -4,      /* the handle, the peer or the key does not exist (any more) */
    ATLAS_E_TIMEOUT = -5,   /* no answer in the time given */
    ATLAS_E_FULL = -6,      /* a queue or quota is spent; try again later */
    ATLAS_E_DENIED = -7,    /* policy refuses it: the peer's, the operator's or the core's */
    ATLAS_E_CONFIG = -8,    /* the configuration does not allow it */
    ATLAS_E_STOPPING = -9,  /* the node is shutting down */
    ATLAS_E_INTERNAL = -10, /* none of the above; last_error says more */
    ATLAS_E_UNREACHABLE = -11 /* no address of the peer answered */
};

typedef uint64_t atlas_peer;     /* one live session with another node */
typedef uint64_t atlas_request;  /* one request of ours that waits for its answer */
typedef uint64_t atlas_reply_to; /* one request of a peer that waits for ours; 0 when it wants none */
typedef uint64_t atlas_timer;
typedef uint64_t atlas_metric;
typedef uint64_t atlas_call; /* one running command of a person at a terminal */

typedef struct atlas_bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
} atlas_bytes; /* frozen layout */

typedef struct atlas_text {
    const char *data; /* UTF-8, not NUL-terminated; may be NULL when size is 0 */
    size_t size;
} atlas_text; /* frozen layout */

/* Takes bytes that outlive no call: the receiver copies inside put(). A negative status ends the transfer. */
typedef struct atlas_sink {
    uint32_t struct_size;
    void *ctx;
    atlas_status (*put)(void *ctx, atlas_bytes chunk);
} atlas_sink;

enum {
    ATLAS_MODE_DAEMON = 1,  /* a node that accepts connections until it is told to stop */
    ATLAS_MODE_CLIENT = 2,  /* a short-lived node inside a terminal command; it only dials */
    ATLAS_MODE_DESCRIBE = 3 /* init runs so that claims and keys can be listed; start never follows */
};

/* Filled by the core; outlives the plugin. */
typedef struct atlas_host atlas_host;
struct atlas_host {
    uint32_t struct_size;
    uint16_t abi_major, abi_minor;
    uint32_t mode;       /* ATLAS_MODE_*; treat an unknown one as ATLAS_MODE_DAEMON */
    const char *version; /* of the atlas program, for people */
    /* [any] The table for "atlas.<name>/<revision>", or NULL where this host has none. The same pointer for the
     * whole run; no function inside it is NULL up to the table's struct_size. */
    const void *(*extension)(const atlas_host *host, const char *id);
    /* [any] Runs fn(arg) later on this plugin's strand; the only way in from the plugin's own threads.
     * FULL when the strand's queue is at its cap, STOPPING once stop() has begun. */
    atlas_status (*post)(const atlas_host *host, void (*fn)(void *arg), void *arg);
    /* [strand] Why the last host call on this strand failed. Copies at most cap bytes, returns the full length. */
    size_t (*last_error)(const atlas_host *host, char *buf, size_t cap);
    uint64_t (*now_ms)(const atlas_host *host);  /* [any] monotonic milliseconds; virtual under simulation */
    int64_t (*unix_ms)(const atlas_host *host);  /* [any] wall clock, Unix milliseconds; may jump */
    void (*random)(const atlas_host *host, uint8_t *out, size_t size); /* [any] unpredictable bytes */
};

enum {
    ATLAS_PEER_UP = 1,   /* the handshake is complete in both directions */
    ATLAS_PEER_DOWN = 2, /* the session has ended; the handle is stale from now on */
    ATLAS_PEER_PATH = 3  /* the session goes on over another address */
};

typedef struct atlas_peer_event { /* host -> plugin */
    uint32_t struct_size;
    uint32_t what;      /* ATLAS_PEER_*; ignore others */
    atlas_peer peer;
    atlas_text node_id; /* "atlas_" and 64 hex digits */
    uint32_t reason;    /* DOWN: the Disconnect reason of the wire protocol, section 6 */
    uint32_t dialled;   /* 1 when this side dialled */
} atlas_peer_event;

/* The one exported object: constant data. */
typedef struct atlas_plugin {
    uint32_t struct_size;
    uint16_t abi_major;     /* ATLAS_ABI_MAJOR */
    uint16_t abi_minor_min; /* the lowest host minor that this build can live with */
    const char *id;         /* "relay" or "org.example.thing": [a-z0-9._-], 1-64 characters */
    const char *version;    /* of the plugin, for people */
    const char *summary;    /* one sentence for `atlas plugin list` */
    const char *const *needs; /* capability ids, NULL-terminated; loading is refused when one is missing */
    /* Claims types, keys, metrics and commands. No I/O, no threads. On failure nothing stays registered and no
     * other function of the plugin is called. [the strand] */
    atlas_status (*init)(const atlas_host *host, void **self);
    /* The network is up; requests and dials may begin. Not called in ATLAS_MODE_DESCRIBE. May be NULL. */
    atlas_status (*start)(void *self);
    /* Take no new work; finish what is open within deadline_ms. May be NULL. */
    void (*drain)(void *self, uint32_t deadline_ms);
    /* Join own threads, free self. Called exactly once after a successful init, also when start failed. May be NULL. */
    void (*stop)(void *self);
    /* May be NULL. */
    void (*peer_event)(void *self, const atlas_peer_event *event);
} atlas_plugin;

#define ATLAS_EXPORT __attribute__((visibility("default")))

ATLAS_EXPORT extern const atlas_plugin atlas_plugin_v1;

#ifdef __cplusplus
}
#endif
#endif
