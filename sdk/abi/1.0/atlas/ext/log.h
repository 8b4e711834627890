/* atlas.log/1 - one line of text. The host adds time and plugin id, escapes control bytes and limits the rate. */
#ifndef ATLAS_EXT_LOG_H
#define ATLAS_EXT_LOG_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_LOG "atlas.log/1"

enum { ATLAS_LOG_DEBUG = 1, ATLAS_LOG_INFO = 2, ATLAS_LOG_WARN = 3, ATLAS_LOG_ERROR = 4 };

typedef struct atlas_ext_log {
    uint32_t struct_size;
    void (*write)(const atlas_host *host, uint32_t level, atlas_text line); /* [any] at most 1 024 bytes are kept */
} atlas_ext_log;

#ifdef __cplusplus
}
#endif
#endif
