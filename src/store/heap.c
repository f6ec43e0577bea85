/* heap.c - blocks of objects, of the process's heap. */
#include "store/heap.h"

#include "base/mem.h"

void *kw_heap_get(struct kw_store_worker *worker, size_t size_bytes)
{
    (void)worker;
    return kw_alloc(size_bytes);
}

void kw_heap_put(struct kw_store_worker *worker, void *block, size_t size_bytes)
{
    (void)worker;
    (void)size_bytes;
    kw_free(block);
}

void *kw_heap_resize(struct kw_store_worker *worker, void *block, size_t old_bytes,
                     size_t new_bytes)
{
    (void)worker;
    (void)old_bytes;
    return kw_realloc(block, new_bytes);
}
