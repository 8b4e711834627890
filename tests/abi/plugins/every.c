/* Uses every table of the ABI: claims one thing of each kind in init, begins one thing of each kind in start, and gives
 * up at the first call that fails. Counts what it is told.
 *
 * Is built against the headers of every release, against shortened ones as an older release would have had them
 * (EARLIER), and against longer ones as a later release may have them (LATER). */
#include <atlas/ext/bus.h>
#include <atlas/ext/cli.h>
#include <atlas/ext/config.h>
#include <atlas/ext/identity.h>
#include <atlas/ext/listener.h>
#include <atlas/ext/log.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <atlas/ext/peers.h>
#include <atlas/ext/protocols.h>
#include <atlas/ext/routes.h>
#include <atlas/ext/store.h>
#include <atlas/ext/streams.h>
#include <atlas/ext/timers.h>
#include <stdlib.h>
#include <string.h>

#ifndef VARIANT_ID
#define VARIANT_ID "every"
#endif
#ifndef VARIANT_MINOR
#define VARIANT_MINOR 0
#endif

#define SIXTEEN_D "dddddddddddddddd"
#define PEER "atlas_" SIXTEEN_D SIXTEEN_D SIXTEEN_D SIXTEEN_D

enum { COUNTERS = 9 };
enum { MESSAGES, TICKS, POSTS, ANSWERS, DURABLE, EVENTS, PEERS, DRAINS, ABSENT };
static const char *const counter_names[COUNTERS] = {"messages", "ticks", "posts",  "answers", "durable",
                                                    "events",   "peers", "drains", "absent"};

struct every {
    const atlas_host *host;
    const atlas_ext_bus *bus;
    const atlas_ext_cli *cli;
    const atlas_ext_config *config;
    const atlas_ext_identity *identity;
    const atlas_ext_listener *listener;
    const atlas_ext_log *log;
    const atlas_ext_messages *messages;
    const atlas_ext_metrics *metrics;
    const atlas_ext_peers *peers;
    const atlas_ext_protocols *protocols;
    const atlas_ext_routes *routes;
    const atlas_ext_store *store;
    const atlas_ext_streams *streams;
    const atlas_ext_timers *timers;
    atlas_metric counters[COUNTERS];
    int64_t limit;
    uint64_t interval;
};

static atlas_bytes bytes(const char *text) {
    atlas_bytes out = {(const uint8_t *)text, strlen(text)};
    return out;
}
static atlas_text text(const char *words) {
    atlas_text out = {words, strlen(words)};
    return out;
}
static void count(struct every *every, int what) {
    every->metrics->add(every->host, every->counters[what], 1);
}

/* --- what the host calls --- */

static atlas_status on_message(void *self, const atlas_message *message) {
    struct every *every = self;
    count(every, MESSAGES);
    return every->messages->reply(every->host, message->reply_to, 0xa1, message->body);
}
static void on_answer(void *arg, const atlas_answer *answer) {
    if (answer->status == ATLAS_OK && answer->body.size == 3) count(arg, ANSWERS);
}
static void on_connected(void *arg, const atlas_connected *result) {
    (void)result;
    count(arg, EVENTS);
}
static void on_durable(void *arg, atlas_status status) {
    if (status == ATLAS_OK) count(arg, DURABLE);
}
static void on_tick(void *arg) { count(arg, TICKS); }
static void on_post(void *arg) { count(arg, POSTS); }
static void on_changed(void *self) { count(self, EVENTS); }
static void on_bus_event(void *self, const atlas_bus_event *event) {
    (void)event;
    count(self, EVENTS);
}
static atlas_status on_bus_request(void *self, const atlas_bus_request *request) {
    struct every *every = self;
    return every->bus->answer(every->host, request->call, request->body);
}
static void on_bus_answer(void *arg, const atlas_bus_answer *answer) {
    if (answer->status == ATLAS_OK) count(arg, ANSWERS);
}
static void on_route_ended(void *arg, atlas_route route, uint32_t why, const atlas_route_counters *last) {
    (void)route;
    (void)why;
    (void)last;
    count(arg, EVENTS);
}
static void on_path_wanted(void *self, const atlas_path_request *request) {
    struct every *every = self;
    every->routes->not_found(every->host, request->reach, ATLAS_E_UNREACHABLE, text("none"));
}
static atlas_status on_stream_opened(void *self, const atlas_stream_opened *opened) {
    struct every *every = self;
    return every->streams->set_arg(every->host, opened->stream, every);
}
static void on_stream(void *self, const atlas_stream_event *event) {
    struct every *every = self;
    count(every, EVENTS);
    if (event->what == ATLAS_STREAM_DATA) every->streams->credit(every->host, event->stream, event->data.size);
}
static atlas_status on_verify(void *self, const atlas_presented *presented, atlas_verdict *verdict) {
    (void)self;
    (void)presented;
    verdict->identity_size = 1;
    return ATLAS_OK;
}
static void on_connection(void *self, const atlas_connection_event *event) {
    (void)event;
    count(self, EVENTS);
}
static atlas_status on_command(void *self, const atlas_cli_run *run) {
    struct every *every = self;
    every->cli->emit(every->host, run->call, ATLAS_EMIT_RESULT, text("{\"ok\":true}"));
    return every->cli->finish(every->host, run->call, ATLAS_OK, text(""));
}
static void ignore_text(void *arg, atlas_text value) {
    (void)arg;
    (void)value;
}
static void ignore_info(void *arg, const atlas_listener_info *info) {
    (void)arg;
    (void)info;
}

