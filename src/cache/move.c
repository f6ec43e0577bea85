/* move.c - brings free pages together: entries move down, to where there are holes.
 *
 *     before   [##.#][.#.#][#...][..#.][.#..]        #: an entry, [ ]: a slab of one size
 *     after    [####][####][#   ]                    two slabs are free for any size
 *
 * Blocks of about one size share slabs of some pages, and pages are free for another size only when
 * the whole slab is empty. Evicting alone gets there when most of the cache is gone: victims lie
 * anywhere. The arena hands out the lowest hole there is (base/arena.h). So when it has refused
 * something, ticks walk over the index and copy what lies above the line down to which everything
 * live would reach; the old blocks are freed a grace period later. A walk looks at refs only, and
 * ends when the arena has refused nothing while it lasted.
 *
 * Not moved: what is owned (its user may know its address), fills, what is larger than
 * MOVE_MAX_BYTES, and what is no entry: buckets and blocks.
 *
 * INVARIANTS
 * W1  A moved entry is in the slot and list of the old one, and nothing else of it has changed.
 * W2  An entry moves down only: so walks come to an end.
 */
#include "base/assert.h"
#include "cache/internal.h"

enum {
    MOVE_BUCKETS = 128,         /* a tick */
    MOVE_ENTRIES = 32,          /* tried in a tick */
    MOVE_MAX_BYTES = 32 * 1024, /* larger ones would hold the lock for long */
    MOVE_SLACK = 32             /* the part of what is live that the line lies above it */
};

static unsigned bucket_move(struct kw_cache_worker *worker, struct kw_shard *shard,
                            struct kw_bucket *bucket, uint32_t line);
static bool entry_may_move(const struct kw_entry *entry);
static void entry_move(struct kw_cache_worker *worker, struct kw_shard *shard,
                       _Atomic uint32_t *slot, struct kw_entry *old);

void kw__move_begin(struct kw_cache *cache)
{
    atomic_store_explicit(&cache->is_torn, 2, memory_order_relaxed);
}

void kw__move_step(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    if (pthread_mutex_trylock(&cache->lock) != 0) {
        return;
    }
    if (cache->move_shard == cache->shards_count) {
        /* 2: refused since the walk began, so once more; 1: not since. */
        atomic_fetch_sub_explicit(&cache->is_torn, 1, memory_order_relaxed);
        cache->move_shard = 0;
    }
    struct kw_shard *shard = &cache->shards[cache->move_shard];
    size_t live = kw__live_bytes(worker);
    uint32_t line = (uint32_t)((live + live / MOVE_SLACK) / KW_ARENA_UNIT_BYTES);
    unsigned tried = 0;
    pthread_mutex_lock(&shard->lock); /* C4 of cache.c */
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
    uint32_t end = cache->move_bucket + MOVE_BUCKETS;
    for (; cache->move_bucket < end && cache->move_bucket < count && tried < MOVE_ENTRIES;
         cache->move_bucket++) {
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, cache->move_bucket);
        for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
            tried += bucket_move(worker, shard, bucket, line);
        }
    }
    if (cache->move_bucket >= count) {
        cache->move_shard++;
        cache->move_bucket = 0;
    }
    pthread_mutex_unlock(&shard->lock);
    pthread_mutex_unlock(&cache->lock);
}

/* Under the lock: the entries of BUCKET that lie above LINE; how many there were. */
static unsigned bucket_move(struct kw_cache_worker *worker, struct kw_shard *shard,
                            struct kw_bucket *bucket, uint32_t line)
{
    unsigned tried = 0;

    for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
        uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
        struct kw_entry *entry = kw_arena_at(worker->arena, ref);
        if (ref > line && entry_may_move(entry)) {
            entry_move(worker, shard, &bucket->refs[i], entry);
            tried++;
        }
    }
    return tried;
}

static bool entry_may_move(const struct kw_entry *entry)
{
    return (entry->flags & (KW_ENTRY_FILL | KW_ENTRY_OWNED)) == 0 &&
           kw__entry_size_of(entry) <= MOVE_MAX_BYTES;
}

static void entry_move(struct kw_cache_worker *worker, struct kw_shard *shard,
                       _Atomic uint32_t *slot, struct kw_entry *old)
{
    size_t size_bytes = kw__entry_size_of(old);
    struct kw_entry *entry = kw__memory_get_low(worker, size_bytes);

    if (entry == NULL) {
        return;
    }
    if (entry > old) { /* W2 */
        kw__memory_put_low(worker, entry, size_bytes);
        return;
    }
    kw__entry_copy(entry, old, size_bytes);
    kw__queue_replace(worker, shard, entry, old); /* W1 */
    atomic_store_explicit(slot, kw_arena_ref(worker->arena, entry), memory_order_release);
    kw__grace_retire(worker, old);
}
