/* Answers 0xc0 and counts: requests ever, sessions now. */
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_messages *messages;
    const atlas_ext_metrics *metrics;
    atlas_metric requests, sessions;
};

static atlas_status on_request(void *self, const atlas_message *message) {
    const struct role *role = self;
    role->metrics->add(role->host, role->requests, 1);
    return role->messages->reply(role->host, message->reply_to, 0xc1, message->body);
}

static void peer_event(void *self, const atlas_peer_event *event) {
    const struct role *role = self;
    if (event->what == ATLAS_PEER_UP) role->metrics->add(role->host, role->sessions, 1);
    if (event->what == ATLAS_PEER_DOWN) role->metrics->add(role->host, role->sessions, -1);
}

static atlas_status claim(struct role *role) {
    const atlas_host *host = role->host;
    const atlas_ext_metrics *metrics = role->metrics;
    atlas_status status = role->messages->handle(host, 0xc0, ATLAS_HANDLE_ANSWERS, on_request);
    if (status >= 0) {
        status = metrics->define(host, "requests", ATLAS_METRIC_COUNTER, "Requests answered.", &role->requests);
    }
    if (status >= 0) {
        status = metrics->define(host, "sessions", ATLAS_METRIC_GAUGE, "Peers that are here.", &role->sessions);
    }
    return status;
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    role->metrics = host->extension(host, ATLAS_EXT_METRICS);
    const atlas_status status = claim(role);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_MESSAGES, ATLAS_EXT_METRICS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.metrics",
    .version = "1.0.0",
    .summary = "Answers and counts.",
    .needs = needs,
    .init = init,
    .stop = stop,
    .peer_event = peer_event,
};
