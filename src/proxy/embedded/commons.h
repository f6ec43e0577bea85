/* commons.h - what all workers of the embedded face have in common: the store, and those who wait.
 *
 * Thread: made and freed by the thread that owns the workers; the rest says each part.
 * Memory: kw_commons_new() returns an owned pointer; the store is its own from then on.
 * See also: embedded.h (one worker's half), stall.h, events.h.
 */
#ifndef KW_PROXY_EMBEDDED_COMMONS_H
#define KW_PROXY_EMBEDDED_COMMONS_H

#include "store/store.h"

#include <stdatomic.h>

struct kw_stalls;

struct kw_commons {
    struct kw_store *store;          /* set once */
    struct kw_stalls *stalls;        /* set once; clients that block: stall.c */
    _Atomic uint32_t trackers_count; /* clients of all workers with CLIENT TRACKING */
    _Atomic uint64_t changes_count;  /* noted for them: a clock, see events.c E4 */
};

struct kw_commons *kw_commons_new(struct kw_store *taken_store);

/* All workers have left. */
void kw_commons_free(struct kw_commons **commons);

#endif
