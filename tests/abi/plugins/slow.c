/* Its handler lasts as many milliseconds of the host's clock as the message has bytes. */
#include <atlas/ext/messages.h>
#include <stddef.h>

#include "idle.h"

static const atlas_host *the_host;

static atlas_status on_message(void *self, const atlas_message *message) {
    const uint64_t until = the_host->now_ms(the_host) + message->body.size;
    (void)self;
    while (the_host->now_ms(the_host) < until) {
    }
    return ATLAS_OK;
}

static atlas_status init(const atlas_host *host, void **self) {
    const atlas_ext_messages *messages = host->extension(host, ATLAS_EXT_MESSAGES);
    the_host = host;
    *self = NULL;
    return messages->handle(host, 0x95, 0, on_message);
}

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "slow",
    .version = "1.0",
    .summary = "Takes its time.",
    .init = init,
    .start = idle_start,
    .stop = idle_stop,
};
