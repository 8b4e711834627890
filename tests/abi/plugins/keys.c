/* Reads a key of every kind; a test writes wrong values for them. */
#include <atlas/ext/config.h>
#include <stddef.h>

#include "idle.h"

static void ignore(void *arg, atlas_text value) {
    (void)arg;
    (void)value;
}

static atlas_status init(const atlas_host *host, void **self) {
    const atlas_ext_config *config = host->extension(host, ATLAS_EXT_CONFIG);
    const atlas_text fallback = {"north", 5};
    const atlas_text why = {"must be odd", 11};
    uint32_t flag = 0;
    int64_t number = 0;
    uint64_t span = 0;
    atlas_text name = {NULL, 0};
    *self = NULL;
    if (config->boolean(host, "offer", 1, "Whether to offer it.", &flag) != ATLAS_OK || !flag) return ATLAS_E_STATE;
    if (config->integer(host, "max_sessions", 64, 1, 100000, "Sessions at once.", &number) != ATLAS_OK) {
        return ATLAS_E_STATE;
    }
    if (number != 64) return ATLAS_E_STATE; /* what is written is wrong: the default counts */
    if (config->millis(host, "limits.idle", 60000, 1000, 3600000, "Time.", &span) != ATLAS_OK) return ATLAS_E_STATE;
    if (config->text(host, "name", fallback, "A name.", &name) != ATLAS_OK) return ATLAS_E_STATE;
    if (config->texts(host, "regions", "Where.", NULL, ignore) != ATLAS_OK) return ATLAS_E_STATE;
    if (name.size != 5) config->reject(host, "name", why);
    return ATLAS_OK;
}

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "keys",
    .version = "1.0",
    .summary = "Has keys.",
    .init = init,
    .start = idle_start,
    .stop = idle_stop,
};
