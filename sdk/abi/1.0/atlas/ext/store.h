/* atlas.store/1 - durable key-value rows in the plugin's own namespace of the node's database, with a quota. */
#ifndef ATLAS_EXT_STORE_H
#define ATLAS_EXT_STORE_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_STORE "atlas.store/1"

typedef void (*atlas_durable_fn)(void *arg, atlas_status status);

typedef struct atlas_ext_store { /* keys 1..512 bytes, values up to 4 MiB + 64 KiB */
    uint32_t struct_size;
    /* [strand] Reads see every put of this plugin that was accepted before. GONE when the key has no row. */
    atlas_status (*get)(const atlas_host *host, atlas_bytes key, const atlas_sink *value);
    /* [any] Queued and batched in order. durable (may be NULL) runs once on the strand after the commit, or with
     * FULL (quota), INTERNAL (disk) or STOPPING. */
    atlas_status (*put)(const atlas_host *host, atlas_bytes key, atlas_bytes value, atlas_durable_fn durable,
                        void *arg);
    atlas_status (*remove)(const atlas_host *host, atlas_bytes key, atlas_durable_fn durable, void *arg);
    /* [strand] Rows whose key begins with prefix, in key order, from the first key greater than `after` (empty = from
     * the start). row() returns a negative status to end the scan. */
    atlas_status (*scan)(const atlas_host *host, atlas_bytes prefix, atlas_bytes after, void *arg,
                         atlas_status (*row)(void *arg, atlas_bytes key, atlas_bytes value));
} atlas_ext_store;

#ifdef __cplusplus
}
#endif
#endif
