/* ahead.h - what a look ahead into a pipeline has learnt of its keys, for the requests that follow.
 *
 *   kw_near_prepare   which of them seem to be here, their slots and hashes
 *   kw_near_glance    which of them are cold, and their notes (warm.h)
 *
 * A request is told of its key by where its name lies in the input. Whoever is known needs no look
 * at the filter.
 *
 * INVARIANTS
 * H1  names lie in input that is being parsed: kw_near_ahead_end() when that is over. So what lies
 *     at the same place is the same name.
 * H2  what is known is a hint but for slot and hash: "here" may be over, or be another key. And who
 *     was cold may not be any more: the note says so when its reply comes (warm.c M3).
 * H3  behind what is known comes a name that no other one lies behind: nobody goes beyond it.
 *
 * Thread: the worker's. Memory: all in the struct; names are borrowed.
 * See also: ../lookahead.c, answer.c.
 */
#ifndef KW_PROXY_NEAR_AHEAD_H
#define KW_PROXY_NEAR_AHEAD_H

#include "base/apart.h"
#include "base/bytes.h"
#include "proxy/internal.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_near_known {
    struct kw_bytes name;
    union {
        uint64_t hash;
        uint64_t note;  /* when it is cold */
        uint64_t place; /* while nobody has looked there */
    };
    uint16_t slot; /* unless it is cold */
    bool is_cold;
};

struct kw_near_ahead {
    struct kw_near_known known[KW_NEAR_AHEAD_MAX + 1]; /* in the order of the input; H3 */
    unsigned places_count; /* of these, whose places are to be looked at when one is asked for */
};

/* kw__ahead_take() of a name that is not the next one. */
KW_APART const struct kw_near_known *kw__ahead_take_other(struct kw_proxy *proxy,
                                                          struct kw_bytes name);

/* What is known of NAME: borrowed until the next look ahead. NULL: nothing. To be asked in the
 * order of the input, and only when it lies at near_brief.ahead_at or behind.
 */
static inline const struct kw_near_known *kw__ahead_take(struct kw_proxy *proxy,
                                                         struct kw_bytes name)
{
    struct kw_near_brief *brief = &proxy->near_brief;
    const struct kw_near_known *next = brief->ahead;

    if (__builtin_expect(next->name.data != name.data || next->name.len != name.len, 0)) {
        return kw__ahead_take_other(proxy, name);
    }
    brief->ahead = next + 1;
    brief->ahead_at = (uintptr_t)next[1].name.data;
    return next;
}

#endif
