/* atlas.listener/1 - where this node listens, and how it is seen from outside. */
#ifndef ATLAS_EXT_LISTENER_H
#define ATLAS_EXT_LISTENER_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_LISTENER "atlas.listener/1"

enum {
    ATLAS_NAT_UNKNOWN = 0,
    ATLAS_NAT_NONE = 1,     /* the address that others see is one of our own */
    ATLAS_NAT_MAPPED = 2,   /* another address, the same for everybody */
    ATLAS_NAT_SYMMETRIC = 3 /* another address or port for each destination */
};

typedef struct atlas_listener_info { /* host -> plugin; borrowed for the call */
    uint32_t struct_size;
    uint32_t listening;        /* 1 when connections are accepted; a client node only dials */
    const atlas_text *bound;   /* "ip:port" of each socket */
    size_t bound_count;
    const atlas_text *protocols; /* ALPNs that are served, the core's own first */
    size_t protocol_count;
    atlas_text public_address; /* as others see us, "ip:port"; empty while nobody has said */
    uint32_t nat;              /* ATLAS_NAT_*; ignore unknown ones */
    uint32_t reserved;
} atlas_listener_info;

typedef struct atlas_ext_listener {
    uint32_t struct_size;
    /* [any] each() runs once before the call returns. STATE in init and in ATLAS_MODE_DESCRIBE. */
    atlas_status (*info)(const atlas_host *host, void *arg,
                         void (*each)(void *arg, const atlas_listener_info *info));
    /* [init] changed runs on the strand after any of it changed; several changes may be told as one. */
    atlas_status (*watch)(const atlas_host *host, void (*changed)(void *self));
} atlas_ext_listener;

#ifdef __cplusplus
}
#endif
#endif
