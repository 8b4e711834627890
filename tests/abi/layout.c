/* Prints size and field offsets of every public struct of the plugin ABI, one line each; tests/abi/layout_<arch>.txt is
 * what they must be. A released struct only ever grows at its end. */
#include <atlas/ext/cli.h>
#include <atlas/ext/config.h>
#include <atlas/ext/log.h>
#include <atlas/ext/messages.h>
#include <atlas/ext/metrics.h>
#include <atlas/ext/peers.h>
#include <atlas/ext/routes.h>
#include <atlas/ext/store.h>
#include <atlas/ext/timers.h>
#include <stdio.h>

#define S(type) printf("%s %zu\n", #type, sizeof(type));
#define F(type, field) printf("%s.%s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field));
#include "layout.def"

int main(void) {
    LAYOUT(S, F)
    return 0;
}
