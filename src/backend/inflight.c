/* inflight.c - a run, which is one call with several replies, becomes a call for each of them.
 *
 *     before   [run: replies_left 3] -> [call]
 *     after    [first] -> [...] -> [...] -> [call]     positions: as their bytes lie in it
 *
 * INVARIANTS (I1 and I2 are link.c's)
 * Q1  Positions ascend from the oldest to the newest.
 * Q2  inflight_count is what the queue holds, a run counted once.
 */
#include "backend/inflight.h"

#include <string.h>

void kw_inflight_divide(struct kw_link *link, struct kw_call *run, struct kw_call *first)
{
    uint32_t left = run->replies_left;
    struct kw_call *behind = run->next;
    struct kw_call *last = NULL;

    KW_ASSERT(link->oldest == run);
    for (struct kw_call *call = first; call != NULL; call = call->next) {
        call->link = link;
        call->position = run->position + (call->offset - run->offset);
        call->replies_left = 1;
        call->lines_ahead = 0;
        call->is_reply_started = call == first && run->is_reply_started;
        last = call;
        left--;
    }
    KW_ASSERT(last != NULL && left == 0); /* I1 of link.c */
    last->next = behind;
    memset(link->pushed, 0, sizeof link->pushed); /* RUN was among them, perhaps */
    link->oldest = first;
    link->newest = link->newest == run ? last : link->newest;
    link->inflight_count += run->replies_left - 1;
    run->next = NULL;
    run->link = NULL; /* I2 of link.c */
}
