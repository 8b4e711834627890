/* atlas.protocols/1 - another protocol on the node's UDP port: an ALPN of its own over QUIC v1.
 *
 * Such connections have nothing to do with sessions between nodes: another certificate, another idea of who the peer
 * is, raw streams in both directions and of both kinds. The plugin says who is accepted; no event of a connection comes
 * before it did. TLS itself (the peer has the key of its certificate) is the core's business, and so are Retry, address
 * validation, limits on half-open connections, migration and stateless resets. A first flight whose ClientHello comes
 * in several datagrams, in whatever order, is put together and never refused by its first piece.
 *
 * Streams of these connections are written and ended with the functions of atlas.streams/1, and their events are those
 * of streams.h, told through `stream`. */
#ifndef ATLAS_EXT_PROTOCOLS_H
#define ATLAS_EXT_PROTOCOLS_H
#include "streams.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_PROTOCOLS "atlas.protocols/1"

typedef uint64_t atlas_connection; /* 0 = none */

enum {
    ATLAS_PROTOCOL_ACCEPTS = 1,      /* connections of others are accepted, not only dialled */
    ATLAS_PROTOCOL_CLIENT_CERT = 2   /* a dialler must show a certificate (alert certificate_required); else it may */
};

typedef struct atlas_protocol_limits { /* plugin -> host; 0 = the default named */
    uint32_t struct_size;
    uint32_t max_connections;      /* 1..100000, 1024 */
    uint32_t max_streams;          /* bidirectional, that a peer may have open at once: 1..65536, 128 */
    uint32_t max_unidirectional;   /* 1..65536, 16 */
    uint32_t idle_ms;              /* 1000..3600000, 60000 */
    uint32_t handshake_ms;         /* 1000..60000, 10000; the verdict included */
    uint64_t stream_window;        /* bytes a peer may send before credit: 4096..16 MiB, 64 KiB */
    uint64_t connection_window;    /* 4096..64 MiB, 256 KiB; before the verdict no more than that */
} atlas_protocol_limits;

typedef struct atlas_presented { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t dialled;          /* 1 when this side dialled */
    atlas_connection connection;
    void *arg;                 /* of the dial */
    atlas_text remote;         /* "ip:port" */
    const atlas_bytes *chain;  /* DER, the peer's own certificate first; at most 8, 64 KiB together */
    size_t chain_count;        /* 0: a dialler that showed none and need not */
} atlas_presented;

typedef struct atlas_verdict { /* plugin -> host; the host zeroes it before */
    uint32_t struct_size;
    uint32_t identity_size;    /* 0..64 */
    uint8_t identity[64];      /* whatever the plugin knows the peer by; comes with every event of the connection */
} atlas_verdict;

enum {
    ATLAS_CONNECTION_UP = 1,   /* verified in both directions */
    ATLAS_CONNECTION_DOWN = 2, /* it ended, or a dial failed; the last event, the handle is stale from now on */
    ATLAS_CONNECTION_STREAM = 3 /* the peer opened a stream */
};
enum {
    ATLAS_CLOSED_LOCAL = 1,     /* by close() */
    ATLAS_CLOSED_PEER = 2,      /* by the peer's application; code is its */
    ATLAS_CLOSED_TRANSPORT = 3, /* by QUIC or TLS on either side; code as in RFC 9000, section 20 */
    ATLAS_CLOSED_IDLE = 4,      /* nothing heard for idle_ms, or no handshake in time */
    ATLAS_CLOSED_REFUSED = 5    /* by verify */
};

typedef struct atlas_connection_event { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t what;           /* ATLAS_CONNECTION_*; ignore others */
    atlas_connection connection;
    void *arg;               /* of the dial; NULL for one that was accepted */
    atlas_bytes identity;    /* of the verdict; empty for a dial that failed before it */
    atlas_text remote;       /* "ip:port", as it is now */
    uint32_t dialled;
    uint32_t why;            /* DOWN: ATLAS_CLOSED_* */
    uint64_t code;           /* DOWN */
    atlas_text reason;       /* DOWN: for people */
    atlas_stream stream;     /* STREAM */
    uint32_t unidirectional; /* STREAM: 1 when only the peer writes */
    uint32_t reserved;
} atlas_connection_event;

typedef struct atlas_protocol { /* plugin -> host; copied by claim() */
    uint32_t struct_size;
    uint32_t flags;  /* ATLAS_PROTOCOL_* */
    atlas_text alpn; /* 1..31 bytes, not "atlas/..." */
    const atlas_protocol_limits *limits; /* NULL: the defaults */
    /* Who is it? OK with a verdict accepts; a negative status refuses, and the peer gets the alert bad_certificate. */
    atlas_status (*verify)(void *self, const atlas_presented *presented, atlas_verdict *verdict);
    void (*event)(void *self, const atlas_connection_event *event);
    atlas_stream_event_fn stream;
} atlas_protocol;

typedef struct atlas_ext_protocols {
    uint32_t struct_size;
    /* [init] CONFLICT names the plugin that has the ALPN already. FULL: the node has 7 of them. */
    atlas_status (*claim)(const atlas_host *host, const atlas_protocol *protocol);
    /* [any] The certificate chain (DER, own first) and its key (PKCS #8 DER: Ed25519, ECDSA P-256 or RSA of 2048 bits
     * and more) of an ALPN that the plugin claimed; until then nothing is accepted and no dial made. May be called
     * again: new connections get the new one. ARG: they do not parse, or not belong together. */
    atlas_status (*credentials)(const atlas_host *host, atlas_text alpn, const atlas_bytes *chain, size_t chain_count,
                                atlas_bytes key);
    /* [any] remote is "ip:port". server_name (may be empty) goes out as SNI. UP or DOWN follows; arg comes with every
     * event. timeout_ms 1..60000. STATE: no credentials yet. FULL: max_connections. */
    atlas_status (*dial)(const atlas_host *host, atlas_text alpn, atlas_text remote, atlas_text server_name,
                         uint32_t timeout_ms, void *arg, atlas_connection *out);
    /* [any] Closes with the application's code and reason; DOWN follows. What was written is not waited for. */
    atlas_status (*close)(const atlas_host *host, atlas_connection connection, uint64_t code, atlas_text reason);
    /* [any] Opens a stream; DATA and the like come through the protocol's `stream`. STATE before UP. FULL: as many as
     * the peer allows are open; try again after one closed. */
    atlas_status (*open)(const atlas_host *host, atlas_connection connection, uint32_t unidirectional, void *arg,
                         atlas_stream *out);
} atlas_ext_protocols;

#ifdef __cplusplus
}
#endif
#endif
