/* lease.h - a link to one node for one user alone, for as long as it needs it.
 *
 * A command that may block would stall everybody behind it on a shared link, and WATCH is about one
 * connection: they take a link of their own from the node's pool and give it back. A node's pool is
 * bounded (leased-links-per-node); who finds it exhausted may wait for its turn.
 *
 * Silence on a leased link is no fault while a patient call is in flight (call.h), or nothing is.
 * The holder is told when its link is lost, also with nothing in flight. TCP's keepalive finds
 * nodes that vanished without a word.
 *
 * Thread: the worker's. Memory: a lease is embedded in its holder; it must be given back or closed
 *         before that is freed.
 * See also: link.h, node.h (which has the pool).
 */
#ifndef KW_BACKEND_LEASE_H
#define KW_BACKEND_LEASE_H

#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_backend;
struct kw_lease;
struct kw_link;
struct kw_node;

struct kw_lease_user {
    /* What kw_lease_wait() waited for: KW_OK and lease->link is there, or why it never will be. */
    void (*on_ready)(struct kw_lease *lease, struct kw_node *node, enum kw_status status);
    /* The link is going; lease->link is NULL already. Calls in flight on it fail after this. */
    void (*on_lost)(struct kw_lease *lease);
};

struct kw_lease {
    const struct kw_lease_user *user; /* set once */
    struct kw_link *link;             /* NULL: none */
    struct kw_list waiting;           /* in its node's pool; set by kw_lease_init() */
    uint8_t proto;                    /* while it waits: which link it wants */
    uint32_t db;
};

/* A node's leased links. Each is in one list: owing and quiet ones have holders. */
struct kw_lease_pool {
    struct kw_list owing;   /* looked at by kw_node_check(); those found quiet move on */
    struct kw_list quiet;   /* nothing in flight, or a patient call */
    struct kw_list idle[2]; /* clean, kept for a while; by protocol version - 2 */
    struct kw_list ended;   /* given up: closed before this tick writes */
    struct kw_list waiters; /* leases, in order */
    uint32_t count;         /* links in the first three */
    uint32_t making_count;  /* ... that are not READY yet */
};

void kw_lease_init(struct kw_lease *lease, const struct kw_lease_user *user);

/* Take a link to NODE, for its database DB, for LEASE, which has none. Calls may be sent on
 * lease->link at once.
 * Returns KW_OK; KW_E_FULL when all are taken, or too many are being made at once
 *         (kw_lease_wait() then, or give up); KW_AGAIN while
 * the node's name is being resolved; or why the node can't be asked.
 */
KW_CHECK enum kw_status kw_lease_take(struct kw_lease *lease, struct kw_node *node, int proto,
                                      uint32_t db);

/* Be called back when it is LEASE's turn. */
void kw_lease_wait(struct kw_lease *lease, struct kw_node *node, int proto, uint32_t db);

/* A call that is not patient was sent on LEASE's link: silence counts again. */
void kw_lease_watch(struct kw_lease *lease);

/* LEASE's link has no call in flight but such whose reply nobody needs, and the node remembers
 * nothing of its holder: others may have it. Harmless without a link; ends waiting, too.
 */
void kw_lease_give_back(struct kw_lease *lease);

/* Nobody can say what state LEASE's link is in: it is closed before this tick writes. Calls in
 * flight on it fail. Harmless without a link; ends waiting, too.
 */
void kw_lease_close(struct kw_lease *lease);

/* For node.c. */
void kw_lease_pool_init(struct kw_lease_pool *pool);

/* LINK is READY: another one may be made. */
void kw_lease_on_link_ready(struct kw_link *link);

/* LINK failed or is being closed: take it out of its pool and tell its holder, if any. */
void kw_lease_forget_link(struct kw_link *link);

/* Links have become free, or the node went down: those who wait get them, or are told. */
void kw_lease_serve_waiters(struct kw_node *node);

/* Those who wait for NODE will not get what they wait for. */
void kw_lease_fail_waiters(struct kw_node *node, enum kw_status status);

/* Close links that were idle for long; move quiet ones out of the way. True while there is
 * something to look at.
 */
bool kw_lease_pool_check(struct kw_node *node, uint64_t now_ms);

/* Close all of NODE's leased links. */
void kw_lease_close_all(struct kw_node *node, enum kw_status status);

#endif
