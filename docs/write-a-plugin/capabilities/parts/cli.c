/* `atlas net roll [--sides N]`: throws a die in the running node. */
#include <atlas/ext/cli.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* page */
struct role {
    const atlas_host *host;
    const atlas_ext_cli *cli;
};

static atlas_text text(const char *words) {
    const atlas_text out = {words, strlen(words)};
    return out;
}

/* The arguments have the kinds that were declared; whether a number makes sense is for the role to say. */
static long sides_of(const atlas_cli_run *run) {
    for (size_t i = 0; i < run->count; i++) {
        char number[24] = {0};
        if (run->names[i].size < 5 || memcmp(run->names[i].data + run->names[i].size - 5, "sides", 5) != 0) continue;
        if (run->values[i].size >= sizeof number) return 0;
        memcpy(number, run->values[i].data, run->values[i].size);
        return strtol(number, NULL, 10);
    }
    return 6;
}

static atlas_status on_roll(void *self, const atlas_cli_run *run) {
    const struct role *role = self;
    const long sides = sides_of(run);
    if (sides < 2 || sides > 250) {
        return role->cli->finish(role->host, run->call, ATLAS_E_ARG, text("--sides: from 2 to 250"));
    }
    uint8_t byte;
    do {
        role->host->random(role->host, &byte, 1);
    } while (byte >= 256 / sides * sides);
    char json[32];
    snprintf(json, sizeof json, "{\"face\":%ld}", 1 + byte % sides);
    const atlas_status status = role->cli->emit(role->host, run->call, ATLAS_EMIT_RESULT, text(json));
    return role->cli->finish(role->host, run->call, status, text(""));
}

static atlas_status claim(const struct role *role) {
    static const atlas_cli_arg args[] = {
        {sizeof(atlas_cli_arg), "--sides", ATLAS_ARG_INTEGER, 0, "how many the die has (default 6)"}};
    static const atlas_cli_command roll = {
        sizeof roll, "roll", ATLAS_CLI_DAEMON, "Throw a die in the running node.", args, 1, "face"};
    return role->cli->command(role->host, &roll, on_roll, NULL);
}
/* end of page */

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = malloc(sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->cli = host->extension(host, ATLAS_EXT_CLI);
    const atlas_status status = claim(role);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_CLI, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.cli",
    .version = "1.0.0",
    .summary = "Throws dice for people.",
    .needs = needs,
    .init = init,
    .stop = stop,
};
