/* pool.c - the slow halves of pool.h. */
#include "base/pool.h"

#include "base/assert.h"
#include "base/mem.h"

void kw_pool_init(struct kw_pool *pool, size_t size_bytes, uint32_t free_max)
{
    *pool = (struct kw_pool){.size_bytes = size_bytes, .free_max = free_max};
    pool->free = kw_alloc_zero(KW_POOL_LINE + (size_t)free_max, sizeof *pool->free);
}

void kw_pool_deinit(struct kw_pool *pool)
{
    KW_ASSERT(pool->in_use_count == 0);
    while (pool->free_count > 0) {
        kw_free(pool->free[KW_POOL_LINE + --pool->free_count]);
    }
    kw_free(pool->free);
    pool->free = NULL;
}

void *kw_pool_new_object(struct kw_pool *pool)
{
    pool->created_count++;
    pool->in_use_count++;
    return kw_alloc_zero(1, pool->size_bytes);
}

void kw_pool_free_object(struct kw_pool *pool, void *object)
{
    KW_ASSERT(pool->in_use_count > 0);
    pool->in_use_count--;
    kw_free(object);
}
