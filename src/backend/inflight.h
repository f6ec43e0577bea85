/* inflight.h - the calls of a link that are not answered, in the order of their bytes.
 *
 *     oldest --next--> [call] --next--> newest        position: its first byte, of all ever queued
 *
 * The n-th reply belongs to the n-th of them (I1 of link.c), so this order is all that says whose a
 * reply is.
 *
 * Thread: the link's. Memory: calls are borrowed; a call is in one queue at a time.
 * See also: link.h (who sends, and reads).
 */
#ifndef KW_BACKEND_INFLIGHT_H
#define KW_BACKEND_INFLIGHT_H

#include "backend/link.h"
#include "base/assert.h"
#include "base/prefetch.h"

/* CALL, whose bytes have just been appended, is the newest. True: it is the only one. */
static inline bool kw__inflight_push(struct kw_link *link, struct kw_call *call)
{
    call->link = link;
    call->next = NULL;
    call->is_reply_started = false;
    call->replies_left = call->replies_count > 1 ? call->replies_count : 1;
    call->position = link->appended_bytes;
    link->appended_bytes += call->len;
    link->inflight_count++;
    struct kw_call *before = link->newest;
    link->newest = call;
    if (before == NULL) {
        link->oldest = call;
        return true;
    }
    before->next = call;
    return false;
}

/* The oldest, which is there, is in flight no more. */
static inline struct kw_call *kw__inflight_pop(struct kw_link *link)
{
    struct kw_call *call = link->oldest;

    KW_ASSERT(call != NULL && call->link == link && link->inflight_count > 0);
    link->oldest = call->next;
    if (link->oldest == NULL) {
        link->newest = NULL;
    }
    link->inflight_count--;
    call->next = NULL;
    call->link = NULL;
    return call;
}

/* Replies come in a row, and what waits for each was last touched when it was sent: it is far away.
 * So the call's own line is fetched, and that of whoever made it, behind, two replies ahead.
 */
static inline void kw__inflight_prefetch(const struct kw_link *link)
{
    if (link->oldest != NULL && link->oldest->next != NULL) {
        kw_prefetch_two(link->oldest->next);
    }
}

/* The oldest call of LINK, RUN, is no longer in flight: the calls from FIRST on, linked by next,
 * stand in its place, one for each of its replies that is still to come. Their bytes are RUN's.
 */
void kw_inflight_divide(struct kw_link *link, struct kw_call *run, struct kw_call *first);

#endif
