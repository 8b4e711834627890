/* Counts its own starts. */
#include <atlas/ext/log.h>
#include <atlas/ext/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_store *store;
    uint8_t starts;
};

/* A value comes in pieces, in order: here it is one byte, whatever else somebody has put there. */
static atlas_status read_starts(void *ctx, atlas_bytes chunk) {
    struct role *role = ctx;
    if (chunk.size > 0) role->starts = chunk.data[0];
    return ATLAS_OK;
}

static void on_durable(void *arg, atlas_status status) {
    const struct role *role = arg;
    char line[48];
    const int length = status < 0 ? snprintf(line, sizeof line, "start %u is not on disk", role->starts)
                                  : snprintf(line, sizeof line, "start %u is on disk", role->starts);
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}

static atlas_status start(void *self) {
    struct role *role = self;
    const atlas_bytes key = {(const uint8_t *)"starts", 6};
    const atlas_sink sink = {sizeof sink, role, read_starts};
    role->store->get(role->host, key, &sink); /* GONE the first time: starts stays 0 */
    role->starts++;
    const atlas_bytes value = {&role->starts, 1};
    const atlas_status status = role->store->put(role->host, key, value, on_durable, role);
    if (status < 0) on_durable(role, status); /* not begun: nobody else will say so */
    return ATLAS_OK;
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->store = host->extension(host, ATLAS_EXT_STORE);
    *self = role;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_LOG, ATLAS_EXT_STORE, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.store",
    .version = "1.0.0",
    .summary = "Counts its own starts.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
};
