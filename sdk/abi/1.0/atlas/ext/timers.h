/* atlas.timers/1 - one-shot and periodic timers on the host's monotonic clock (virtual under simulation). */
#ifndef ATLAS_EXT_TIMERS_H
#define ATLAS_EXT_TIMERS_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_TIMERS "atlas.timers/1"

typedef struct atlas_ext_timers {
    uint32_t struct_size;
    /* [any] Runs fn(arg) on the strand after delay_ms, then each period_ms (0 = once). FULL at the timer quota.
     * Late periods are not made up for. out may be NULL. */
    atlas_status (*start)(const atlas_host *host, uint64_t delay_ms, uint64_t period_ms, void (*fn)(void *arg),
                          void *arg, atlas_timer *out);
    /* [any] On the strand: fn will not run again. Elsewhere it may be running already. GONE when it has ended. */
    atlas_status (*cancel)(const atlas_host *host, atlas_timer timer);
} atlas_ext_timers;

#ifdef __cplusplus
}
#endif
#endif
