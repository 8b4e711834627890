/* Serves the protocol "example/1" to one peer, whose certificate is known: each of its streams is told "hello". */
#include <atlas/ext/config.h>
#include <atlas/ext/log.h>
#include <atlas/ext/protocols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* page */
enum { MAX_FILE = 16384 };
struct file {
    char path[256];
    uint8_t data[MAX_FILE];
    size_t size;
};
struct role {
    const atlas_host *host;
    const atlas_ext_log *log;
    const atlas_ext_protocols *protocols;
    const atlas_ext_streams *streams;
    struct file certificate, key, peer; /* DER */
};
static const atlas_text kAlpn = {"example/1", 9};

/* TLS has proved that the peer has the key of its certificate. Whether it is somebody for us is ours to say. */
static atlas_status verify(void *self, const atlas_presented *presented, atlas_verdict *verdict) {
    const struct role *role = self;
    if (presented->chain_count == 0 || presented->chain[0].size != role->peer.size ||
        memcmp(presented->chain[0].data, role->peer.data, role->peer.size) != 0) {
        return ATLAS_E_DENIED;
    }
    memcpy(verdict->identity, "friend", 6); /* comes with every event of the connection */
    verdict->identity_size = 6;
    return ATLAS_OK;
}

static void on_connection(void *self, const atlas_connection_event *event) {
    const struct role *role = self;
    if (event->what != ATLAS_CONNECTION_STREAM) return;
    if (!event->unidirectional) {
        const atlas_bytes hello = {(const uint8_t *)"hello\n", 6};
        role->streams->write(role->host, event->stream, hello);
        role->streams->finish(role->host, event->stream);
    }
    role->streams->stop(role->host, event->stream, 0); /* what the peer says is not wanted */
}

static void on_stream(void *self, const atlas_stream_event *event) {
    (void)self; /* nothing is kept of a stream, so nothing has to be freed at CLOSED */
    (void)event;
}

static atlas_status claim(struct role *role) {
    atlas_protocol protocol = {sizeof protocol, ATLAS_PROTOCOL_ACCEPTS | ATLAS_PROTOCOL_CLIENT_CERT, kAlpn, NULL,
                               verify,          on_connection, on_stream};
    return role->protocols->claim(role->host, &protocol);
}

static void read_file(struct file *file) {
    FILE *in = file->path[0] != '\0' ? fopen(file->path, "rb") : NULL;
    if (in == NULL) return;
    file->size = fread(file->data, 1, sizeof file->data, in);
    fclose(in);
}

/* Until the credentials are there, nobody is accepted. */
static atlas_status start(void *self) {
    struct role *role = self;
    read_file(&role->certificate);
    read_file(&role->key);
    read_file(&role->peer);
    const atlas_bytes chain = {role->certificate.data, role->certificate.size};
    const atlas_bytes key = {role->key.data, role->key.size};
    const atlas_text why = {"nobody is served: certificate, key or peer is missing", 53};
    if (role->peer.size == 0 || role->protocols->credentials(role->host, kAlpn, &chain, 1, key) < 0) {
        role->log->write(role->host, ATLAS_LOG_WARN, why);
    }
    return ATLAS_OK;
}
/* end of page */

static void path_of(const struct role *role, const char *key, const char *doc, struct file *file) {
    const atlas_ext_config *config = role->host->extension(role->host, ATLAS_EXT_CONFIG);
    const atlas_text none = {"", 0}, why = {"255 bytes at most", 17};
    atlas_text path;
    config->text(role->host, key, none, doc, &path);
    if (path.size >= sizeof file->path) {
        config->reject(role->host, key, why);
    } else if (path.size > 0) {
        memcpy(file->path, path.data, path.size);
    }
}

static atlas_status init(const atlas_host *host, void **self) {
    struct role *role = calloc(1, sizeof *role);
    if (role == NULL) return ATLAS_E_INTERNAL;
    role->host = host;
    role->log = host->extension(host, ATLAS_EXT_LOG);
    role->protocols = host->extension(host, ATLAS_EXT_PROTOCOLS);
    role->streams = host->extension(host, ATLAS_EXT_STREAMS);
    path_of(role, "certificate", "File with our certificate, DER.", &role->certificate);
    path_of(role, "key", "File with its key, PKCS #8 DER.", &role->key);
    path_of(role, "peer", "File with the certificate of the one peer that is served, DER.", &role->peer);
    const atlas_status status = claim(role);
    if (status < 0) free(role);
    *self = role;
    return status;
}

static void stop(void *self) {
    free(self);
}

static const char *const needs[] = {ATLAS_EXT_CONFIG, ATLAS_EXT_LOG, ATLAS_EXT_PROTOCOLS, ATLAS_EXT_STREAMS, NULL};

const atlas_plugin atlas_plugin_v1 = {
    .struct_size = sizeof(atlas_plugin),
    .abi_major = ATLAS_ABI_MAJOR,
    .abi_minor_min = 0,
    .id = "org.example.protocols",
    .version = "1.0.0",
    .summary = "Serves a protocol of its own.",
    .needs = needs,
    .init = init,
    .start = start,
    .stop = stop,
};
