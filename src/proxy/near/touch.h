/* touch.h - which keys a request is about, whatever it is: one command, a transaction, PROXY NODE.
 *
 * Thread: the worker's. Memory: names are slices of the request's bytes, in room of the near cache
 * that the next call uses again.
 * See also: writes.c, read.c.
 */
#ifndef KW_PROXY_NEAR_TOUCH_H
#define KW_PROXY_NEAR_TOUCH_H

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

#endif
