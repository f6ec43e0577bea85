/* broadcast.h - changed keys, told to those who track them by prefix (CLIENT TRACKING ON BCAST).
 *
 * As redis does: all keys of a turn that begin with a prefix in one message, in their order, each
 * once; with NOLOOP without those that the client itself has changed, and nobody else.
 *
 * For the embedded store: before a cluster the masters tell, tap.h.
 *
 * Thread: the worker's. Memory: nothing is kept.
 * See also: tracking.h.
 */
#ifndef KW_PROXY_PUBSUB_BROADCAST_H
#define KW_PROXY_PUBSUB_BROADCAST_H

#include "proxy/pubsub/tracking.h"

struct kw_broadcast_key {
    struct kw_bytes name;
    uint64_t writer_id; /* the client that has changed it; 0: nobody, or several */
};

/* False when no client of this worker asks for it. */
bool kw_broadcast_is_heard(const struct kw_tracking *tracking);

/* Tell of COUNT KEYS, which are put in order, at least one. */
void kw_broadcast(struct kw_tracking *tracking, struct kw_broadcast_key *keys, size_t count);

#endif
