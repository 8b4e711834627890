/* A well-behaved plugin in C that uses every capability once: it answers 0x90 with its body, remembers the last body in
 * the store, counts peers, ticks, and has one command. */
#include <atlas/ext/cli.h>
#include <atlas/ext/config.h>
#include <atlas/ext/log.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <atlas/ext/peers.h>
#include <atlas/ext/store.h>
#include <atlas/ext/timers.h>
#include <stdlib.h>
#include <string.h>

struct echo {
    const atlas_host *host;
    const atlas_ext_messages *messages;
    const atlas_ext_metrics *metrics;
    const atlas_ext_store *store;
    const atlas_ext_timers *timers;
    const atlas_ext_cli *cli;
    const atlas_ext_peers *peers;
    atlas_metric echoed, sessions, ticks, durable;
    atlas_call waiting;
};

static atlas_bytes bytes(const char *text) {
    atlas_bytes out = {(const uint8_t *)text, strlen(text)};
    return out;
}

static atlas_text text(const char *words) {
    atlas_text out = {words, strlen(words)};
    return out;
}

static void stored(void *arg, atlas_status status) {
    struct echo *echo = arg;
    if (status == ATLAS_OK) echo->metrics->add(echo->host, echo->durable, 1);
}

static atlas_status on_echo(void *self, const atlas_message *message) {
    struct echo *echo = self;
    if (message->body.size == 0) return ATLAS_E_ARG;
    echo->metrics->add(echo->host, echo->echoed, 1);
    if (echo->store->put(echo->host, bytes("last"), message->body, stored, echo) < 0) return ATLAS_E_INTERNAL;
    return echo->messages->reply(echo->host, message->reply_to, 0x91, message->body);
}

static void answered(void *arg, const atlas_answer *answer) {
    struct echo *echo = arg;
    atlas_text body = {(const char *)answer->body.data, answer->body.size};
    if (answer->status == ATLAS_OK) echo->cli->emit(echo->host, echo->waiting, ATLAS_EMIT_RESULT, body);
    echo->cli->finish(echo->host, echo->waiting, answer->status, text("no answer"));
}

/* Asks the peer with that node id and shows its answer. */
static atlas_status ask(void *self, const atlas_cli_run *run) {
    struct echo *echo = self;
    atlas_peer peer = 0;
    if (echo->peers->find(echo->host, run->values[0], &peer) < 0) return ATLAS_E_UNREACHABLE;
    echo->waiting = run->call;
    return echo->messages->request(echo->host, peer, 0x90, bytes("ask"), 1000, answered, echo, NULL);
}

static void tick(void *arg) {
    struct echo *echo = arg;
    echo->metrics->add(echo->host, echo->ticks, 1);
}

static atlas_status get_tables(struct echo *echo) {
    const atlas_host *host = echo->host;
    echo->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    echo->metrics = host->extension(host, ATLAS_EXT_METRICS);
    echo->store = host->extension(host, ATLAS_EXT_STORE);
    echo->timers = host->extension(host, ATLAS_EXT_TIMERS);
    echo->cli = host->extension(host, ATLAS_EXT_CLI);
    echo->peers = host->extension(host, ATLAS_EXT_PEERS);
    if (!echo->messages || !echo->metrics || !echo->store) return ATLAS_E_INTERNAL;
    return echo->timers && echo->cli && echo->peers ? ATLAS_OK : ATLAS_E_INTERNAL;
}

static atlas_status claim(struct echo *echo) {
    static const atlas_cli_arg args[] = {{sizeof(atlas_cli_arg), "target", ATLAS_ARG_TEXT, 1, "a node id"}};
    static const atlas_cli_command command = {
        sizeof(atlas_cli_command), "ask", ATLAS_CLI_DAEMON, "Asks a peer.", args, 1, NULL};
    const atlas_host *host = echo->host;
    atlas_status status = echo->messages->handle(host, 0x90, ATLAS_HANDLE_ANSWERS, on_echo);
    if (status == ATLAS_OK) status = echo->metrics->define(host, "echoed", ATLAS_METRIC_COUNTER, "", &echo->echoed);
    if (status == ATLAS_OK) status = echo->metrics->define(host, "sessions", ATLAS_METRIC_GAUGE, "", &echo->sessions);
    if (status == ATLAS_OK) status = echo->metrics->define(host, "ticks", ATLAS_METRIC_COUNTER, "", &echo->ticks);
    if (status == ATLAS_OK) status = echo->metrics->define(host, "durable", ATLAS_METRIC_COUNTER, "", &echo->durable);
    if (status == ATLAS_OK) status = echo->cli->command(host, &command, ask, NULL);
    return status;
}

static atlas_status init(const atlas_host *host, void **self) {
    struct echo *echo = calloc(1, sizeof *echo);
    atlas_status status;
    if (!echo) return ATLAS_E_INTERNAL;
    echo->host = host;
    status = get_tables(echo);
    if (status == ATLAS_OK) status = claim(echo);
    if (status != ATLAS_OK) {
        free(echo);
        return status;
    }
    *self = echo;
    return ATLAS_OK;
}

static atlas_status start(void *self) {
    struct echo *echo = self;
    return echo->timers->start(echo->host, 1000, 1000, tick, echo, NULL);
}

static void stop(void *self) { free(self); }

static void peer_event(void *self, const atlas_peer_event *event) {
    struct echo *echo = self;
    if (event->what == ATLAS_PEER_UP) echo->metrics->add(echo->host, echo->sessions, 1);
    if (event->what == ATLAS_PEER_DOWN) echo->metrics->add(echo->host, echo->sessions, -1);
}

static const char *const needs[] = {ATLAS_EXT_MESSAGES, ATLAS_EXT_METRICS, ATLAS_EXT_STORE,
                                    ATLAS_EXT_TIMERS,   ATLAS_EXT_CLI,     ATLAS_EXT_PEERS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "echo",
    .version = "1.0",
    .summary = "Says what it hears.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
    .peer_event = peer_event,
};
