/* pool.h - per-worker free lists of fixed-size objects, counted.
 *
 * Thread: the worker's. Memory: objects are zero when they are new, else as they were put
 * back but for the first word; every one must be put back before
 * kw_pool_deinit() (asserted). At most FREE_MAX stay in reserve.
 */
#ifndef KW_BASE_POOL_H
#define KW_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct kw_pool {
    void *free;        /* linked through the first word of each object */
    size_t size_bytes; /* of one object, at least a pointer's */
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
    void *object = pool->free;

    if (object == NULL) {
        return kw_pool_new_object(pool);
    }
    pool->free = *(void **)object;
    __builtin_prefetch(pool->free, 1); /* the next one's link; it has not been touched for long */
    pool->free_count--;
    pool->in_use_count++;
    return object;
}

static inline void kw_pool_put(struct kw_pool *pool, void *object)
{
    if (pool->free_count >= pool->free_max) {
        kw_pool_free_object(pool, object);
        return;
    }
    *(void **)object = pool->free;
    pool->free = object;
    pool->free_count++;
    pool->in_use_count--;
}

#endif
