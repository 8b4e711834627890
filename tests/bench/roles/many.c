/* One of many roles that differ in their number only. The tool copies the built file and writes the number over the
 * digits of the id. It claims what a middling role does: a message type while there are some, a timer, a command and
 * a metric. */
#include <atlas/ext/cli.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <atlas/ext/timers.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_TYPE = 0x80, TYPES = 64, SOON = 10, MINUTE = 60000 };

static const char id[] = "bench.role.000";

struct role {
  const atlas_host* host;
  const atlas_ext_messages* messages;
  const atlas_ext_timers* timers;
  const atlas_ext_metrics* metrics;
  atlas_metric answered, in_loop;
  uint8_t type;
};

/* Digit 0 to 2, through a volatile pointer: it is not what the compiler saw. */
static char digit(int which) {
  const volatile char* at = id + sizeof id - 4;
  return at[which];
}

static int number(void) {
  return (digit(0) - '0') * 100 + (digit(1) - '0') * 10 + (digit(2) - '0');
}

/* The event loop is the process's first thread, and no role's code may run there. */
static void look(const struct role* role) {
  if (syscall(SYS_gettid) == getpid()) role->metrics->add(role->host, role->in_loop, 1);
}

static atlas_status on_request(void* self, const atlas_message* message) {
  const struct role* role = self;
  look(role);
  role->metrics->add(role->host, role->answered, 1);
  return role->messages->reply(role->host, message->reply_to, role->type, message->body);
}

static void tick(void* arg) {
  look(arg);
}

static atlas_status start(void* self) {
  struct role* role = self;
  look(role);
  const atlas_status status = role->timers->start(role->host, SOON, 0, tick, role, NULL);
  return status < 0 ? status : role->timers->start(role->host, MINUTE, MINUTE, tick, role, NULL);
}

static atlas_status run(void* self, const atlas_cli_run* run) {
  const struct role* role = self;
  const atlas_ext_cli* cli = role->host->extension(role->host, ATLAS_EXT_CLI);
  const atlas_text none = {"", 0};
  look(role);
  return cli->finish(role->host, run->call, ATLAS_OK, none);
}

static atlas_status commands(const struct role* role) {
  const atlas_ext_cli* cli = role->host->extension(role->host, ATLAS_EXT_CLI);
  char path[] = "bench-000";
  for (int i = 0; i < 3; ++i) path[6 + i] = digit(i);
  const atlas_cli_command command = {.struct_size = sizeof command,
                                     .path = path,
                                     .where = ATLAS_CLI_DAEMON,
                                     .summary = "Do nothing.",
                                     .args = NULL,
                                     .arg_count = 0};
  return cli->command(role->host, &command, run, NULL);
}

static atlas_status init(const atlas_host* host, void** self) {
  struct role* role = calloc(1, sizeof *role);
  if (role == NULL) return ATLAS_E_INTERNAL;
  role->host = host;
  role->messages = host->extension(host, ATLAS_EXT_MESSAGES);
  role->timers = host->extension(host, ATLAS_EXT_TIMERS);
  role->metrics = host->extension(host, ATLAS_EXT_METRICS);
  const int which = number();
  atlas_status status = commands(role);
  if (status >= 0) status = role->metrics->define(host, "answered", ATLAS_METRIC_COUNTER, "Requests.", &role->answered);
  if (status >= 0) {
    status =
        role->metrics->define(host, "in_loop", ATLAS_METRIC_COUNTER, "Callbacks on the event loop.", &role->in_loop);
  }
  if (status >= 0 && which < TYPES) {
    role->type = (uint8_t)(FIRST_TYPE + which);
    status = role->messages->handle(host, role->type, ATLAS_HANDLE_ANSWERS, on_request);
  }
  if (status < 0) {
    free(role);
    return status;
  }
  *self = role;
  return ATLAS_OK;
}

static void stop(void* self) {
  free(self);
}

static const char* const needs[] = {ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS, ATLAS_EXT_METRICS, ATLAS_EXT_CLI, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .id = id,
    .version = "1.0.0",
    .summary = "One of many.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
};
