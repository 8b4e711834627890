/* Reads one key of each kind, and has a rule of its own. */
#include <atlas/ext/config.h>
#include <atlas/ext/log.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    char greeting[65];
    int64_t limit;
    uint64_t pause_ms;
    uint32_t loud;
    size_t friends;
};

static void count_friend(void *arg, atlas_text node_id) {
    struct role *role = arg;
    (void)node_id; /* borrowed: copy what is kept */
    role->friends++;
}

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    const atlas_ext_config *config = host->extension(host, ATLAS_EXT_CONFIG);
    const atlas_text hello = {"Hello", 5};
    atlas_text greeting;
    config->text(host, "greeting", hello, "What everybody is greeted with.", &greeting);
    config->integer(host, "limit", 100, 1, 10000, "Greetings that are sent each minute.", &role->limit);
    config->millis(host, "pause", 1500, 100, 60000, "Time between two greetings.", &role->pause_ms);
    config->boolean(host, "loud", 0, "Greet in the log as well.", &role->loud);
    config->texts(host, "friends", "Node ids that are greeted first.", role, count_friend);
    if (greeting.size > 64) {
        const atlas_text why = {"64 bytes at most", 16};
        config->reject(host, "greeting", why); /* shown with file, line and column; the node does not start */
        greeting = hello;
    }
    snprintf(role->greeting, sizeof role->greeting, "%.*s", (int)greeting.size, greeting.data);
    *self = role;
    return ATLAS_OK;
}
/* end of page */

static atlas_status start(void *self) {
    struct role *role = self;
    char line[256];
    const int length =
        snprintf(line, sizeof line, "%s, %" PRId64 " a minute, %" PRIu64 " ms apart, to %zu friends%s", role->greeting,
                 role->limit, role->pause_ms, role->friends, role->loud ? ", loudly" : "");
    const atlas_text text = {line, (size_t)length};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_CONFIG, ATLAS_EXT_LOG, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.config",
    .version = "1.0.0",
    .summary = "Reads one key of each kind.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
};
