/* tap.h - the feeds that tell of changed keys: one for each master, while anybody tracks.
 *
 * A tap is a RESP3 feed with CLIENT TRACKING ON BCAST: its node tells of each key that changes.
 * While one is missing, changes go unseen; so all trackers are told to forget everything when it
 * is lost, and once more when it is there again.
 *
 * Thread: the worker's. Memory: taps belong to proxy->tracking.
 * See also: backend/feed.h, tracking.h.
 */
#ifndef KW_PROXY_PUBSUB_TAP_H
#define KW_PROXY_PUBSUB_TAP_H

#include "proxy/pubsub/tracking.h"

/* See that there is a tap at each master. */
void kw_taps_align(struct kw_tracking *tracking);

/* The same, soon: the topology has changed. */
void kw_taps_align_soon(struct kw_tracking *tracking);

/* True when each master's tap is there, or its node can't be reached. *refused_by is the name of a
 * node that does not know tracking, or NULL.
 */
bool kw_taps_are_settled(const struct kw_tracking *tracking, const char **refused_by);

void kw_taps_close(struct kw_tracking *tracking);

/* The timer of TRACKING. */
void kw_taps_on_timer(void *arg);

#endif
