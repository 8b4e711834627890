/* A plugin that does nothing, built in many variants: each breaks one rule that the loader checks before it runs any
 * code. The build sets what differs. */
#include "idle.h"

#ifndef VARIANT_SYMBOL
#define VARIANT_SYMBOL atlas_plugin_v1
#endif
#ifndef VARIANT_ID
#define VARIANT_ID "plain"
#endif
#ifndef VARIANT_SIZE
#define VARIANT_SIZE sizeof(atlas_plugin)
#endif
#ifndef VARIANT_MAJOR
#define VARIANT_MAJOR ATLAS_ABI_MAJOR
#endif
#ifndef VARIANT_MINOR
#define VARIANT_MINOR 0
#endif
#ifndef VARIANT_INIT
#define VARIANT_INIT init
#endif

static atlas_status init(const atlas_host *host, void **self) {
    (void)host;
    *self = 0;
    return ATLAS_OK;
}

#ifdef VARIANT_MANY_NEEDS
#define EIGHT(one) one, one, one, one, one, one, one, one
#if VARIANT_MANY_NEEDS == 64
#define VARIANT_NEEDS EIGHT(EIGHT("atlas.messages/1"))
#else
#define VARIANT_NEEDS EIGHT(EIGHT("atlas.messages/1")), "atlas.messages/1"
#endif
#endif
#ifdef VARIANT_NEEDS
static const char *const needs[] = {VARIANT_NEEDS, 0};
#endif

ATLAS_EXPORT extern const atlas_plugin VARIANT_SYMBOL;
const atlas_plugin VARIANT_SYMBOL = {
    .struct_size = VARIANT_SIZE,
    .abi_major = VARIANT_MAJOR,
    .abi_minor_min = VARIANT_MINOR,
    .id = VARIANT_ID,
    .version = "1.0",
    .summary = "Does nothing.",
#ifdef VARIANT_NEEDS
    .needs = needs,
#endif
    .init = VARIANT_INIT,
    .start = idle_start,
    .stop = idle_stop,
};

/* Silences the compiler where a variant leaves it out. */
atlas_status (*const plain_init)(const atlas_host *, void **) = init;
