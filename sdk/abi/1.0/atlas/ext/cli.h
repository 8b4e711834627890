/* atlas.cli/1 - commands for people at a terminal: `atlas net <path> ...`.
 *
 * A command runs on the plugin's strand, in the daemon or, when none runs, inside the `atlas` process with a
 * short-lived client node. It must not block: it emits JSON, now or later, and finishes once. The core renders text
 * and tables, or hands the JSON through with --json; the plugin never sees a terminal. */
#ifndef ATLAS_EXT_CLI_H
#define ATLAS_EXT_CLI_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_CLI "atlas.cli/1"

enum {
    ATLAS_CLI_DAEMON = 1, /* needs a running daemon */
    ATLAS_CLI_CLIENT = 2  /* also runs inside `atlas` with a client node when no daemon is there */
};

enum {
    ATLAS_EMIT_RESULT = 1,  /* the JSON document of the command; at most once */
    ATLAS_EMIT_ROW = 2,     /* one JSON value of a stream: a line each under --json, a table row for people */
    ATLAS_EMIT_PROGRESS = 3 /* text, not JSON: a line that people see while they wait; left out under --json */
};

/* One option or operand of a command. */
typedef struct atlas_cli_arg {
    uint32_t struct_size;
    const char *name; /* "target" is an operand, "--count" takes a value, "--follow" with kind FLAG takes none */
    uint32_t kind;    /* ATLAS_ARG_* */
    uint32_t required;
    const char *help;
} atlas_cli_arg;
enum {
    ATLAS_ARG_TEXT = 1,
    ATLAS_ARG_INTEGER = 2,
    ATLAS_ARG_FLAG = 3,
    ATLAS_ARG_REST = 4 /* all that is left, joined */
};

typedef struct atlas_cli_command { /* plugin -> host; copied by command() */
    uint32_t struct_size;
    const char *path;    /* "ping" = `atlas net ping`; "relay status" = `atlas net relay status` */
    uint32_t where;      /* ATLAS_CLI_* bits */
    const char *summary; /* one line */
    const atlas_cli_arg *args;
    size_t arg_count;
    /* How people see it: "key[:format][=Header], ..." in order, formats text, id (shortened), ago, ms, bytes, list.
     * NULL: every key as text. An array of objects, or rows, become a table; one object becomes lines. */
    const char *display;
} atlas_cli_command;

typedef struct atlas_cli_run { /* host -> plugin */
    uint32_t struct_size;
    atlas_call call;
    /* Parsed against args: names[i] has values[i]; a flag's value is "true". Absent ones are absent. */
    const atlas_text *names;
    const atlas_text *values;
    size_t count;
} atlas_cli_run;

typedef struct atlas_ext_cli {
    uint32_t struct_size;
    /* [init] run starts a command; a negative status finishes it with that and last words from fail(). cancelled (may
     * be NULL) says that the person has gone: finish() is then neither needed nor allowed. */
    atlas_status (*command)(const atlas_host *host, const atlas_cli_command *command,
                            atlas_status (*run)(void *self, const atlas_cli_run *run),
                            void (*cancelled)(void *self, atlas_call call));
    /* [any] kind ATLAS_EMIT_*. GONE when the person has left. */
    atlas_status (*emit)(const atlas_host *host, atlas_call call, uint32_t kind, atlas_text value);
    /* [any] Ends the command: ATLAS_OK gives exit code 0; any other status is mapped as docs/reference/cli.md says and
     * shows error to the person. */
    atlas_status (*finish)(const atlas_host *host, atlas_call call, atlas_status status, atlas_text error);
} atlas_ext_cli;

#ifdef __cplusplus
}
#endif
#endif
