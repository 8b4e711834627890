/* Counts minutes in the log. */
#include <atlas/ext/log.h>
#include <atlas/ext/timers.h>
#include <stdio.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_timers *timers;
    atlas_timer timer;
    unsigned minutes;
};

static void on_minute(void *arg) {
    struct role *role = arg;
    char line[32];
    const int length = snprintf(line, sizeof line, "minute %u", ++role->minutes);
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}

/* Timers begin in start(): init() only claims. */
static atlas_status start(void *self) {
    struct role *role = self;
    return role->timers->start(role->host, 60000, 60000, on_minute, role, &role->timer);
}

static void drain(void *self, uint32_t deadline_ms) {
    struct role *role = self;
    (void)deadline_ms;
    role->timers->cancel(role->host, role->timer); /* on the strand: on_minute will not run again */
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->timers = host->extension(host, ATLAS_EXT_TIMERS);
    *self = role;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_LOG, ATLAS_EXT_TIMERS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.timers",
    .version = "1.0.0",
    .summary = "Counts minutes.",
    .needs = needs,
    .init = init,
    .start = start,
    .drain = drain,
    .stop = stop,
};
