/* ahead.h - what a look ahead into a pipeline has learnt of its keys, for the requests that follow.
 *
 *   kw_near_prepare   which of them seem to be here, their slots and hashes
 *   kw_near_glance    which of them are cold, their slots and notes (warm.h)
 *
 * A request is told of its key by where its name lies in the input. Whoever is known to be cold, or
 * here, needs no look at the filter, nor another hash.
 *
 * INVARIANTS
 * H1  names lie in input that is being parsed: kw_near_ahead_end() when that is over. So what lies
 *     at the same place is the same name.
 * H2  that a key is here is a hint: it may be gone by now, or be another one. And who was cold may
 *     not be any more: the note says so when its reply comes (warm.c M3). Slots, hashes are true.
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

#include <stdint.h>

struct kw_near_ahead {
    struct kw_near_known known[KW_NEAR_AHEAD_MAX + 1]; /* in the order of the input; H3 */
};

/* kw__ahead_take() of a name behind the next one that something is known of. */
KW_APART const struct kw_near_known *kw__ahead_take_other(struct kw_near_brief *near,
                                                          struct kw_bytes name);

/* What is known of NAME: borrowed until the next look ahead. NULL: nothing. To be asked in the
 * order of the input.
 */
static inline const struct kw_near_known *kw__ahead_take(struct kw_near_brief *near,
                                                         struct kw_bytes name)
{
    const struct kw_near_known *next = near->ahead;

    if (next->name.data == name.data && next->name.len == name.len) {
        near->ahead = next + 1;
        return next;
    }
    return (uintptr_t)name.data < (uintptr_t)next->name.data ? NULL
                                                             : kw__ahead_take_other(near, name);
}

#endif