/* --- init: claims --- */

static atlas_status get_tables(struct every *every) {
    const atlas_host *host = every->host;
    if (!(every->bus = host->extension(host, ATLAS_EXT_BUS))) return ATLAS_E_STATE;
    if (!(every->cli = host->extension(host, ATLAS_EXT_CLI))) return ATLAS_E_STATE;
    if (!(every->config = host->extension(host, ATLAS_EXT_CONFIG))) return ATLAS_E_STATE;
    if (!(every->identity = host->extension(host, ATLAS_EXT_IDENTITY))) return ATLAS_E_STATE;
    if (!(every->listener = host->extension(host, ATLAS_EXT_LISTENER))) return ATLAS_E_STATE;
    if (!(every->log = host->extension(host, ATLAS_EXT_LOG))) return ATLAS_E_STATE;
    if (!(every->messages = host->extension(host, ATLAS_EXT_MESSAGES))) return ATLAS_E_STATE;
    if (!(every->metrics = host->extension(host, ATLAS_EXT_METRICS))) return ATLAS_E_STATE;
    if (!(every->peers = host->extension(host, ATLAS_EXT_PEERS))) return ATLAS_E_STATE;
    if (!(every->protocols = host->extension(host, ATLAS_EXT_PROTOCOLS))) return ATLAS_E_STATE;
    if (!(every->routes = host->extension(host, ATLAS_EXT_ROUTES))) return ATLAS_E_STATE;
    if (!(every->store = host->extension(host, ATLAS_EXT_STORE))) return ATLAS_E_STATE;
    if (!(every->streams = host->extension(host, ATLAS_EXT_STREAMS))) return ATLAS_E_STATE;
    if (!(every->timers = host->extension(host, ATLAS_EXT_TIMERS))) return ATLAS_E_STATE;
    return ATLAS_OK;
}

/* Ends the function at the first call that fails. */
#define MUST(call)                          \
    do {                                    \
        const atlas_status status = (call); \
        if (status < 0) return status;      \
    } while (0)

static atlas_status read_keys(struct every *every) {
    const atlas_host *host = every->host;
    uint32_t flag = 0;
    atlas_text name = {NULL, 0};
    MUST(every->config->boolean(host, "flag", 1, "A flag.", &flag));
    MUST(every->config->integer(host, "limit", 7, 1, 100, "A number.", &every->limit));
    MUST(every->config->millis(host, "interval", 1000, 1, 60000, "A time.", &every->interval));
    MUST(every->config->text(host, "name", text("north"), "A name.", &name));
    MUST(every->config->texts(host, "regions", "Some names.", NULL, ignore_text));
    return every->config->node_key(host, "network.port", NULL, ignore_text);
}

static atlas_status claim_protocol(struct every *every) {
    atlas_protocol_limits limits = {.struct_size = sizeof limits, .max_connections = 9};
    atlas_protocol protocol = {.struct_size = sizeof protocol,
                               .flags = ATLAS_PROTOCOL_ACCEPTS,
                               .alpn = text(VARIANT_ID "/1"),
                               .limits = &limits,
                               .verify = on_verify,
                               .event = on_connection,
                               .stream = on_stream};
    return every->protocols->claim(every->host, &protocol);
}

static atlas_status claim_command(struct every *every) {
    const atlas_cli_arg args[] = {
        {.struct_size = sizeof(atlas_cli_arg), .name = "first", .kind = ATLAS_ARG_TEXT, .required = 1},
        {.struct_size = sizeof(atlas_cli_arg), .name = "--second", .kind = ATLAS_ARG_INTEGER}};
    const atlas_cli_command command = {.struct_size = sizeof(atlas_cli_command),
                                       .path = "every thing",
                                       .where = ATLAS_CLI_DAEMON,
                                       .summary = "Does everything.",
                                       .args = args,
                                       .arg_count = 2};
    return every->cli->command(every->host, &command, on_command, NULL);
}

