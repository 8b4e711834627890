/* atlas.bus/1 - plugins of one node among themselves: publish and subscribe, ask and answer.
 *
 * Names are "<plugin id>/<what>", 3..128 characters: what a plugin publishes or offers begins with its own id, so
 * nobody speaks in another's name. Bodies are copied and come to each receiver on its own strand; what is in them is
 * between the plugins (MessagePack is customary). They count against the receiver's queue like messages of peers. */
#ifndef ATLAS_EXT_BUS_H
#define ATLAS_EXT_BUS_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_BUS "atlas.bus/1"

typedef uint64_t atlas_bus_call; /* one request of another plugin that waits for our answer; 0 = none */

typedef struct atlas_bus_event { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t reserved;
    atlas_text topic;
    atlas_text from; /* id of the plugin that published it */
    atlas_bytes body;
} atlas_bus_event;

typedef struct atlas_bus_request { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t reserved;
    atlas_bus_call call;
    atlas_text service;
    atlas_text from; /* id of the plugin that asks */
    atlas_bytes body;
} atlas_bus_request;

typedef struct atlas_bus_answer { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    atlas_status status; /* OK: body is the answer. Else what fail() said, or TIMEOUT, GONE (the plugin went out of
                            service), FULL (its queue is), STOPPING */
    atlas_bytes body;
    atlas_text error; /* for people; may be empty */
} atlas_bus_answer;

typedef void (*atlas_bus_answer_fn)(void *arg, const atlas_bus_answer *answer);

typedef struct atlas_ext_bus { /* bodies up to 1 MiB */
    uint32_t struct_size;
    /* [any] To every subscriber whose queue has room; how many that were in *receivers (may be NULL). DENIED: the topic
     * is not under the plugin's own id. */
    atlas_status (*publish)(const atlas_host *host, atlas_text topic, atlas_bytes body, uint32_t *receivers);
    /* [init] fn runs for each event of exactly that topic, in the order of its publisher. The publisher need not be
     * there. At most 64 subscriptions a plugin (FULL), each topic once. */
    atlas_status (*subscribe)(const atlas_host *host, atlas_text topic,
                              void (*fn)(void *self, const atlas_bus_event *event));
    /* [init] Offers a service under the plugin's own id; fn answers with answer() or fail(), then or later. A negative
     * status from fn answers with that status. */
    atlas_status (*offer)(const atlas_host *host, atlas_text service,
                          atlas_status (*fn)(void *self, const atlas_bus_request *request));
    /* [any] done runs exactly once on the strand. timeout_ms 1..600000. GONE: nobody in service offers it. */
    atlas_status (*request)(const atlas_host *host, atlas_text service, atlas_bytes body, uint32_t timeout_ms,
                            atlas_bus_answer_fn done, void *arg);
    /* [any] GONE when it is answered already, or the asker waits no longer. */
    atlas_status (*answer)(const atlas_host *host, atlas_bus_call call, atlas_bytes body);
    /* [any] status is negative; at most 256 bytes of the error are kept. */
    atlas_status (*fail)(const atlas_host *host, atlas_bus_call call, atlas_status status, atlas_text error);
} atlas_ext_bus;

#ifdef __cplusplus
}
#endif
#endif
