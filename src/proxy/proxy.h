/* proxy.h - one worker's half of the proxy that faces clients.
 *
 * Owns the clients, their requests and the parser's memory of one worker; sits on top of one
 * backend. What is inside is in internal.h.
 *
 * Thread: the worker's. Memory: kw_proxy_new() returns an owned pointer.
 * See also: README.md (the order in which a request meets the files), backend/backend.h.
 */
#ifndef KW_PROXY_PROXY_H
#define KW_PROXY_PROXY_H

#include "backend/backend.h"
#include "command/learned.h"
#include "config/config.h"
#include "stats/stats.h"

struct kw_proxy;

/* A proxy over BACKEND (borrowed), on its loop, with its buffers and its configuration. */
struct kw_proxy *kw_proxy_new(struct kw_stats_hub *hub, struct kw_backend *backend);

/* Close all clients at once and free. The backend must be gone: it fails what is in flight. */
void kw_proxy_free(struct kw_proxy **proxy);

/* A new connection, of a client that takes keyway for PERSONALITY; FD becomes the proxy's. */
void kw_proxy_accept(struct kw_proxy *proxy, int fd, enum kw_personality personality);

/* Commands beside those of commands.def, from now on; LEARNED lives as long as the proxy. */
void kw_proxy_learn(struct kw_proxy *proxy, const struct kw_learned *learned);

/* Go by TAKEN config, one reference, from now on. */
void kw_proxy_reconfigure(struct kw_proxy *proxy, struct kw_config *taken);

/* Everything that leaves or ends at the end of a tick. */
void kw_proxy_tick(struct kw_proxy *proxy);

/* Take no new requests; clients are closed as soon as they are answered (P2). */
void kw_proxy_drain(struct kw_proxy *proxy);

/* Clients still connected. */
size_t kw_proxy_clients_count(const struct kw_proxy *proxy);

#endif
