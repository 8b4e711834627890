/* @id@: answers message type 0xc0 with what it was sent, as 0xc1, and counts how often. */
#include <atlas/ext/cli.h>
#include <atlas/ext/config.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* c0-cf are for experiments; docs/message-types.md of Atlas says how to get a byte of one's own. */
enum { REQUEST = 0xc0, ANSWER = 0xc1 };

struct @name@ {
    const atlas_host *host;
    const atlas_ext_messages *messages;
    const atlas_ext_metrics *metrics;
    const atlas_ext_cli *cli;
    atlas_metric answered;
    uint64_t count;
    int64_t max_bytes;
};

static atlas_text text(const char *words) {
    atlas_text out = {words, strlen(words)};
    return out;
}

/* The body is one MessagePack map whose structure has been checked; it is borrowed until this returns. */
static atlas_status on_request(void *arg, const atlas_message *message) {
    struct @name@ *self = arg;
    if (message->body.size > (uint64_t)self->max_bytes) {
        return self->messages->fail(self->host, message->reply_to, ATLAS_ERROR_REJECTED, text("larger than max_bytes"));
    }
    self->count++;
    self->metrics->add(self->host, self->answered, 1);
    return self->messages->reply(self->host, message->reply_to, ANSWER, message->body);
}

/* `atlas net @command@` */
static atlas_status on_command(void *arg, const atlas_cli_run *run) {
    struct @name@ *self = arg;
    char json[64];
    snprintf(json, sizeof json, "{\"answered\":%" PRIu64 "}", self->count);
    atlas_status status = self->cli->emit(self->host, run->call, ATLAS_EMIT_RESULT, text(json));
    if (status < 0) return status;
    return self->cli->finish(self->host, run->call, ATLAS_OK, text(""));
}

static atlas_status claim(struct @name@ *self) {
    static const atlas_cli_command command = {
        sizeof command, "@command@", ATLAS_CLI_DAEMON, "Shows how many requests were answered.", NULL, 0, NULL};
    const atlas_host *host = self->host;
    const atlas_ext_config *config = host->extension(host, ATLAS_EXT_CONFIG);
    atlas_status status = config->integer(host, "max_bytes", 65536, 1, 4194304,
                                          "Size of the largest request that is answered.", &self->max_bytes);
    if (status >= 0) status = self->messages->handle(host, REQUEST, ATLAS_HANDLE_ANSWERS, on_request);
    if (status >= 0) {
        status = self->metrics->define(host, "answered", ATLAS_METRIC_COUNTER, "Requests answered.", &self->answered);
    }
    if (status >= 0) status = self->cli->command(host, &command, on_command, NULL);
    return status;
}

/* Registers and does nothing else: it also runs where somebody only wants to know what this role has. */
static atlas_status init(const atlas_host *host, void **out) {
    struct @name@ *self = calloc(1, sizeof *self);
    if (self == NULL) return ATLAS_E_INTERNAL;
    self->host = host;
    self->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    self->metrics = host->extension(host, ATLAS_EXT_METRICS);
    self->cli = host->extension(host, ATLAS_EXT_CLI);
    atlas_status status = claim(self);
    if (status < 0) {
        free(self);
        return status;
    }
    *out = self;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

/* Without these the role is not loaded, so none of the tables above is NULL. */
static const char *const needs[] = {ATLAS_EXT_CLI, ATLAS_EXT_CONFIG, ATLAS_EXT_MESSAGES, ATLAS_EXT_METRICS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "@id@",
    .version = "0.1.0",
    .summary = "Answers what it is sent.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
