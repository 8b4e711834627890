/* Keeps a session with one friend: dials it at the start, and again when the session has ended. */
#include <atlas/ext/config.h>
#include <atlas/ext/log.h>
#include <atlas/ext/peers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_peers *peers;
    char friend[256]; /* "ip:port" or a node id */
    atlas_peer session;
};

static void say(const struct role *role, const char *what, atlas_text who) {
    char line[256];
    const int length = snprintf(line, sizeof line, "%s %.*s", what, (int)who.size, who.data);
    const atlas_text text = {line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1};
    role->log->write(role->host, ATLAS_LOG_INFO, text);
}

static void say_address(void *arg, const atlas_peer_info *info) {
    say(arg, "my friend is at", info->address);
}

static void on_connected(void *arg, const atlas_connected *result) {
    struct role *role = arg;
    if (result->status < 0) {
        say(role, "nobody there:", result->error);
        return;
    }
    role->session = result->peer; /* a number; stale once the session has ended */
    role->peers->info(role->host, result->peer, role, say_address);
}

static void dial(struct role *role) {
    const atlas_text target = {role->friend, strlen(role->friend)};
    if (target.size == 0) return;
    if (role->peers->connect(role->host, target, 10000, on_connected, role) < 0) say(role, "cannot dial", target);
}

static atlas_status start(void *self) {
    dial(self);
    return ATLAS_OK;
}

static void peer_event(void *self, const atlas_peer_event *event) {
    struct role *role = self;
    if (event->what != ATLAS_PEER_DOWN || event->peer != role->session) return;
    role->session = 0;
    dial(role);
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->peers = host->extension(host, ATLAS_EXT_PEERS);
    const atlas_ext_config *config = host->extension(host, ATLAS_EXT_CONFIG);
    const atlas_text nobody = {"", 0};
    atlas_text name;
    config->text(host, "friend", nobody, "ip:port or node id of the peer that is dialled.", &name);
    if (name.size >= sizeof role->friend) {
        const atlas_text why = {"255 bytes at most", 17};
        config->reject(host, "friend", why);
    } else if (name.size > 0) {
        memcpy(role->friend, name.data, name.size);
    }
    *self = role;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_CONFIG, ATLAS_EXT_LOG, ATLAS_EXT_PEERS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.peers",
    .version = "1.0.0",
    .summary = "Keeps a session with one friend.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
    .peer_event = peer_event,
};
