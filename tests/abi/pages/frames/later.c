/* A table of some later minor, with one function more than today's. */
#include <atlas/ext/messages.h>

typedef struct messages_later {
    uint32_t struct_size;
    void (*later)(const atlas_host *host);
} messages_later;
#define atlas_ext_messages messages_later

void use(const atlas_host *host, const messages_later *messages);
void use(const atlas_host *host, const messages_later *messages) {
@block@
}
