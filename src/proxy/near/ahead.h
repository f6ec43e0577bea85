/* ahead.h - what a look ahead into a pipeline has learnt of its keys, for the requests that follow.
 *
 * Which of them seem to be here, their slots and hashes. A request is told of its key by where its
 * name lies in the input. Whoever is known needs no look at the filter.
 *
 * INVARIANTS
 * H1  names lie in input that is being parsed: kw_near_ahead_end() when that is over. So what lies
 *     at the same place is the same name.
 * H2  what is known is a hint but for slot and hash: "here" may be over, or be another key.
 *
 * Thread: the worker's. Memory: all in the struct; names are borrowed.
 * See also: ../lookahead.c, answer.c.
 */
#ifndef KW_PROXY_NEAR_AHEAD_H
#define KW_PROXY_NEAR_AHEAD_H

#include "base/apart.h"
#include "base/bytes.h"
#include "cache/cache_extra.h"

#include <stdint.h>

struct kw_near;

struct kw_near_known {
    struct kw_bytes name;
    uint64_t hash;
    uint16_t slot;
};

struct kw_near_ahead {
    struct kw_near_known known[KW_CACHE_PREPARE_MAX]; /* in the order of the input */
    unsigned count;
    unsigned next; /* all before have been asked for, or never will be */
};

/* What is known of NAME: borrowed until the next look ahead. NULL: nothing. To be asked in the
 * order of the input, and only when near_brief.ahead_at says that it is worth it.
 */
KW_APART const struct kw_near_known *kw__ahead_take(struct kw_near *near, struct kw_bytes name);

#endif
