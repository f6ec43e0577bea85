/* origin.h - a master as the near cache's source: one connection for fills and invalidations.
 *
 * Each master has one origin in the process; the node's id decides which worker has it. Over its
 * RESP3 connection with CLIENT TRACKING ON go only reads of hot keys, so only those are tracked
 * (unless near-cache-broadcast says otherwise: hearing.h), and what the node pushes stands in the
 * same stream as the replies: an invalidation that belongs behind a reply comes behind it.
 *
 * Thread: the worker's that has it. Memory: origins belong to their kw_near.
 * See also: backend/feed.h, fill.h, hearing.h, near/README.md (the rules).
 */
#ifndef KW_PROXY_ORIGIN_ORIGIN_H
#define KW_PROXY_ORIGIN_ORIGIN_H

#include "backend/feed.h"
#include "proxy/origin/fill.h"
#include "proxy/origin/hearing.h"
#include "proxy/origin/tally.h"

enum {
    KW_NEAR_SIGNS_A_LEASE = 4 /* one may be late, of a broadcast, too, where it takes two */
};

struct kw_origin {
    struct kw_feed feed; /* first: the feed's callbacks cast back */
    struct kw_list all;  /* in near->origins */
    struct kw_near *near;
    struct kw_node *node;      /* held */
    struct kw_address address; /* the feed is, or was, open to this one */
    struct kw_list sent;       /* fills without an answer, oldest first */
    uint16_t domain;           /* of what it brought; 0: not connected */
    uint16_t sign_slot;        /* the slot of sign_key, which the node owns */
    uint32_t sign_number;      /* of sign_key */
    uint32_t backoff_ms;       /* 0 = it has not failed since it was last ready */
    uint64_t retry_at_ms;
    uint64_t sign_at_ms;       /* when the next sign of life is due */
    struct kw_hearing hearing; /* what the feed was opened for */
    struct kw_tally tally;     /* of a plain server */
    bool is_needed;
    bool is_blind; /* its node can't tell of changes, and near-cache-fallback says go on */

    /* for kw_near_report(), under the lock of the shared part */
    struct kw_list shown;
    char name[KW_NODE_NAME_MAX];
    enum kw_status failure; /* why it was lost; KW_OK: it is connected, or was never */
    bool is_ready;
    bool is_shown_blind;
    bool is_shown_broadcast;
    uint16_t shown_domain;
    uint64_t lost_count;
};

/* See that there is an origin at each master that is this worker's. */
void kw__origins_align(struct kw_near *near);
void kw__origins_close(struct kw_near *near);

/* What is due: signs of life, connections. */
void kw__origins_check(struct kw_near *near);

/* The origin of this worker that NAME (kw__origin_name()) means, connected; or NULL. */
struct kw_origin *kw__origin_find(const struct kw_near *near, const char *name);

/* How NODE is called between workers, and whose origin it is. */
const char *kw__origin_name(const struct kw_node *node);
unsigned kw__origin_worker(const struct kw_near *near, const struct kw_node *node);

/* Send FILL. */
void kw__origin_send(struct kw_origin *origin, struct kw_fill *fill);

#endif
