/* heap.h - memory of objects: hashes, lists, sets, sorted sets.
 *
 * It counts towards the store's ceiling, and others are evicted to get it. It never refuses: a
 * command that needs memory has been refused before it began (-OOM), so the little that is above
 * the ceiling while one runs comes from the process's heap.
 *
 * Thread: the worker's; a block may be put back by another worker than the one that got it.
 * Memory: the caller remembers the size of each block.
 */
#ifndef KW_STORE_HEAP_H
#define KW_STORE_HEAP_H

#include <stddef.h>

struct kw_store_worker;

/* SIZE bytes, uninitialised, 8-byte aligned. NULL worker: the process's heap, for tests. */
void *kw_heap_get(struct kw_store_worker *worker, size_t size_bytes);
void kw_heap_put(struct kw_store_worker *worker, void *block, size_t size_bytes);

/* BLOCK of OLD bytes with NEW bytes, its beginning kept. */
void *kw_heap_resize(struct kw_store_worker *worker, void *block, size_t old_bytes,
                     size_t new_bytes);

#endif
