/* Sends every request back: the smallest role there is. */
#include <atlas/ext/messages.h>
#include <stdlib.h>

enum { REQUEST = 0xc0, ANSWER = 0xc1 };

struct echo {
    const atlas_host *host;
    const atlas_ext_messages *messages;
};

static atlas_status on_request(void *self, const atlas_message *message) {
    const struct echo *echo = self;
    return echo->messages->reply(echo->host, message->reply_to, ANSWER, message->body);
}

static atlas_status init(const atlas_host *host, void **self) {
    struct echo *echo = malloc(sizeof *echo);
    if (echo == NULL) return ATLAS_E_INTERNAL;
    echo->host = host;
    echo->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    atlas_status status = echo->messages->handle(host, REQUEST, ATLAS_HANDLE_ANSWERS, on_request);
    if (status < 0) {
        free(echo);
        return status;
    }
    *self = echo;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

/* The node does not load the role without these, so their tables are there. */
static const char *const needs[] = {ATLAS_EXT_MESSAGES, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.echo",
    .version = "1.0.0",
    .summary = "Sends every request back.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
