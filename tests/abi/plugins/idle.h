/* start and stop of a plugin that has nothing to begin and nothing to give back. */
#ifndef ATLAS_TESTS_ABI_IDLE_H
#define ATLAS_TESTS_ABI_IDLE_H

#include <atlas/plugin.h>

static atlas_status idle_start(void *self) {
    (void)self;
    return ATLAS_OK;
}

static void idle_stop(void *self) { (void)self; }

#endif
