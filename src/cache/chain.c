/* chain.c - buckets of one line each, one behind the other, of which all but the first come and go.
 *
 *     [9 tags | 9 refs | overflow]---> [9 tags | 9 refs | overflow]---> ...
 *      the index's, always there        of a pool; unlinked when empty
 *
 * Overflow buckets come from pools of KW_POOL_BUCKETS. One that is empty becomes a spare one, for
 * any chain of the index; and when an entry leaves, the last bucket of its chain gives up its own
 * if that is the only one it has. So few are in use that hold little.
 *
 * Who looks for an entry takes no lock, and may be anywhere in a chain when it changes (index.c).
 *
 * INVARIANTS (X1 and X2 are index.c's)
 * X3  A slot's tag is written before its ref. A stale tag costs a compare or hides an entry that
 *     is being put at this moment, never one that is in.
 * X4  Buckets are freed with their index, after a grace period. An overflow bucket that is empty
 *     may serve another chain at once: a reader who is still in it compares whole keys, and sees
 *     `moves` changed when it finds nothing.
 */
#include "cache/chain.h"

#include "base/assert.h"
#include "cache/internal.h"

#include <string.h>

static struct kw_bucket *bucket_get(struct kw_index *index, struct kw_cache_worker *worker);
static _Atomic uint32_t *bucket_slot(struct kw_bucket *bucket, uint32_t ref);
static bool bucket_is_empty(const struct kw_bucket *bucket);
static void chain_shorten(struct kw_index *index, const struct kw_arena *arena,
                          struct kw_bucket *bucket, unsigned slot);
static void slot_move(struct kw_bucket *to, unsigned to_slot, struct kw_bucket *from,
                      unsigned from_slot);
static void bucket_unlink(struct kw_index *index, const struct kw_arena *arena,
                          struct kw_bucket *before, struct kw_bucket *bucket);

bool kw__chain_add(struct kw_bucket *first, struct kw_cache_worker *worker, uint16_t tag,
                   uint32_t ref, struct kw_index *index)
{
    struct kw_bucket *bucket = first;

    for (;;) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            if (atomic_load_explicit(&bucket->refs[i], memory_order_relaxed) == 0) {
                atomic_store_explicit(&bucket->tags[i], tag, memory_order_relaxed); /* X3 */
                atomic_store_explicit(&bucket->refs[i], ref, memory_order_release);
                return true;
            }
        }
        struct kw_bucket *next = kw__bucket_next(bucket, worker->arena);
        if (next == NULL) {
            next = bucket_get(index, worker);
            if (next == NULL) {
                return false;
            }
            atomic_store_explicit(&bucket->overflow, kw_arena_ref(worker->arena, next),
                                  memory_order_release);
        }
        bucket = next;
    }
}

void kw__chain_remove(struct kw_index *index, const struct kw_arena *arena, struct kw_bucket *first,
                      uint32_t ref)
{
    struct kw_bucket *bucket = first;
    struct kw_bucket *before = NULL;
    _Atomic uint32_t *slot = NULL;

    while ((slot = bucket_slot(bucket, ref)) == NULL) {
        before = bucket;
        bucket = kw__bucket_next(bucket, arena);
        KW_ASSERT(bucket != NULL); /* X1 of index.c */
    }
    atomic_store_explicit(slot, 0, memory_order_release);
    if (before != NULL && bucket_is_empty(bucket)) {
        bucket_unlink(index, arena, before, bucket);
    } else {
        chain_shorten(index, arena, bucket, (unsigned)(slot - bucket->refs));
    }
}

void kw__chain_pack(struct kw_index *index, const struct kw_arena *arena, struct kw_bucket *first)
{
    struct kw_bucket *before = first;
    unsigned to = 0;

    for (;;) {
        struct kw_bucket *bucket = kw__bucket_next(before, arena);
        if (bucket == NULL) {
            return;
        }
        unsigned left = 0;
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            while (to < KW_BUCKET_SLOTS &&
                   atomic_load_explicit(&first->refs[to], memory_order_relaxed) != 0) {
                to++;
            }
            if (ref != 0 && to < KW_BUCKET_SLOTS) {
                slot_move(first, to, bucket, i);
                ref = 0;
            }
            left += ref != 0;
        }
        if (left != 0) {
            before = bucket;
            continue;
        }
        bucket_unlink(index, arena, before, bucket);
    }
}

