/* brief.h - what requests of keys that are not kept need of the near cache: most requests are. And
 * where to ask for one that seems to be.
 *
 * It lies in the proxy, beside what each request reads there, and is never copied, as `ahead` may
 * point into it. It means something while the near cache is on.
 *
 * Thread: the worker's. Memory: pointers to what struct kw_near owns, or shares.
 * See also: shared.h, warm.h, role.h.
 */
#ifndef KW_PROXY_NEAR_BRIEF_H
#define KW_PROXY_NEAR_BRIEF_H

#include "base/bytes.h"

#include <stdint.h>

enum {
    KW_NEAR_AHEAD_MAX = 32, /* keys in a look ahead: as many lines may be on their way at once */
    KW_NEAR_UNSEEN_MAX = 16 /* writes that are looked at together */
};

struct kw_hot;
struct kw_near_warm;
struct kw_request;

/* What a look ahead knows of a key: ahead.h. */
struct kw_near_known {
    struct kw_bytes name;
    union {
        uint64_t place; /* in the filter: warm.h */
        uint64_t note;  /* of that, when the key is cold */
        uint64_t hash;  /* when the key seems to be here */
    };
    uint16_t slot;
    uint8_t state;
};

enum {
    KW_NEAR_KNOWN_COLD = 0,
    KW_NEAR_KNOWN_WARM, /* perhaps: as if nothing were known */
    KW_NEAR_KNOWN_HERE
};

struct kw_near_brief {
    struct kw_near_warm *warm;
    struct kw_hot *hot;
    const uint8_t *roles;              /* for kw__role_in() */
    const struct kw_near_known *ahead; /* the next one that something is known of: ahead.h */
    struct kw_near_known none;         /* while nothing is */
    unsigned unseen_count;
    struct kw_request *unseen[KW_NEAR_UNSEEN_MAX]; /* writes, while they have that mark: writes.c */
};

#endif
