/* room.c - memory for entries: a budget of live bytes below the ceiling of the arena.
 *
 *     0 ---------------- live_bytes --- budget_bytes ------ room of the arena ---- ceiling
 *     | entries, index, blocks         | torn pages, removed but still seen        | books |
 *
 * The ceiling is the arena's, and hard (base/arena.h). But what is evicted is free only when every
 * worker has ticked, so room is made ahead: whoever puts evicts until live bytes and the new
 * entry are within the budget. When the arena refuses all the same (pages torn by a change of
 * sizes, much removed within one tick), two things happen: entries are moved until pages have come
 * together (move.c), and the budget falls a little, then by up to a forty-eighth, at most once in a
 * grace period; it rises again within seconds. So fragmentation costs what it costs today, no
 * reserve for its worst day.
 *
 * Room is made in the fuller of the shard that needs it and some other one, so that all stay about
 * equally full.
 *
 * INVARIANTS
 * M1  live_bytes and what each worker has not added to it yet (some KiB: nobody shares a line for
 *     each entry) is the sum of blocks that are not retired, nor of values that are; each is
 *     counted as the allocator rounds it.
 * M2  The budget is for all but the index, which doesn't shrink. It is between BUDGET_FLOOR's part
 *     of the arena's room and all of it but a sixty-fourth.
 */
#include "base/assert.h"
#include "cache/cache_extra.h"
#include "cache/internal.h"

enum {
    EVICT_BATCH = 16,    /* victims a lock */
    BUDGET_RESERVE = 64, /* the part of the room that is never planned for */
    BUDGET_STEP = 512,   /* the part by which the budget rises, and falls at first */
    BUDGET_FALL = 48,    /* the part of itself by which it falls at most */
    BUDGET_FLOOR = 32,   /* the part of the room that it never falls below */
    BUDGET_RAISE_MS = 2, /* how often */
    BLOCK_SHARE = 4,     /* the part of the limit that a block may take */
    TRIM_BATCHES = 8,    /* a tick, when the limit was lowered */
    DRAIN_BUCKETS = 16   /* of a flushed index, when room is needed now */
};

static struct kw_shard *shard_fuller(struct kw_cache_worker *worker, struct kw_shard *shard);
static bool limit_is_kept(const struct kw_cache_worker *worker, size_t need_bytes);
static void budget_lower(struct kw_cache_worker *worker, size_t missing_bytes);
static bool shard_make_room(struct kw_cache_worker *worker, struct kw_shard *shard,
                            size_t need_bytes);
static bool room_is_enough(const struct kw_cache_worker *worker, size_t need_bytes);

void kw__live_fold(struct kw_cache_worker *worker)
{
    int64_t change = atomic_load_explicit(&worker->live_change, memory_order_relaxed);

    if (change != 0) {
        struct kw_cache *cache = worker->cache;
        atomic_store_explicit(&worker->live_change, 0, memory_order_relaxed);
        size_t live = (size_t)change + atomic_fetch_add_explicit(&cache->live_bytes, (size_t)change,
                                                                 memory_order_relaxed);
        /* Two at once may leave the lower one: it is a figure for people. */
        if ((int64_t)live > 0 &&
            live > atomic_load_explicit(&cache->live_most_bytes, memory_order_relaxed)) {
            atomic_store_explicit(&cache->live_most_bytes, live, memory_order_relaxed);
        }
    }
}

void *kw__memory_get(struct kw_cache_worker *worker, size_t size_bytes)
{
    void *block = kw_tray_get(&worker->tray, size_bytes);

    if (block != NULL) {
        kw__live_add(worker, (int64_t)kw_arena_block_bytes(size_bytes)); /* M1 */
    }
    return block;
}

void kw__memory_put(struct kw_cache_worker *worker, void *block, size_t size_bytes)
{
    kw_tray_put(&worker->tray, block, size_bytes);
    kw__live_add(worker, -(int64_t)kw_arena_block_bytes(size_bytes));
}

void *kw__memory_get_low(struct kw_cache_worker *worker, size_t size_bytes)
{
    void *block = kw_arena_get_low(&worker->cache->arena, size_bytes);

    if (block != NULL) {
        kw__live_add(worker, (int64_t)kw_arena_block_bytes(size_bytes)); /* M1 */
    }
    return block;
}

void kw__memory_put_low(struct kw_cache_worker *worker, void *block, size_t size_bytes)
{
    kw_arena_put_low(&worker->cache->arena, block, size_bytes);
    kw__live_add(worker, -(int64_t)kw_arena_block_bytes(size_bytes));
}

