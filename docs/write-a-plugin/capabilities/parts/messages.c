/* Answers 0xc0 with what the peer itself says when it is asked 0xc2: one exchange inside another. */
#include <atlas/ext/messages.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_messages *messages;
};

struct open_question { /* lives from the request to its end, which comes exactly once */
    struct role *role;
    atlas_reply_to reply_to;
};

static void on_answer(void *arg, const atlas_answer *answer) {
    struct open_question *open = arg;
    const struct role *role = open->role;
    if (answer->status == ATLAS_OK && answer->error_code == 0) {
        role->messages->reply(role->host, open->reply_to, 0xc1, answer->body);
    } else {
        const atlas_text why = {"you did not answer", 18};
        role->messages->fail(role->host, open->reply_to, ATLAS_ERROR_REJECTED, why);
    }
    free(open);
}

static atlas_status on_request(void *self, const atlas_message *message) {
    struct role *role = self;
    struct open_question *open = malloc(sizeof *open);
    if (open == NULL) return ATLAS_E_INTERNAL;
    open->role = role;
    open->reply_to = message->reply_to; /* a number, to be kept; the body is not */
    const atlas_status status =
        role->messages->request(role->host, message->from, 0xc2, message->body, 5000, on_answer, open, NULL);
    if (status < 0) free(open); /* nothing was begun: on_answer will not run */
    return status;              /* a negative one has the core answer in our place */
}

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->messages = host->extension(host, ATLAS_EXT_MESSAGES);
    const atlas_status status = role->messages->handle(host, 0xc0, ATLAS_HANDLE_ANSWERS, on_request);
    if (status < 0) free(role);
    *self = role;
    return status;
}
/* end of page */

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_MESSAGES, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.messages",
    .version = "1.0.0",
    .summary = "Asks back.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
