/* heap.c - blocks of objects: the cache's while it has room, else the process's.
 *
 * Which of the two a block came from is told by its address: the cache's blocks lie in one range.
 */
#include "store/heap.h"

#include "base/arena.h"
#include "base/mem.h"
#include "store/internal.h"

void *kw_heap_get(struct kw_store_worker *worker, size_t size_bytes)
{
    if (worker == NULL) {
        return kw_alloc(size_bytes);
    }
    void *block = kw_cache_block_get(worker->cache, size_bytes);
    if (block != NULL) {
        worker->heap_bytes += (int64_t)kw_arena_block_bytes(size_bytes);
        return block;
    }
    atomic_fetch_add_explicit(&worker->store->spilled_bytes, size_bytes, memory_order_relaxed);
    kw_cache_charge(worker->cache, size_bytes);
    worker->heap_bytes += (int64_t)size_bytes;
    return kw_alloc(size_bytes);
}

void kw_heap_put(struct kw_store_worker *worker, void *block, size_t size_bytes)
{
    if (worker == NULL || block == NULL) {
        kw_free(block);
        return;
    }
    if (kw_cache_has_block(worker->cache, block)) {
        worker->heap_bytes -= (int64_t)kw_arena_block_bytes(size_bytes);
        kw_cache_block_put(worker->cache, block, size_bytes);
        return;
    }
    atomic_fetch_sub_explicit(&worker->store->spilled_bytes, size_bytes, memory_order_relaxed);
    kw_cache_discharge(worker->cache, size_bytes);
    worker->heap_bytes -= (int64_t)size_bytes;
    kw_free(block);
}

void *kw_heap_resize(struct kw_store_worker *worker, void *block, size_t old_bytes,
                     size_t new_bytes)
{
    if (worker != NULL && block != NULL && kw_cache_has_block(worker->cache, block) &&
        kw_arena_block_bytes(old_bytes) == kw_arena_block_bytes(new_bytes)) {
        return block; /* the block is as large anyway */
    }
    void *moved = kw_heap_get(worker, new_bytes);
    if (block != NULL) {
        memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
        kw_heap_put(worker, block, old_bytes);
    }
    return moved;
}