static atlas_status claim(struct every *every) {
    const atlas_host *host = every->host;
    int i;
    for (i = 0; i < COUNTERS; ++i) {
        MUST(every->metrics->define(host, counter_names[i], ATLAS_METRIC_COUNTER, "", &every->counters[i]));
    }
    MUST(every->messages->handle(host, 0xa0, ATLAS_HANDLE_ANSWERS, on_message));
    MUST(every->streams->accept(host, 0xa2, on_stream_opened, on_stream));
    MUST(every->bus->subscribe(host, text("neighbour/news"), on_bus_event));
    MUST(every->bus->offer(host, text(VARIANT_ID "/echo"), on_bus_request));
    MUST(every->listener->watch(host, on_changed));
    MUST(every->routes->provide(host, on_path_wanted));
    MUST(claim_protocol(every));
    MUST(claim_command(every));
    return read_keys(every);
}

static atlas_status init(const atlas_host *host, void **self) {
    struct every *every = calloc(1, sizeof *every);
    atlas_status status;
    if (!every) return ATLAS_E_INTERNAL;
    every->host = host;
    status = get_tables(every);
    if (status == ATLAS_OK) status = claim(every);
    if (status < 0) {
        free(every);
        return status;
    }
    *self = every;
    return ATLAS_OK;
}

/* --- start: work --- */

#ifdef LATER
static void look_for_what_is_new(struct every *every) {
    if (ATLAS_HAS(every->host, atlas_host, later)) {
        every->host->later(every->host);
    } else {
        count(every, ABSENT);
    }
    if (ATLAS_HAS(every->messages, atlas_ext_messages, later)) {
        every->messages->later(every->host);
    } else {
        count(every, ABSENT);
    }
}
#endif

static atlas_status ask_peers(struct every *every) {
    const atlas_host *host = every->host;
    const atlas_route_options options = {.struct_size = sizeof options, .idle_ms = 1000};
    atlas_peer peer = 0;
    atlas_route route = 0;
    atlas_route_prefixes prefixes;
    atlas_stream stream = 0;
    MUST(every->messages->send(host, 7, 0xa0, bytes("\x80")));
    MUST(every->messages->request(host, 7, 0xa0, bytes("\x80"), 1000, on_answer, every, NULL));
    MUST(every->peers->connect(host, text("192.0.2.9:4433"), 1000, on_connected, every));
    MUST(every->peers->find(host, text(PEER), &peer));
    MUST(every->routes->add(host, 7, 8, &options, on_route_ended, every, &route, &prefixes));
    MUST(every->streams->open(host, 7, 0xa2, bytes("\x80"), on_stream, every, &stream));
    return every->streams->write(host, stream, bytes("hello"));
}

static atlas_status speak_another(struct every *every) {
    const atlas_bytes chain = bytes("a certificate");
    const atlas_text alpn = text(VARIANT_ID "/1");
    atlas_connection connection = 0;
    MUST(every->protocols->credentials(every->host, alpn, &chain, 1, bytes("a key")));
    return every->protocols->dial(every->host, alpn, text("192.0.2.9:4433"), text(""), 1000, every, &connection);
}

static atlas_status sign(struct every *every) {
    const atlas_host *host = every->host;
    atlas_public_key key;
    atlas_signature signature;
    MUST(every->identity->self(host, &key));
    MUST(every->identity->sign(host, text("test"), bytes("message"), &signature));
    return every->identity->verify(host, &key, text(""), text("test"), bytes("message"), &signature);
}

static atlas_status start(void *self) {
    struct every *every = self;
    const atlas_host *host = every->host;
    every->log->write(host, ATLAS_LOG_DEBUG, text("starts"));
    MUST(host->post(host, on_post, every));
    MUST(every->timers->start(host, every->interval, every->interval, on_tick, every, NULL));
    MUST(every->store->put(host, bytes("key"), bytes("value"), on_durable, every));
    MUST(every->listener->info(host, NULL, ignore_info));
    MUST(every->bus->publish(host, text(VARIANT_ID "/news"), bytes("\x80"), NULL));
    MUST(every->bus->request(host, text("neighbour/echo"), bytes("\x80"), 1000, on_bus_answer, every));
    MUST(ask_peers(every));
    MUST(speak_another(every));
    MUST(sign(every));
#ifdef LATER
    look_for_what_is_new(every);
#endif
    return ATLAS_OK;
}

static void drain(void *self, uint32_t deadline_ms) {
    (void)deadline_ms;
    count(self, DRAINS);
}

static void stop(void *self) { free(self); }

#ifndef EARLIER
static void peer_event(void *self, const atlas_peer_event *event) {
    (void)event;
    count(self, PEERS);
}
#endif

static const char *const needs[] = {ATLAS_EXT_BUS,      ATLAS_EXT_IDENTITY,  ATLAS_EXT_LISTENER,
                                    ATLAS_EXT_MESSAGES, ATLAS_EXT_PROTOCOLS, ATLAS_EXT_STREAMS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = VARIANT_MINOR,
    .id = VARIANT_ID,
    .version = "1.0",
    .summary = "Uses everything once.",
    .needs = needs,
    .init = init,
    .start = start,
    .drain = drain,
    .stop = stop,
#ifndef EARLIER
    .peer_event = peer_event,
#endif
};
