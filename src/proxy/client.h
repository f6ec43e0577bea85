/* client.h - one client connection: bytes in, limits, close.
 *
 * Thread: the worker's. Memory: a client lives until its connection is closed and its last request
 * has ended; then the proxy frees it at the end of the tick.
 * See also: request.h (what happens to each command), reply.h (what goes out).
 */
#ifndef KW_PROXY_CLIENT_H
#define KW_PROXY_CLIENT_H

#include "proxy/internal.h"

/* A client on FD, which it owns. */
struct kw_client *kw_client_open(struct kw_proxy *proxy, int fd);

/* Close the connection now, dropping what it has not read. Requests in flight go on (O6). */
void kw_client_close(struct kw_client *client);

/* The same, with a reset: for a client that has half a reply. */
void kw_client_abort(struct kw_client *client);

/* Take no more input; close when everything asked so far is answered and written. */
void kw_client_finish(struct kw_client *client);

/* Try to go on: send requests that waited, parse input that waited, read or don't. */
void kw_client_resume(struct kw_client *client);

/* Once a second: idle time-out, output limit. */
void kw_client_check(struct kw_client *client, uint64_t now_ms);

/* Who subscribes to something gets more than it asks for: it has a class of its own. */
static inline const struct kw_config_output_limit *kw__client_output_limit(
    const struct kw_client *client)
{
    const struct kw_config *config = client->proxy->config;

    return (client->modes & KW_MODE_SUBSCRIBED) != 0 ? &config->output_pubsub
                                                     : &config->output_normal;
}

/* There is more than the hard limit: close the client. False, unless it is gone already. */
KW_APART bool kw__client_output_cut(struct kw_client *client);

/* Output grew: enforce the hard limit. False when the client was closed for it. */
static inline bool kw_client_output_ok(struct kw_client *client)
{
    uint64_t hard_bytes = kw__client_output_limit(client)->hard_bytes;

    return hard_bytes == 0 || client->stream.out.len + client->parked_bytes <= hard_bytes ||
           kw__client_output_cut(client);
}

/* Bytes held for it: input, output, parked replies and requests in flight. */
size_t kw_client_memory_bytes(const struct kw_client *client);

/* Free a client whose connection is closed and that has no requests. */
void kw_client_free(struct kw_client *client);

#endif
