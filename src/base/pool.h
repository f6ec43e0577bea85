/* pool.h - per-worker reserves of fixed-size objects, counted.
 *
 * What is in reserve is in a stack of addresses: no object is touched by being put back, and the
 * next ones to come are known, and fetched, before they are needed. They have not been touched for
 * long, and who gets one writes to it at once.
 *
 * Thread: the worker's. Memory: objects are zero when they are new, else as they were put back;
 * every one must be put back before kw_pool_deinit() (asserted). At most FREE_MAX stay in reserve.
 */
#ifndef KW_BASE_POOL_H
#define KW_BASE_POOL_H

#include "base/prefetch.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KW_POOL_AHEAD = 2, /* objects that are fetched before they are needed */
    KW_POOL_LINE = KW_LINE_BYTES / sizeof(void *) /* of the stack */
};

struct kw_pool {
    void **free;       /* owned: KW_POOL_LINE NULLs, then what is in reserve */
    size_t size_bytes; /* of one object */
    uint32_t free_count;
    uint32_t free_max;
    uint64_t in_use_count;
    uint64_t created_count;
};

void kw_pool_init(struct kw_pool *pool, size_t size_bytes, uint32_t free_max);
void kw_pool_deinit(struct kw_pool *pool);

/* From the heap: the slow half of kw_pool_get(). */
void *kw_pool_new_object(struct kw_pool *pool);

/* To the heap: the slow half of kw_pool_put(). */
void kw_pool_free_object(struct kw_pool *pool, void *object);

static inline void *kw_pool_get(struct kw_pool *pool)
{
    if (pool->free_count == 0) {
        return kw_pool_new_object(pool);
    }
    void **top = pool->free + KW_POOL_LINE + --pool->free_count;
    __builtin_prefetch(top - KW_POOL_LINE);
    kw_prefetch_two(top[-KW_POOL_AHEAD]);
    pool->in_use_count++;
    return *top;
}

static inline void kw_pool_put(struct kw_pool *pool, void *object)
{
    if (pool->free_count >= pool->free_max) {
        kw_pool_free_object(pool, object);
        return;
    }
    pool->free[KW_POOL_LINE + pool->free_count++] = object;
    pool->in_use_count--;
}

#endif
