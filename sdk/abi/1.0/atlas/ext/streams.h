/* atlas.streams/1 - raw byte streams between two nodes, beside the exchanges of messages.
 *
 * A raw stream begins with one envelope whose type byte a plugin of the other side claimed with accept(): its payload,
 * one MessagePack map, says what the stream is for. All that follows, both ways, is the two plugins' own bytes. QUIC's
 * terms are meant throughout (RFC 9000, sections 2 and 3).
 *
 * Each direction ends by itself: finish() after the last byte, or reset(). An event CLOSED is owed exactly once for
 * every stream that was accepted or opened; the handle is stale from then on. */
#ifndef ATLAS_EXT_STREAMS_H
#define ATLAS_EXT_STREAMS_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_STREAMS "atlas.streams/1"

typedef uint64_t atlas_stream; /* 0 = none */

enum {
    ATLAS_STREAM_DATA = 1,     /* bytes came; fin is 1 with the last of them (which may be none) */
    ATLAS_STREAM_WRITABLE = 2, /* there is room again after a write() that was FULL */
    ATLAS_STREAM_RESET = 3,    /* the peer gave up its side: no more data; code is its */
    ATLAS_STREAM_STOPPED = 4,  /* the peer wants no more from us: our side is over; code is its */
    ATLAS_STREAM_CLOSED = 5    /* both sides are over, or the connection is; the last event */
};

typedef struct atlas_stream_event { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t what; /* ATLAS_STREAM_*; ignore others */
    atlas_stream stream;
    void *arg;           /* what open() or set_arg() was given; NULL before */
    atlas_bytes data;    /* DATA */
    uint32_t fin;        /* DATA */
    atlas_status status; /* CLOSED: OK when both sides finished and all of ours was acknowledged; else GONE (the session
                            ended), FULL (no stream was to be had), DENIED (reset by one side), STOPPING, TIMEOUT (idle
                            limit) */
    uint64_t code;       /* RESET, STOPPED, and CLOSED after one of them */
} atlas_stream_event;

typedef void (*atlas_stream_event_fn)(void *self, const atlas_stream_event *event);

typedef struct atlas_stream_opened { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint8_t type;
    uint8_t reserved[3];
    atlas_peer from;
    atlas_stream stream;
    atlas_bytes opening; /* the first envelope's payload: one MessagePack map, its structure already checked */
} atlas_stream_opened;

typedef struct atlas_ext_streams { /* codes are 0..2^62-1 and the plugins' own */
    uint32_t struct_size;
    /* [init] Claims a type byte for raw streams, by the rules of messages.handle(); a byte is for one of the two.
     * opened returns a negative status to refuse: the stream is reset with 2003, and no event follows. */
    atlas_status (*accept)(const atlas_host *host, uint8_t type,
                           atlas_status (*opened)(void *self, const atlas_stream_opened *stream),
                           atlas_stream_event_fn event);
    /* [any] Opens a stream to a peer; may be written to at once. opening: one MessagePack map of at most 16 KiB. What
     * hinders it later comes as CLOSED. GONE: no such session. FULL: too many streams of this plugin. */
    atlas_status (*open)(const atlas_host *host, atlas_peer to, uint8_t type, atlas_bytes opening,
                         atlas_stream_event_fn event, void *arg, atlas_stream *out);
    /* [any] arg of the events that are queued from now on. */
    atlas_status (*set_arg)(const atlas_host *host, atlas_stream stream, void *arg);
    /* [any] All of it is copied and queued, or none of it: FULL when with it more than the send buffer (256 KiB) would
     * be unacknowledged; WRITABLE follows. ARG: a piece of more than 256 KiB. STATE after finish() or reset(). */
    atlas_status (*write)(const atlas_host *host, atlas_stream stream, atlas_bytes data);
    /* [any] Half-close: nothing more will be written. */
    atlas_status (*finish)(const atlas_host *host, atlas_stream stream);
    /* [any] Gives up our side; what is unsent is not sent. */
    atlas_status (*reset)(const atlas_host *host, atlas_stream stream, uint64_t code);
    /* [any] Asks the peer to give up its side; what still comes is dropped. */
    atlas_status (*stop)(const atlas_host *host, atlas_stream stream, uint64_t code);
    /* [any] So many bytes of DATA are dealt with: the peer may send as many more. Without it the peer stands still when
     * the window (64 KiB at first) is used up, which is how a slow reader slows its writer. More than was delivered is
     * ARG. */
    atlas_status (*credit)(const atlas_host *host, atlas_stream stream, uint64_t bytes);
} atlas_ext_streams;

#ifdef __cplusplus
}
#endif
#endif
