/* Answers 0xc0 with its signature under what it was sent: {"signature": 64 bytes}. */
#include <atlas/ext/identity.h>
#include <atlas/ext/messages.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_identity *identity;
    const atlas_ext_messages *messages;
};

static const atlas_text kReceipt = {"receipt", 7}; /* what these signatures are for, and nothing else */

static atlas_status on_request(void *self, const atlas_message *message) {
    const struct role *role = self;
    atlas_signature signature;
    const atlas_status status = role->identity->sign(role->host, kReceipt, message->body, &signature);
    if (status < 0) return status;
    /* One MessagePack map: a text of 9 bytes, then a bin of 64. */
    uint8_t map[1 + 1 + 9 + 2 + 64] = {0x81, 0xa9, 's', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', 0xc4, 64};
    memcpy(map + 13, signature.bytes, sizeof signature.bytes);
    const atlas_bytes answer = {map, sizeof map};
    return role->messages->reply(role->host, message->reply_to, 0xc1, answer);
}

/* Whether `signature` is what the peer's role of the same id signed as a receipt for `body`. */
static int is_receipt(const struct role *role, atlas_peer peer, atlas_bytes body, const atlas_signature *signature) {
    const atlas_text same_plugin = {NULL, 0};
    atlas_public_key key;
    if (role->identity->peer(role->host, peer, &key) < 0) return 0; /* it has gone */
    return role->identity->verify(role->host, &key, same_plugin, kReceipt, body, signature) == ATLAS_OK;
}
/* end of page */

/* 0xc2 {"signature", "body"}, in this order and as bins of 64 and of at most 255 bytes, is answered with 0xc3 {"good"}.
 * A role that takes every encoding of the same map uses a library for MessagePack. */
static atlas_status on_receipt(void *self, const atlas_message *message) {
    static const uint8_t first[] = {0x82, 0xa9, 's', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', 0xc4, 64};
    static const uint8_t second[] = {0xa4, 'b', 'o', 'd', 'y', 0xc4};
    enum { SIGNATURE = sizeof first, NAME = SIGNATURE + 64, BODY = NAME + sizeof second + 1 };
    const struct role *role = self;
    const uint8_t *map = message->body.data;
    atlas_signature signature;
    if (message->body.size < BODY || memcmp(map, first, sizeof first) != 0 ||
        memcmp(map + NAME, second, sizeof second) != 0) {
        return ATLAS_E_ARG;
    }
    memcpy(signature.bytes, map + SIGNATURE, sizeof signature.bytes);
    const atlas_bytes body = {map + BODY, message->body.size - BODY};
    const uint8_t good = is_receipt(role, message->from, body, &signature) ? 0xc3 : 0xc2;
    const uint8_t out[] = {0x81, 0xa4, 'g', 'o', 'o', 'd', good};
    const atlas_bytes answer = {out, sizeof out};
    return role->messages->reply(role->host, message->reply_to, 0xc3, answer);
}

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->identity = host->extension(host, ATLAS_EXT_IDENTITY);
    role->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    atlas_status status = role->messages->handle(host, 0xc0, ATLAS_HANDLE_ANSWERS, on_request);
    if (status >= 0) status = role->messages->handle(host, 0xc2, ATLAS_HANDLE_ANSWERS, on_receipt);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_IDENTITY, ATLAS_EXT_MESSAGES, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.identity",
    .version = "1.0.0",
    .summary = "Signs what it is sent.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
