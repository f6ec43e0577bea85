/* referral.h - invalidations for a client that others name by CLIENT TRACKING ON REDIRECT.
 *
 * It may be any worker's. What is to be told is collected, and taken round by an errand; what comes
 * meanwhile goes with the next one.
 *
 * Thread: the worker's. Memory: referrals belong to proxy->tracking.
 * See also: crew.h, tracking.h.
 */
#ifndef KW_PROXY_PUBSUB_REFERRAL_H
#define KW_PROXY_PUBSUB_REFERRAL_H

#include "proxy/internal.h"

struct kw_referrals;

struct kw_referrals *kw_referrals_new(struct kw_proxy *proxy);
void kw_referrals_free(struct kw_referrals **referrals);

/* Have the client CLIENT_ID told that KEY has changed (NULL: all may have). When it is gone,
 * kw_trackers_on_redirect_gone() is called later.
 */
void kw_referrals_add(struct kw_referrals *referrals, uint64_t client_id,
                      const struct kw_bytes *key);

/* The same of several keys: KEYS is an array of them, as it is on the wire. */
void kw_referrals_add_array(struct kw_referrals *referrals, uint64_t client_id,
                            struct kw_bytes keys);

/* Find out whether a client CLIENT_ID is connected to any worker: ON_ANSWER(ARG, is_there) runs,
 * now or later; with is_dropped the process ends.
 */
void kw_referral_ask(struct kw_proxy *proxy, uint64_t client_id,
                     void (*on_answer)(struct kw_proxy *home, void *arg, bool is_there,
                                       bool is_dropped),
                     void *arg);

#endif
