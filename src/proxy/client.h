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

/* Output grew: enforce the hard limit. False when the client was closed for it. */
bool kw_client_output_ok(struct kw_client *client);

/* Bytes held for it: input, output, parked replies and requests in flight. */
size_t kw_client_memory_bytes(const struct kw_client *client);

/* Free a client whose connection is closed and that has no requests. */
void kw_client_free(struct kw_client *client);

#endif
