/* Claims one message type, and more where a variant asks for it; the build sets which, and whether init then fails. */
#include <atlas/ext/cli.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <stddef.h>

#include "idle.h"

#ifndef VARIANT_FLAGS
#define VARIANT_FLAGS 0
#endif

/* Neither answers nor fails. */
static atlas_status on_message(void *self, const atlas_message *message) {
    (void)self;
    (void)message;
    return ATLAS_OK;
}

#ifdef VARIANT_FAILS
static atlas_status on_command(void *self, const atlas_cli_run *run) {
    (void)self;
    (void)run;
    return ATLAS_OK;
}

static atlas_status fail_late(const atlas_host *host) {
    const atlas_ext_metrics *metrics = host->extension(host, ATLAS_EXT_METRICS);
    const atlas_ext_cli *cli = host->extension(host, ATLAS_EXT_CLI);
    atlas_cli_command command = {sizeof(atlas_cli_command), "fails", ATLAS_CLI_DAEMON, "", NULL, 0, NULL};
    atlas_metric metric = 0;
    if (metrics->define(host, "things", ATLAS_METRIC_COUNTER, "", &metric) != ATLAS_OK) return ATLAS_E_STATE;
    if (cli->command(host, &command, on_command, NULL) != ATLAS_OK) return ATLAS_E_STATE;
    return ATLAS_E_INTERNAL;
}
#endif

static atlas_status init(const atlas_host *host, void **self) {
    const atlas_ext_messages *messages = host->extension(host, ATLAS_EXT_MESSAGES);
    atlas_status status = messages->handle(host, VARIANT_TYPE, VARIANT_FLAGS, on_message);
    *self = NULL;
#ifdef VARIANT_FAILS
    if (status == ATLAS_OK) status = fail_late(host);
#endif
    return status;
}

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = VARIANT_ID,
    .version = "1.0",
    .summary = "Claims a type.",
    .init = init,
    .start = idle_start,
    .stop = idle_stop,
};
