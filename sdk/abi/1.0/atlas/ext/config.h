/* atlas.config/1 - the plugin's own table [plugins.<id>] of config.toml.
 *
 * Each getter declares a key's type, default, bounds and documentation at the moment it reads it. The same calls
 * therefore check the file, fill the reference in docs/reference and answer `atlas config check`. A wrong type or
 * range is noted with file:line:column and the getter still returns OK with the default: all notes of all plugins are
 * shown together and the node does not start. A key of the table that no getter asked for is an error with the nearest
 * known name. Dotted keys reach into sub-tables. */
#ifndef ATLAS_EXT_CONFIG_H
#define ATLAS_EXT_CONFIG_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_CONFIG "atlas.config/1"

typedef struct atlas_ext_config {
    uint32_t struct_size;
    /* [init] Every getter: `doc` is one sentence for the reference. */
    atlas_status (*boolean)(const atlas_host *host, const char *key, uint32_t fallback, const char *doc,
                            uint32_t *out);
    atlas_status (*integer)(const atlas_host *host, const char *key, int64_t fallback, int64_t min, int64_t max,
                            const char *doc, int64_t *out);
    /* Durations: an integer of seconds, or text such as "1500ms", "90s", "5m", "1h". Bounds in milliseconds. */
    atlas_status (*millis)(const atlas_host *host, const char *key, uint64_t fallback, uint64_t min, uint64_t max,
                           const char *doc, uint64_t *out);
    /* Borrowed until init returns. */
    atlas_status (*text)(const atlas_host *host, const char *key, atlas_text fallback, const char *doc,
                         atlas_text *out);
    /* Calls each() for every element of an array of strings, in order. */
    atlas_status (*texts)(const atlas_host *host, const char *key, const char *doc, void *arg,
                          void (*each)(void *arg, atlas_text value));
    /* A rule of the plugin's own that the value of key breaks; shown with the key's file:line:column. */
    void (*reject)(const atlas_host *host, const char *key, atlas_text why);
    /* Read-only: a documented key of the core as text, one call per element for arrays ("network.bootstrap",
     * "network.port"). GONE for an unknown key. */
    atlas_status (*node_key)(const atlas_host *host, const char *key, void *arg,
                             void (*each)(void *arg, atlas_text value));
} atlas_ext_config;

#ifdef __cplusplus
}
#endif
#endif
