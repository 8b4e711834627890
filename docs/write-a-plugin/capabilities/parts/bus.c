/* Counts for other plugins: whoever asks org.example.bus/add gets the new sum, and everybody hears of it. */
#include <atlas/ext/bus.h>
#include <atlas/ext/log.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_bus *bus;
    uint8_t sum;
};

static atlas_text text(const char *words) {
    const atlas_text out = {words, strlen(words)};
    return out;
}

static atlas_status on_add(void *self, const atlas_bus_request *request) {
    struct role *role = self;
    role->sum++;
    const atlas_bytes sum = {&role->sum, 1};
    role->bus->publish(role->host, text("org.example.bus/sum"), sum, NULL);
    return role->bus->answer(role->host, request->call, sum);
}

static void on_weather_now(void *arg, const atlas_bus_answer *answer) {
    const struct role *role = arg;
    role->log->write(role->host, ATLAS_LOG_INFO, text(answer->status < 0 ? "no weather" : "weather"));
}

/* The other plugin need not be there: then nothing is heard, and requests end with GONE. */
static void on_weather(void *self, const atlas_bus_event *event) {
    struct role *role = self;
    const atlas_bytes nothing = {NULL, 0};
    (void)event;
    role->bus->request(role->host, text("org.example.weather/now"), nothing, 1000, on_weather_now, role);
}

static atlas_status claim(const struct role *role) {
    const atlas_status status = role->bus->offer(role->host, text("org.example.bus/add"), on_add);
    if (status < 0) return status;
    return role->bus->subscribe(role->host, text("org.example.weather/changed"), on_weather);
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->bus = host->extension(host, ATLAS_EXT_BUS);
    const atlas_status status = claim(role);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_BUS, ATLAS_EXT_LOG, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.bus",
    .version = "1.0.0",
    .summary = "Counts for other plugins.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