bool kw__room_make(struct kw_cache_worker *worker, struct kw_shard *shard, size_t need_bytes)
{
    struct kw_cache *cache = worker->cache;
    if (room_is_enough(worker, need_bytes)) {
        return true;
    }
    unsigned first = (unsigned)(shard_fuller(worker, shard) - cache->shards);
    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *next = &cache->shards[(first + i) % cache->shards_count];
        while (!room_is_enough(worker, need_bytes)) {
            if (!shard_make_room(worker, next, need_bytes)) {
                break;
            }
        }
    }
    return room_is_enough(worker, need_bytes);
}

void *kw__room_get(struct kw_cache_worker *worker, struct kw_shard *shard, size_t size_bytes)
{
    size_t block_bytes = kw_arena_block_bytes(size_bytes);

    if (!kw__room_make(worker, shard, block_bytes)) {
        kw__count(&worker->refused_count, 1);
        return NULL;
    }
    void *block = kw__memory_get(worker, size_bytes);
    if (block == NULL) {
        kw__grace_reclaim(worker);
        kw_tray_flush(&worker->tray);
        block = kw__memory_get(worker, size_bytes);
    }
    if (block == NULL) {
        kw__room_refused(worker, shard, block_bytes);
    }
    return block;
}

void kw__room_refused(struct kw_cache_worker *worker, struct kw_shard *shard, size_t missing_bytes)
{
    kw__move_begin(worker->cache);
    budget_lower(worker, missing_bytes);
    (void)kw__room_make(worker, shard, missing_bytes);
    kw__count(&worker->refused_count, 1);
}

enum kw_status kw_cache_set_memory_max(struct kw_cache *cache, size_t memory_max_bytes)
{
    const struct kw_cache_options *options = &cache->options;

    if (memory_max_bytes < KW_CACHE_MEMORY_MIN_BYTES ||
        memory_max_bytes > options->memory_reserved_bytes) {
        return KW_E_INVALID;
    }
    double part = (double)memory_max_bytes / (double)options->memory_reserved_bytes;
    size_t limit = cache->room_bytes - cache->room_bytes / BUDGET_RESERVE;
    atomic_store_explicit(&cache->memory_max_bytes, memory_max_bytes, memory_order_relaxed);
    atomic_store_explicit(&cache->limit_bytes, (size_t)((double)limit * part),
                          memory_order_relaxed);
    return KW_OK;
}

void kw__room_trim(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    for (unsigned i = 0; i < TRIM_BATCHES && !limit_is_kept(worker, 0); i++) {
        worker->shard_next = (worker->shard_next + 1) % cache->shards_count;
        (void)shard_make_room(worker, &cache->shards[worker->shard_next], 0);
    }
}

bool kw__room_is_trimming(const struct kw_cache_worker *worker)
{
    return !limit_is_kept(worker, 0) &&
           atomic_load_explicit(&worker->cache->policy, memory_order_relaxed) != KW_CACHE_KEEP;
}

void kw__room_recover(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;
    size_t budget = atomic_load_explicit(&cache->budget_bytes, memory_order_relaxed);
    size_t top = cache->room_bytes - cache->room_bytes / BUDGET_RESERVE;

    if (budget >= top || pthread_mutex_trylock(&cache->lock) != 0) {
        return;
    }
    if (worker->now_ms >= cache->budget_raised_ms + BUDGET_RAISE_MS) {
        size_t raised = budget + cache->room_bytes / BUDGET_STEP;
        atomic_store_explicit(&cache->budget_bytes, raised < top ? raised : top,
                              memory_order_relaxed); /* M2 */
        cache->budget_raised_ms = worker->now_ms;
        cache->budget_step = cache->room_bytes / BUDGET_STEP;
    }
    pthread_mutex_unlock(&cache->lock);
}

void *kw_cache_block_get(struct kw_cache_worker *worker, size_t size_bytes)
{
    struct kw_cache *cache = worker->cache;

    size_t limit_bytes = atomic_load_explicit(&cache->limit_bytes, memory_order_relaxed);
    if (size_bytes > limit_bytes / BLOCK_SHARE) {
        return NULL; /* all would have to go for it */
    }
    worker->shard_next = (worker->shard_next + 1) % cache->shards_count;
    void *block = kw__room_get(worker, &cache->shards[worker->shard_next], size_bytes);
    kw__gone_tell(worker);
    return block;
}

void kw_cache_block_put(struct kw_cache_worker *worker, void *block, size_t size_bytes)
{
    kw__memory_put(worker, block, size_bytes);
}

