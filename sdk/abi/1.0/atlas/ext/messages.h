/* atlas.messages/1 - claim message types, send requests, answer those of peers.
 *
 * One exchange is one bidirectional stream: a request, then its answer. Requests run when the peer has finished its
 * side. A type byte has one owner in the whole node; two claims are a start-up error that names both. */
#ifndef ATLAS_EXT_MESSAGES_H
#define ATLAS_EXT_MESSAGES_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_MESSAGES "atlas.messages/1"

enum {
    ATLAS_HANDLE_ANSWERS = 1 /* the handler promises an answer: the core sends Error 5001 after answer_timeout */
};

/* Error codes for fail(): the wire protocol's, section 6. */
enum { ATLAS_ERROR_REJECTED = 2003, ATLAS_ERROR_INTERNAL = 5001 };

typedef struct atlas_message { /* host -> plugin */
    uint32_t struct_size;
    uint8_t type;
    uint8_t reserved[3];
    atlas_peer from;
    atlas_reply_to reply_to;
    atlas_bytes body; /* the payload: one MessagePack map, its structure already checked */
} atlas_message;

typedef struct atlas_answer { /* host -> plugin */
    uint32_t struct_size;
    atlas_status status; /* OK: type and body hold the answer, which may be an Error message of type E0 (then error_code
                            is not 0). TIMEOUT, GONE or STOPPING: there was none. */
    uint8_t type;
    uint8_t reserved[3];
    uint32_t error_code;  /* 0, or the code of the Error that the peer answered with */
    atlas_text error_text; /* the Error's message */
    atlas_bytes body;
    uint64_t rtt_us; /* from the request's write to its answer, monotonic */
} atlas_answer;

typedef void (*atlas_answer_fn)(void *arg, const atlas_answer *answer);

typedef struct atlas_ext_messages {
    uint32_t struct_size;
    /* [init] Claims a type byte. CONFLICT names the owner in last_error; DENIED for 00-0F, E0-EF and FF, and for a
     * byte that the registry reserves for another role. fn returns a negative status to have the core answer
     * Error 2003 (or 5001 for INTERNAL) in its place. */
    atlas_status (*handle)(const atlas_host *host, uint8_t type, uint32_t flags,
                           atlas_status (*fn)(void *self, const atlas_message *message));
    /* [any] One envelope on a stream of its own; no answer is awaited. FULL: back off. GONE: no such session. */
    atlas_status (*send)(const atlas_host *host, atlas_peer to, uint8_t type, atlas_bytes body);
    /* [any] done runs exactly once on the strand. timeout_ms 1..600000. out may be NULL. */
    atlas_status (*request)(const atlas_host *host, atlas_peer to, uint8_t type, atlas_bytes body,
                            uint32_t timeout_ms, atlas_answer_fn done, void *arg, atlas_request *out);
    /* [any] On the strand: done will not run any more. Elsewhere it may be running already. */
    atlas_status (*cancel)(const atlas_host *host, atlas_request request);
    /* [any] Answers and finishes the exchange. STATE when it is answered already, GONE when the peer is. */
    atlas_status (*reply)(const atlas_host *host, atlas_reply_to to, uint8_t type, atlas_bytes body);
    /* [any] Answers with Error: code as in the wire protocol, section 6; text at most 256 bytes of it are sent. */
    atlas_status (*fail)(const atlas_host *host, atlas_reply_to to, uint32_t code, atlas_text text);
} atlas_ext_messages;

#ifdef __cplusplus
}
#endif
#endif
