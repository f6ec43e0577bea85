/* tracking.h - CLIENT TRACKING of one worker: which keys its clients have read, and who is told.
 *
 *   kw_tracked_key  1 --- n  kw_tracked_read  n --- 1  kw_tracker
 *
 * Nodes tell keyway of every key that changes (BCAST, one feed for each master: tap.h); who has
 * read what is remembered here. A read is remembered before it is sent. When its key changes, the
 * client is told behind the replies to all it has asked by then, and the read is forgotten only
 * when it waits for none: so a value that was on its way when the key changed is never kept by
 * mistake.
 *
 * Thread: the worker's. Memory: all of it belongs to proxy->tracking, which is made with the first
 *         CLIENT TRACKING ON; a tracker also to its client.
 * See also: tracker.h (the commands), tap.h (the feeds), referral.h (REDIRECT).
 */
#ifndef KW_PROXY_PUBSUB_TRACKING_H
#define KW_PROXY_PUBSUB_TRACKING_H

#include "base/map.h"
#include "proxy/internal.h"

struct kw_referrals;

struct kw_prefix {
    char *data; /* owned */
    size_t len;
};

struct kw_tracker {
    struct kw_list all;     /* in tracking->trackers, once it is on */
    struct kw_list pending; /* in tracking->pending while its CLIENT TRACKING ON waits for feeds */
    struct kw_client *client;
    struct kw_request *request; /* that waits, or NULL */
    struct kw_list reads;
    uint64_t redirect_id;       /* who is told in its stead; 0 = itself */
    struct kw_prefix *prefixes; /* owned, sorted; with BCAST */
    uint32_t prefixes_count;
    bool is_bcast;
    bool is_optin;
    bool is_optout;
    bool is_noloop;  /* no word of its own writes; before a cluster it is told all the same */
    bool is_caching; /* CLIENT CACHING was said for the next command */
    bool is_redirect_broken;
};

struct kw_tracking {
    struct kw_proxy *proxy; /* set once */
    struct kw_map keys;
    size_t keys_max; /* this worker's share of tracking-table-max-keys; 0 = no limit */
    struct kw_list trackers;
    struct kw_list pending;
    struct kw_list taps;
    struct kw_timer *timer;         /* runs while there are taps */
    struct kw_referrals *referrals; /* for clients named by REDIRECT */
    uint64_t used_ms;               /* when there was a tracker, last */
    bool is_unsettled;              /* masters may have come or gone */
    bool is_stopped;
};

/* The worker's, made when there is none. */
struct kw_tracking *kw_tracking_of(struct kw_proxy *proxy);

/* Close the feeds; everything ends (P2). */
void kw_tracking_stop(struct kw_proxy *proxy);

/* Free all and clear proxy->tracking. The clients must be gone. */
void kw_tracking_free(struct kw_proxy *proxy);

/* TRACKER's client is about to read KEY. */
void kw_tracking_remember(struct kw_tracking *tracking, struct kw_tracker *tracker,
                          struct kw_bytes key);

/* Forget all that TRACKER's client has read. */
void kw_tracking_forget(struct kw_tracking *tracking, struct kw_tracker *tracker);

/* KEY has changed. */
void kw_tracking_invalidate(struct kw_tracking *tracking, struct kw_bytes key);

/* KEY, of the embedded store, was changed by the client WRITER_ID (0: by nobody), as change NUMBER:
 * those who have read it before are told, but for BCAST: see broadcast.h.
 */
void kw_tracking_changed(struct kw_tracking *tracking, struct kw_bytes key, uint64_t writer_id,
                         uint64_t number);

/* What TRACKER's client has read may have changed: it is told that everything has. */
void kw_tracking_doubt(struct kw_tracking *tracking, struct kw_tracker *tracker);

/* Anything may have changed: every tracker is told so. */
void kw_tracking_flush(struct kw_tracking *tracking);

/* Tell CLIENT that KEY has changed, or with NULL that all may have: as a push, or, in RESP2 with
 * subscriptions, as a message. Others are not told.
 */
void kw_tracking_tell(struct kw_client *client, const struct kw_bytes *key);

/* The same of several keys: KEYS is an array of them, as it is on the wire. */
void kw_tracking_tell_array(struct kw_client *client, struct kw_bytes keys);

/* The same to TRACKER's client, or to whom its REDIRECT names. */
void kw_tracking_tell_tracker(struct kw_tracking *tracking, struct kw_tracker *tracker,
                              struct kw_bytes keys);

#endif