static bool limit_is_kept(const struct kw_cache_worker *worker, size_t need_bytes)
{
    return kw__live_bytes(worker) + need_bytes <=
           atomic_load_explicit(&worker->cache->limit_bytes, memory_order_relaxed);
}

void kw_cache_charge(struct kw_cache_worker *worker, size_t size_bytes)
{
    kw__live_add(worker, (int64_t)size_bytes);
}

void kw_cache_discharge(struct kw_cache_worker *worker, size_t size_bytes)
{
    kw__live_add(worker, -(int64_t)size_bytes);
}

bool kw_cache_has_block(const struct kw_cache_worker *worker, const void *block)
{
    return kw_arena_has(worker->arena, block);
}

bool kw_cache_make_room(struct kw_cache_worker *worker, size_t need_bytes)
{
    struct kw_cache *cache = worker->cache;

    if (room_is_enough(worker, need_bytes)) {
        return true;
    }
    worker->shard_next = (worker->shard_next + 1) % cache->shards_count;
    bool is_made = kw__room_make(worker, &cache->shards[worker->shard_next], need_bytes);
    kw__gone_tell(worker);
    return is_made;
}

/* The arena has refused MISSING bytes that the budget promised. */
static void budget_lower(struct kw_cache_worker *worker, size_t missing_bytes)
{
    struct kw_cache *cache = worker->cache;

    if (atomic_load_explicit(&cache->policy, memory_order_relaxed) == KW_CACHE_KEEP) {
        return; /* nobody would leave; pages come together all the same */
    }
    pthread_mutex_lock(&cache->lock);
    if (!kw__grace_is_past(cache, cache->budget_epoch)) {
        /* What was evicted for the last one is not free yet. */
        pthread_mutex_unlock(&cache->lock);
        return;
    }
    cache->budget_epoch = kw__grace_now(cache);
    size_t index = atomic_load_explicit(&cache->index_bytes, memory_order_relaxed);
    size_t live = kw__live_bytes(worker);
    live -= live < index ? live : index;
    size_t budget = atomic_load_explicit(&cache->budget_bytes, memory_order_relaxed);
    size_t base = live < budget ? live : budget;
    size_t low = cache->room_bytes / BUDGET_FLOOR + 2 * missing_bytes;
    size_t step =
        cache->budget_step / 2 < base / BUDGET_FALL ? cache->budget_step : base / BUDGET_FALL;
    cache->budget_step = 2 * step; /* as long as it goes on, by more each time */
    atomic_store_explicit(&cache->budget_bytes, base > low + step ? base - step : low,
                          memory_order_relaxed); /* M2 */
    cache->budget_raised_ms = worker->now_ms;
    pthread_mutex_unlock(&cache->lock);
}

/* SHARD, or some other one that has more to evict. Without this a shard that is small for a while
 * stays so: it has more misses, so more puts, and each of them would evict there.
 */
static struct kw_shard *shard_fuller(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_cache *cache = worker->cache;

    worker->shard_next = (worker->shard_next + 1) % cache->shards_count;
    struct kw_shard *other = &cache->shards[worker->shard_next];
    return atomic_load_explicit(&other->queued_bytes, memory_order_relaxed) >
                   atomic_load_explicit(&shard->queued_bytes, memory_order_relaxed)
               ? other
               : shard;
}

/* One batch of SHARD; false when there is nothing that may go. */
static bool shard_make_room(struct kw_cache_worker *worker, struct kw_shard *shard,
                            size_t need_bytes)
{
    size_t freed_bytes = 0;
    bool is_drained = false;

    pthread_mutex_lock(&shard->lock);
    if (shard->flushed != NULL && shard->flushed->entries_count != 0) {
        kw__sweep_shard(worker, shard, DRAIN_BUCKETS);
        is_drained = true;
    }
    for (unsigned i = 0; i < EVICT_BATCH && !is_drained; i++) {
        size_t bytes = kw__evict_one(worker, shard);
        freed_bytes += bytes;
        if (bytes == 0 || room_is_enough(worker, need_bytes)) {
            break;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return is_drained || freed_bytes != 0;
}

static bool room_is_enough(const struct kw_cache_worker *worker, size_t need_bytes)
{
    const struct kw_cache *cache = worker->cache;
    size_t live = kw__live_bytes(worker) + need_bytes;
    size_t index = atomic_load_explicit(&cache->index_bytes, memory_order_relaxed);

    return live <= atomic_load_explicit(&cache->limit_bytes, memory_order_relaxed) &&
           live <= index + atomic_load_explicit(&cache->budget_bytes, memory_order_relaxed);
}
