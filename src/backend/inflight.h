/* inflight.h - the calls of a link that are not answered, in the order of their bytes.
 *
 *     oldest --next--> [call] --next--> newest        position: its first byte, of all ever queued
 *
 * The n-th reply belongs to the n-th of them (I1 of link.c), so this order is all that says whose a
 * reply is.
 *
 * Replies come in a row, and what waits for each was last touched when it was sent: it is far away.
 * To go from one to the next takes a wait for memory each time, longer than it takes to handle a
 * reply. So each call knows where the one is that comes some places later (a hint: it may be gone),
 * and the lines of that are fetched when its turn is over.
 *
 * Thread: the link's. Memory: calls are borrowed; a call is in one queue at a time.
 * See also: link.h (who sends, and reads).
 */
#ifndef KW_BACKEND_INFLIGHT_H
#define KW_BACKEND_INFLIGHT_H

#include "backend/link.h"
#include "base/assert.h"
#include "base/prefetch.h"

/* CALL is the newest: the one that was pushed KW_INFLIGHT_AHEAD before is told where it is. That is
 * in flight still when so many are behind it; kw_inflight_divide() forgets what it takes out.
 */
static inline void inflight_note(struct kw_link *link, struct kw_call *call)
{
    struct kw_call **place = &link->pushed[link->pushes_count++ % KW_INFLIGHT_AHEAD];
    struct kw_call *before = *place;

    *place = call;
    call->lines_ahead = 0;
    if (link->inflight_count > KW_INFLIGHT_AHEAD && before != NULL) {
        intptr_t distance = (intptr_t)call - (intptr_t)before;
        before->lines_ahead = (int32_t)(distance / KW_LINE_BYTES);
    }
}

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
    inflight_note(link, call);
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
    kw_prefetch_two((const char *)call + (intptr_t)call->lines_ahead * KW_LINE_BYTES);
    call->next = NULL;
    call->link = NULL;
    return call;
}

/* The first ones of a row: the call's own line, and that of whoever made it, behind. */
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
