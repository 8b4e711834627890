/* Claims one thing of each kind that only one plugin of a node can have, and goes on when it cannot. Built under two
 * ids, which then want the same. */
#include <atlas/ext/cli.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/protocols.h>
#include <atlas/ext/routes.h>
#include <atlas/ext/streams.h>
#include <stddef.h>

#include "idle.h"

static atlas_status on_message(void *self, const atlas_message *message) {
    (void)self;
    (void)message;
    return ATLAS_OK;
}
static atlas_status on_command(void *self, const atlas_cli_run *run) {
    (void)self;
    (void)run;
    return ATLAS_OK;
}
static atlas_status on_opened(void *self, const atlas_stream_opened *stream) {
    (void)self;
    (void)stream;
    return ATLAS_OK;
}
static void on_stream(void *self, const atlas_stream_event *event) {
    (void)self;
    (void)event;
}
static atlas_status on_verify(void *self, const atlas_presented *presented, atlas_verdict *verdict) {
    (void)self;
    (void)presented;
    (void)verdict;
    return ATLAS_OK;
}
static void on_connection(void *self, const atlas_connection_event *event) {
    (void)self;
    (void)event;
}
static void on_wanted(void *self, const atlas_path_request *request) {
    (void)self;
    (void)request;
}

static atlas_status init(const atlas_host *host, void **self) {
    const atlas_ext_messages *messages = host->extension(host, ATLAS_EXT_MESSAGES);
    const atlas_ext_streams *streams = host->extension(host, ATLAS_EXT_STREAMS);
    const atlas_ext_cli *cli = host->extension(host, ATLAS_EXT_CLI);
    const atlas_ext_protocols *protocols = host->extension(host, ATLAS_EXT_PROTOCOLS);
    const atlas_ext_routes *routes = host->extension(host, ATLAS_EXT_ROUTES);
    const atlas_cli_command command = {.struct_size = sizeof command,
                                       .path = "twice",
                                       .where = ATLAS_CLI_DAEMON,
                                       .summary = "Twice."};
    const atlas_protocol protocol = {.struct_size = sizeof protocol,
                                     .flags = ATLAS_PROTOCOL_ACCEPTS,
                                     .alpn = {"twice/1", 7},
                                     .verify = on_verify,
                                     .event = on_connection,
                                     .stream = on_stream};
    *self = NULL;
    messages->handle(host, 0xb0, 0, on_message);
    streams->accept(host, 0xb1, on_opened, on_stream);
    cli->command(host, &command, on_command, NULL);
    protocols->claim(host, &protocol);
    routes->provide(host, on_wanted);
    return ATLAS_OK;
}

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = VARIANT_ID,
    .version = "1.0",
    .summary = "Wants what another has.",
    .init = init,
    .start = idle_start,
    .stop = idle_stop,
};
