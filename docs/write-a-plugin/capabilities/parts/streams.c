/* Sends back, on raw streams of type 0xc0, what comes; slowly where the peer reads slowly. */
#include <atlas/ext/streams.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_streams *streams;
};

struct echo { /* of one stream; freed with its CLOSED */
    uint8_t *waiting;
    size_t size;
    int fin;
};

/* Writes what there is room for. Only what was written is credited, so `waiting` never outgrows the window. */
static void pump(const struct role *role, atlas_stream stream, struct echo *echo) {
    while (echo->size > 0) {
        const atlas_bytes piece = {echo->waiting, echo->size < 16384 ? echo->size : 16384};
        if (role->streams->write(role->host, stream, piece) < 0) return; /* FULL: WRITABLE follows */
        role->streams->credit(role->host, stream, piece.size);
        echo->size -= piece.size;
        memmove(echo->waiting, echo->waiting + piece.size, echo->size);
    }
    if (echo->fin) role->streams->finish(role->host, stream);
}

static int keep(struct echo *echo, atlas_bytes data) {
    uint8_t *grown = realloc(echo->waiting, echo->size + data.size + 1);
    if (grown == NULL) return 0;
    if (data.size > 0) memcpy(grown + echo->size, data.data, data.size);
    echo->waiting = grown;
    echo->size += data.size;
    return 1;
}

static void on_event(void *self, const atlas_stream_event *event) {
    const struct role *role = self;
    struct echo *echo = event->arg;
    switch (event->what) {
        case ATLAS_STREAM_DATA:
            if (!keep(echo, event->data)) role->streams->reset(role->host, event->stream, 1);
            echo->fin = event->fin != 0;
            pump(role, event->stream, echo);
            break;
        case ATLAS_STREAM_WRITABLE: pump(role, event->stream, echo); break;
        case ATLAS_STREAM_RESET: role->streams->reset(role->host, event->stream, event->code); break;
        case ATLAS_STREAM_STOPPED: role->streams->stop(role->host, event->stream, event->code); break;
        case ATLAS_STREAM_CLOSED:
            free(echo->waiting);
            free(echo);
            break;
        default: break; /* of a newer host */
    }
}

static atlas_status on_opened(void *self, const atlas_stream_opened *opened) {
    const struct role *role = self;
    struct echo *echo = calloc(1, sizeof *echo);
    if (echo == NULL) return ATLAS_E_INTERNAL;
    const atlas_status status = role->streams->set_arg(role->host, opened->stream, echo);
    if (status < 0) free(echo);
    return status;
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->streams = host->extension(host, ATLAS_EXT_STREAMS);
    const atlas_status status = role->streams->accept(host, 0xc0, on_opened, on_event);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_STREAMS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.streams",
    .version = "1.0.0",
    .summary = "Sends back what comes on raw streams.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
