/* invalidation.h - a node's word of keys that have changed, name by name.
 *
 *   >2 invalidate *N names, or a null: all of the node's may have changed
 *
 *   if (kw_invalidation_begin(&told, push)) {
 *       is told.is_of_all? else while (kw_invalidation_next(&told, &name)) ...
 *       told.is_broken?
 *
 * Thread: any. Memory: a plain value that borrows the push; so do the names.
 * See also: feed.h (where pushes come from).
 * Source: the RESP3 specification; redis 7.0, CLIENT TRACKING.
 */
#ifndef KW_BACKEND_INVALIDATION_H
#define KW_BACKEND_INVALIDATION_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct kw_invalidation {
    bool is_of_all;
    bool is_broken; /* it can't be read to its end: anything may have changed */
    const char *at; /* what is left of it */
    const char *end;
    int64_t left_count; /* names */
};

/* PUSH is a whole value of the third version. False: it says something else. */
bool kw_invalidation_begin(struct kw_invalidation *told, struct kw_bytes push);

/* False: there is no other name. */
bool kw_invalidation_next(struct kw_invalidation *told, struct kw_bytes *name);

#endif
