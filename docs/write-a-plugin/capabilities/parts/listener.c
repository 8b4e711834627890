/* Says in the log how others see this node, whenever that changes. */
#include <atlas/ext/listener.h>
#include <atlas/ext/log.h>
#include <stdio.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_listener *listener;
    const atlas_ext_log *log;
};

static void say(void *arg, const atlas_listener_info *info) {
    const struct role *role = arg;
    char line[128];
    const int length = info->public_address.size == 0
                           ? snprintf(line, sizeof line, "nobody has said how they see us")
                           : snprintf(line, sizeof line, "others see us as %.*s", (int)info->public_address.size,
                                      info->public_address.data);
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}

static void on_change(void *self) {
    struct role *role = self;
    role->listener->info(role->host, role, say);
}

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->listener = host->extension(host, ATLAS_EXT_LISTENER);
    role->log = host->extension(host, ATLAS_EXT_LOG);
    const atlas_status status = role->listener->watch(host, on_change);
    if (status < 0) free(role);
    *self = role;
    return status;
}
/* end of page */

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_LISTENER, ATLAS_EXT_LOG, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.listener",
    .version = "1.0.0",
    .summary = "Says how others see this node.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
