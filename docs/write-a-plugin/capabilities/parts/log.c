/* Says who comes and goes. */
#include <atlas/ext/log.h>
#include <stdio.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
};

static void peer_event(void *self, const atlas_peer_event *event) {
    const struct role *role = self;
    char line[128];
    const char *what = event->what == ATLAS_PEER_UP ? "came" : event->what == ATLAS_PEER_DOWN ? "went" : "moved";
    const int length = snprintf(line, sizeof line, "%.*s %s", (int)event->node_id.size, event->node_id.data, what);
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    *self = role;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_LOG, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.log",
    .version = "1.0.0",
    .summary = "Says who comes and goes.",
    .needs = needs,
    .init = init,
    .stop = stop,
    .peer_event = peer_event,
};
