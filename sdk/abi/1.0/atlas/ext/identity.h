/* atlas.identity/1 - who this node and its peers are, and signatures that are bound to a plugin and a purpose.
 *
 * The key never leaves the core, and no plugin can have it sign what another plugin, or the node's own handshake, would
 * accept: what is signed (Ed25519, RFC 8032) is the concatenation of
 *   "atlas-plugin-signature-v1" and one zero byte,
 *   one byte with the length of the plugin's id, the id,
 *   one byte with the length of the context, the context,
 *   the message. */
#ifndef ATLAS_EXT_IDENTITY_H
#define ATLAS_EXT_IDENTITY_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define ATLAS_EXT_IDENTITY "atlas.identity/1"

typedef struct atlas_public_key { uint8_t bytes[32]; } atlas_public_key; /* Ed25519; frozen layout */
typedef struct atlas_signature { uint8_t bytes[64]; } atlas_signature;   /* frozen layout */
typedef struct atlas_node_id { char text[70]; } atlas_node_id; /* "atlas_" and 64 hex digits, no NUL; frozen layout */

typedef struct atlas_ext_identity {
    uint32_t struct_size;
    /* [any] This node's key. */
    atlas_status (*self)(const atlas_host *host, atlas_public_key *out);
    /* [any] The key that a live session was authenticated with. GONE when it has ended. */
    atlas_status (*peer)(const atlas_host *host, atlas_peer peer, atlas_public_key *out);
    /* [any] The node id that belongs to a key. ARG: no honest node can have that key (small order, not canonical). */
    atlas_status (*node_id)(const atlas_host *host, const atlas_public_key *key, atlas_node_id *out);
    /* [any] Signs in the name of the calling plugin. context: 1..64 characters, what the signature is for ("record").
     * message: up to 1 MiB. About 25 us for a short message. DENIED in ATLAS_MODE_DESCRIBE. */
    atlas_status (*sign)(const atlas_host *host, atlas_text context, atlas_bytes message, atlas_signature *out);
    /* [any] OK, or DENIED when it is no signature of that key for that plugin, context and message. plugin: whose
     * signature it has to be; empty means the calling one's. About 65 us for a short message. */
    atlas_status (*verify)(const atlas_host *host, const atlas_public_key *key, atlas_text plugin, atlas_text context,
                           atlas_bytes message, const atlas_signature *signature);
} atlas_ext_identity;

#ifdef __cplusplus
}
#endif
#endif
