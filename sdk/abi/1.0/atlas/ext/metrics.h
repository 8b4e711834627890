/* atlas.metrics/1 - counters and gauges, shown as atlas_<plugin>_<name>. */
#ifndef ATLAS_EXT_METRICS_H
#define ATLAS_EXT_METRICS_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_METRICS "atlas.metrics/1"

enum { ATLAS_METRIC_COUNTER = 1, ATLAS_METRIC_GAUGE = 2 };

typedef struct atlas_ext_metrics {
    uint32_t struct_size;
    /* [init] name: [a-z0-9_], 1-48 characters; a second definition of the same name is a CONFLICT. */
    atlas_status (*define)(const atlas_host *host, const char *name, uint32_t kind, const char *help,
                           atlas_metric *out);
    /* [any] A counter ignores a negative delta. */
    void (*add)(const atlas_host *host, atlas_metric metric, int64_t delta);
    /* [any] Gauges only. */
    void (*set)(const atlas_host *host, atlas_metric metric, int64_t value);
} atlas_ext_metrics;

#ifdef __cplusplus
}
#endif
#endif
