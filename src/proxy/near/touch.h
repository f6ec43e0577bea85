/* touch.h - which keys a request is about, whatever it is: one command, a transaction, PROXY NODE.
 *
 * Thread: the worker's. Memory: names are slices of the request's bytes, in room of the near cache
 * that the next call uses again.
 * See also: writes.c, read.c.
 */
#ifndef KW_PROXY_NEAR_TOUCH_H
#define KW_PROXY_NEAR_TOUCH_H

#include "proxy/gather/bunch.h"
#include "proxy/near/shared.h"

struct kw_near_touch {
    const struct kw_bytes *names;
    size_t count;
    bool is_beyond; /* it may be about other keys, too: scripts, modules, patterns of SORT */
    bool is_all;    /* nobody can say what it changes, or it is everything */
};

/* REQUEST sends bytes. */
struct kw_near_touch kw__touch_of(struct kw_near *near, const struct kw_request *request);

void kw__touch_room_free(struct kw_near_touch_room *room);

/* Is REQUEST unanswered, and may it be about a key of SLOT? IS_PLAIN: kw_route_is_plain(). */
static inline bool kw__near_may_touch(const struct kw_request *request, uint16_t slot,
                                      bool is_plain)
{
    if (request->state == KW_REQUEST_DONE || kw__request_is_answer(request)) {
        return false;
    }
    if (request->is_bunch) {
        return kw_bunch_has_slot(request, slot);
    }
    bool is_of_all =
        request->slot == KW_SLOT_NONE || (request->is_part && request->keys_count == 0);

    return request->slot == slot || is_of_all || (is_plain && request->is_barrier);
}

#endif
