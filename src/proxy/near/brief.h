/* brief.h - what requests of keys that are not kept need of the near cache: most requests are. And
 * where to ask for one that seems to be.
 *
 * It lies in the proxy, beside what each request reads there. It means something while the near
 * cache is on.
 *
 * Thread: the worker's. Memory: pointers to what struct kw_near owns, or shares.
 * See also: shared.h, warm.h, role.h.
 */
#ifndef KW_PROXY_NEAR_BRIEF_H
#define KW_PROXY_NEAR_BRIEF_H

#include <stdint.h>

enum {
    KW_NEAR_AHEAD_MAX = 32, /* keys in a look ahead: as many lines may be on their way at once */
    KW_NEAR_UNSEEN_MAX = 16 /* writes that are looked at together */
};

struct kw_hot;
struct kw_near_known;
struct kw_near_warm;
struct kw_request;

struct kw_near_brief {
    struct kw_near_warm *warm;
    struct kw_hot *hot;
    const uint8_t *roles; /* for kw__role_in() */
    uintptr_t ahead_at;   /* where the next name lies that something is known of: ahead.h */
    const struct kw_near_known *ahead; /* it */
    unsigned unseen_count;
    struct kw_request *unseen[KW_NEAR_UNSEEN_MAX]; /* writes, while they have that mark: writes.c */
};

#endif
