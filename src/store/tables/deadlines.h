/* deadlines.h - when names end: a deadline for each of some names, and who is due first.
 *
 * Fields of a hash that expire are in one of these, beside the hash's table; fields that don't
 * expire are not, and cost nothing.
 *
 * Thread: who may change the object that it is in.
 * Memory: of heap.h; names are copied.
 */
#ifndef KW_STORE_TABLES_DEADLINES_H
#define KW_STORE_TABLES_DEADLINES_H

#include "store/tables/table.h"

struct kw_deadlines {
    struct kw_table table; /* name -> deadline, place in the heap */
    struct kw_ladder heap; /* extra bytes of the table's elements, the first deadline on top */
};

void kw_deadlines_init(struct kw_deadlines *deadlines);
void kw_deadlines_deinit(struct kw_store_worker *worker, struct kw_deadlines *deadlines);

/* As kw_table_deinit_some(). */
bool kw_deadlines_deinit_some(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                              size_t steps);

/* NAME ends at DEADLINE, which is not 0, whatever it had before. */
void kw_deadlines_set(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                      struct kw_bytes name, uint64_t deadline_ms);

/* NAME has no deadline any more. False: it had none. NAME may be what kw_deadlines_first() gave. */
bool kw_deadlines_clear(struct kw_store_worker *worker, struct kw_deadlines *deadlines,
                        struct kw_bytes name);

/* The deadline of NAME, 0 for none. */
uint64_t kw_deadlines_of(const struct kw_deadlines *deadlines, struct kw_bytes name);

/* NAME has no deadline any more. False: it had none. NAME may be what _first() gave. */
uint64_t kw_deadlines_first(const struct kw_deadlines *deadlines, struct kw_bytes *name);

/* How many names have one; what they take of the heap. */
size_t kw_deadlines_count(const struct kw_deadlines *deadlines);
size_t kw_deadlines_bytes(const struct kw_deadlines *deadlines);

#endif
