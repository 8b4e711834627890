/* Forwards between peers: the first that comes is joined with the second, the third with the fourth. */
#include <atlas/ext/log.h>
#include <atlas/ext/routes.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_routes *routes;
    atlas_peer waiting; /* 0: nobody */
};

static void say(const struct role *role, const char *line, int length) {
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}

static void on_ended(void *arg, atlas_route route, uint32_t why, const atlas_route_counters *last) {
    char line[96];
    (void)route;
    say(arg, line,
        snprintf(line, sizeof line, "a pair ended (%u) after %" PRIu64 " bytes", (unsigned)why,
                 last->bytes_to_a + last->bytes_to_b));
}

static void join(struct role *role, atlas_peer a, atlas_peer b) {
    const atlas_route_options options = {sizeof options, 120000, 1 << 20, 0}; /* 2 min idle, 1 MiB/s, no budget */
    atlas_route_prefixes prefixes;
    atlas_route route;
    char line[96];
    const atlas_status status = role->routes->add(role->host, a, b, &options, on_ended, role, &route, &prefixes);
    if (status < 0) {
        say(role, line, snprintf(line, sizeof line, "no pair: status %d", (int)status));
    } else {
        /* Each of the two is told the prefix that leads to the other: how, is the plugin's own message. */
        say(role, line,
            snprintf(line, sizeof line, "a pair of routes to %u and %u", prefixes.to_a[0], prefixes.to_b[0]));
    }
}

static void peer_event(void *self, const atlas_peer_event *event) {
    struct role *role = self;
    if (event->what == ATLAS_PEER_DOWN && event->peer == role->waiting) role->waiting = 0;
    if (event->what != ATLAS_PEER_UP) return; /* a pair ends with its sessions, by itself */
    if (role->waiting == 0) {
        role->waiting = event->peer;
        return;
    }
    join(role, role->waiting, event->peer);
    role->waiting = 0;
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->routes = host->extension(host, ATLAS_EXT_ROUTES);
    *self = role;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_LOG, ATLAS_EXT_ROUTES, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.routes",
    .version = "1.0.0",
    .summary = "Forwards between peers.",
    .needs = needs,
    .init = init,
    .stop = stop,
    .peer_event = peer_event,
};