struct kw_bucket *kw__buckets_get(struct kw_index *index, struct kw_cache_worker *worker,
                                  size_t count)
{
    size_t bytes = count * sizeof(struct kw_bucket);
    struct kw_bucket *block = kw__memory_get(worker, bytes);

    if (block != NULL) {
        memset(block, 0, bytes);
        index->bytes += bytes;
        atomic_fetch_add_explicit(&worker->cache->index_bytes, bytes, memory_order_relaxed);
    }
    return block;
}

/* A bucket for the end of a chain; NULL when there is no memory. */
static struct kw_bucket *bucket_get(struct kw_index *index, struct kw_cache_worker *worker)
{
    if (index->spare != 0) {
        struct kw_bucket *spare = kw_arena_at(worker->arena, index->spare);
        index->spare = spare->due;
        spare->due = 0;
        atomic_store_explicit(&spare->overflow, 0, memory_order_release);
        return spare;
    }
    struct kw_bucket *pool = kw__buckets_get(index, worker, KW_POOL_BUCKETS);
    if (pool == NULL) {
        return NULL;
    }
    pool->due = index->pools;
    index->pools = kw_arena_ref(worker->arena, pool);
    for (unsigned i = 2; i < KW_POOL_BUCKETS; i++) {
        pool[i].due = index->spare;
        index->spare = kw_arena_ref(worker->arena, &pool[i]);
    }
    return &pool[1];
}

/* The slot of BUCKET that names REF; NULL when none does. */
static _Atomic uint32_t *bucket_slot(struct kw_bucket *bucket, uint32_t ref)
{
    for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
        if (atomic_load_explicit(&bucket->refs[i], memory_order_relaxed) == ref) {
            return &bucket->refs[i];
        }
    }
    return NULL;
}

static bool bucket_is_empty(const struct kw_bucket *bucket)
{
    for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
        if (atomic_load_explicit(&bucket->refs[i], memory_order_relaxed) != 0) {
            return false;
        }
    }
    return true;
}

/* SLOT of BUCKET is free: when the last of the chain has but one entry, it comes here. */
static void chain_shorten(struct kw_index *index, const struct kw_arena *arena,
                          struct kw_bucket *bucket, unsigned slot)
{
    struct kw_bucket *before = bucket;
    struct kw_bucket *last = kw__bucket_next(bucket, arena);
    unsigned count = 0;
    unsigned from = 0;

    if (last == NULL) {
        return;
    }
    for (struct kw_bucket *next = last; next != NULL; next = kw__bucket_next(last, arena)) {
        before = next == last ? before : last;
        last = next;
    }
    for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
        if (atomic_load_explicit(&last->refs[i], memory_order_relaxed) != 0) {
            count++;
            from = i;
        }
    }
    if (count != 1) {
        return;
    }
    atomic_fetch_add_explicit(&index->moves, 1, memory_order_acq_rel); /* X1 of index.c */
    slot_move(bucket, slot, last, from);
    bucket_unlink(index, arena, before, last);
    atomic_fetch_add_explicit(&index->moves, 1, memory_order_acq_rel);
}

static void slot_move(struct kw_bucket *to, unsigned to_slot, struct kw_bucket *from,
                      unsigned from_slot)
{
    uint32_t ref = atomic_load_explicit(&from->refs[from_slot], memory_order_relaxed);

    atomic_store_explicit(&to->tags[to_slot],
                          atomic_load_explicit(&from->tags[from_slot], memory_order_relaxed),
                          memory_order_relaxed); /* X3 */
    atomic_store_explicit(&to->refs[to_slot], ref, memory_order_release);
    atomic_store_explicit(&from->refs[from_slot], 0, memory_order_release);
}

/* BUCKET, empty and behind BEFORE, becomes a spare one. It goes on naming the next of its old chain
 * until it serves another: whoever walks there, walks on.
 */
static void bucket_unlink(struct kw_index *index, const struct kw_arena *arena,
                          struct kw_bucket *before, struct kw_bucket *bucket)
{
    atomic_store_explicit(&before->overflow,
                          atomic_load_explicit(&bucket->overflow, memory_order_relaxed),
                          memory_order_release);
    atomic_fetch_add_explicit(&index->moves, 2, memory_order_acq_rel); /* X4 */
    bucket->due = index->spare;
    index->spare = kw_arena_ref(arena, bucket);
}
