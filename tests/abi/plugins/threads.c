/* Four threads of its own call every [any] function as fast as they can until stop() joins them. */
#include <atlas/ext/cli.h>
#include <atlas/ext/log.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <atlas/ext/peers.h>
#include <atlas/ext/routes.h>
#include <atlas/ext/store.h>
#include <atlas/ext/timers.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 4 };

struct hammer {
    const atlas_host *host;
    const atlas_ext_messages *messages;
    const atlas_ext_metrics *metrics;
    const atlas_ext_store *store;
    const atlas_ext_timers *timers;
    const atlas_ext_cli *cli;
    const atlas_ext_peers *peers;
    const atlas_ext_log *log;
    const atlas_ext_routes *routes;
    atlas_metric rounds, begun, ended, asked;
    atomic_bool stopping;
    pthread_t threads[THREADS];
};

static void count_end(struct hammer *hammer) { hammer->metrics->add(hammer->host, hammer->ended, 1); }
static void posted(void *arg) { (void)arg; }
static void ticked(void *arg) { (void)arg; }
static void answered(void *arg, const atlas_answer *answer) {
    (void)answer;
    count_end(arg);
}
static void connected(void *arg, const atlas_connected *result) {
    (void)result;
    count_end(arg);
}
static void stored(void *arg, atlas_status status) {
    (void)status;
    count_end(arg);
}
static void route_ended(void *arg, atlas_route route, uint32_t why, const atlas_route_counters *last) {
    (void)route;
    (void)why;
    (void)last;
    count_end(arg);
}
static void ignore(void *arg, const atlas_peer_info *info) {
    (void)arg;
    (void)info;
}

/* What was accepted must end: exactly one callback each. */
static void expect(struct hammer *hammer, atlas_status status) {
    if (status == ATLAS_OK) hammer->metrics->add(hammer->host, hammer->begun, 1);
}

static void forward(struct hammer *h, uint8_t dice) {
    const atlas_host *host = h->host;
    const atlas_route_options options = {sizeof options, 1000, 0, 0};
    atlas_route_counters counters = {.struct_size = sizeof counters};
    atlas_route_prefixes prefixes;
    atlas_route route = 0;
    const atlas_status status = h->routes->add(host, 7, 8, &options, route_ended, h, &route, &prefixes);
    expect(h, status);
    if (status != ATLAS_OK) return;
    h->routes->counters(host, route, &counters);
    if (dice % 2 == 0) h->routes->remove(host, route);
}

/* Answers dials, those that were asked about and others. */
static void answer_dial(struct hammer *h, atlas_reach reach, atlas_text node_id) {
    const atlas_path path = {.struct_size = sizeof path, .via = 7, .route = {1}, .peer_route = {2}, .node_id = node_id};
    const atlas_text why = {"none", 4};
    if (reach % 2 == 0) h->routes->found(h->host, reach, &path);
    h->routes->not_found(h->host, reach, ATLAS_E_DENIED, why);
    h->routes->expect(h->host, &path);
}
static void path_wanted(void *self, const atlas_path_request *request) {
    struct hammer *h = self;
    h->metrics->add(h->host, h->asked, 1);
    answer_dial(self, request->reach, request->node_id);
}

static void one_round(struct hammer *h) {
    const atlas_host *host = h->host;
    const atlas_bytes bytes = {(const uint8_t *)"key", 3};
    const atlas_text text = {"192.0.2.1:4433", 14};
    uint8_t random[8];
    atlas_timer timer = 0;
    atlas_request request = 0;
    atlas_peer peer = 0;
    char error[64];
    host->now_ms(host);
    host->unix_ms(host);
    host->random(host, random, sizeof random);
    host->last_error(host, error, sizeof error);
    host->post(host, posted, h);
    h->messages->send(host, 7, 0x90, bytes);
    expect(h, h->messages->request(host, 7, 0x90, bytes, 1000, answered, h, NULL));
    if (h->messages->request(host, 7, 0x90, bytes, 1000, answered, h, &request) == ATLAS_OK) {
        if (h->messages->cancel(host, request) != ATLAS_OK) expect(h, ATLAS_OK);
    }
    h->messages->reply(host, request, 0x91, bytes);
    if (h->timers->start(host, 1, 1, ticked, h, &timer) == ATLAS_OK) h->timers->cancel(host, timer);
    expect(h, h->peers->connect(host, text, 1000, connected, h));
    h->peers->find(host, text, &peer);
    h->peers->info(host, 7, h, ignore);
    h->peers->self(host, h, ignore);
    h->peers->disconnect(host, 9, 0, text);
    expect(h, h->store->put(host, bytes, bytes, stored, h));
    h->cli->emit(host, random[0], ATLAS_EMIT_ROW, text);
    h->log->write(host, ATLAS_LOG_DEBUG, text);
    forward(h, random[1]);
    answer_dial(h, random[2], text);
    h->metrics->add(host, h->rounds, 1);
}

static void *run(void *arg) {
    struct hammer *hammer = arg;
    int i;
    for (i = 0; i < 400 && !atomic_load(&hammer->stopping); ++i) one_round(hammer);
    return NULL;
}

static atlas_status init(const atlas_host *host, void **self) {
    struct hammer *h = calloc(1, sizeof *h);
    if (!h) return ATLAS_E_INTERNAL;
    *self = h;
    h->host = host;
    h->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    h->metrics = host->extension(host, ATLAS_EXT_METRICS);
    h->store = host->extension(host, ATLAS_EXT_STORE);
    h->timers = host->extension(host, ATLAS_EXT_TIMERS);
    h->cli = host->extension(host, ATLAS_EXT_CLI);
    h->peers = host->extension(host, ATLAS_EXT_PEERS);
    h->log = host->extension(host, ATLAS_EXT_LOG);
    h->routes = host->extension(host, ATLAS_EXT_ROUTES);
    h->routes->provide(host, path_wanted);
    h->metrics->define(host, "rounds", ATLAS_METRIC_COUNTER, "", &h->rounds);
    h->metrics->define(host, "asked", ATLAS_METRIC_COUNTER, "", &h->asked);
    h->metrics->define(host, "begun", ATLAS_METRIC_COUNTER, "", &h->begun);
    return h->metrics->define(host, "ended", ATLAS_METRIC_COUNTER, "", &h->ended);
}

static atlas_status start(void *self) {
    struct hammer *hammer = self;
    int i;
    for (i = 0; i < THREADS; ++i) {
        if (pthread_create(&hammer->threads[i], NULL, run, hammer) != 0) abort();
    }
    return ATLAS_OK;
}

static void stop(void *self) {
    struct hammer *hammer = self;
    int i;
    atomic_store(&hammer->stopping, 1);
    for (i = 0; i < THREADS; ++i) pthread_join(hammer->threads[i], NULL);
    free(hammer);
}

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "threads",
    .version = "1.0",
    .summary = "Hammers.",
    .init = init,
    .start = start,
    .stop = stop,
};
