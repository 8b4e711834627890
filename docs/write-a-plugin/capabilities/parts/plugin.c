/* Throws a die for whoever asks: 0xc0 {} is answered with 0xc1 {"face":1..6}. */
#include <atlas/ext/messages.h>
#include <stdlib.h>

struct dice {
    const atlas_host *host;
    const atlas_ext_messages *messages;
};

static atlas_status on_roll(void *self, const atlas_message *message) {
    const struct dice *dice = self;
    uint8_t byte;
    do {
        dice->host->random(dice->host, &byte, 1);
    } while (byte >= 252); /* 42 times 6: each face is as likely */
    const uint8_t map[] = {0x81, 0xa4, 'f', 'a', 'c', 'e', (uint8_t)(1 + byte % 6)};
    const atlas_bytes answer = {map, sizeof map};
    return dice->messages->reply(dice->host, message->reply_to, 0xc1, answer);
}

static atlas_status init(const atlas_host *host, void **self) {
    struct dice *dice = malloc(sizeof *dice);
    if (dice == NULL) return ATLAS_E_INTERNAL;
    dice->host = host;
    dice->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    const atlas_status status = dice->messages->handle(host, 0xc0, ATLAS_HANDLE_ANSWERS, on_roll);
    if (status < 0) {
        free(dice); /* after a failed init, stop() is not called */
        return status;
    }
    *self = dice;
    return ATLAS_OK;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_MESSAGES, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0, /* loads on every 1.x host */
    .id = "org.example.plugin",
    .version = "1.0.0",
    .summary = "Throws a die for whoever asks.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
