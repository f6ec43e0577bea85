/* cache_extra.c - deadlines that change, walks over all entries, looks ahead, figures.
 *
 * A cursor is the shard and the bucket to look at next. Growing moves entries to higher buckets
 * only, so who walks upwards may see one twice but misses none that stays (sweep.c S1).
 */
#include "cache/cache_extra.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/prefetch.h"
#include "cache/internal.h"

enum {
    CHAIN_MAX = 3, /* buckets that are brought near; longer chains are rare */
    RANDOM_TRIES = 512,
    RANDOM_SLOTS = 8 * KW_BUCKET_SLOTS /* a longer chain is not seen in a lifetime */
};

static uint64_t random_below(struct kw_cache_worker *worker, uint64_t count);
static struct kw_entry *slot_of_chain(const struct kw_cache_worker *worker,
                                      const struct kw_index *index, uint32_t number, unsigned slot);
static struct kw_entry *shard_any(struct kw_cache_worker *worker, struct kw_shard *shard);
static bool shard_expire_at(struct kw_cache_worker *worker, struct kw_shard *shard,
                            const struct kw_cache_key *key, uint64_t deadline_ms,
                            enum kw_status *status);
static void chain_visit(struct kw_cache_worker *worker, const struct kw_index *index,
                        uint32_t number, kw_cache_on_entry on_entry, void *user);
static void entry_visit(struct kw_cache_worker *worker, struct kw_entry *entry,
                        kw_cache_on_entry on_entry, void *user);
static uint64_t live_bytes(const struct kw_cache *cache);
static void shard_figures(struct kw_shard *shard, struct kw_cache_figures *figures);

bool kw_cache_peek(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                   struct kw_cache_found *found)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);
    struct kw_entry *entry = kw__shard_find(worker, shard, index, key);

    if (entry == NULL || !kw__entry_is_usable(worker, entry)) {
        return false;
    }
    kw__entry_show(worker, entry, found);
    return true;
}

void kw_cache_usage(const struct kw_cache_worker *worker, const struct kw_cache_found *found,
                    struct kw_cache_usage *usage)
{
    kw__evict_usage(worker, found->entry, usage);
}

void kw_cache_set_usage(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                        const struct kw_cache_usage *usage)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);

    pthread_mutex_lock(&shard->lock);
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *entry = kw__shard_find(worker, shard, index, key);
    if (entry != NULL) {
        kw__evict_set_usage(worker, shard, entry, usage);
    }
    pthread_mutex_unlock(&shard->lock);
}

bool kw_cache_random(struct kw_cache_worker *worker, struct kw_bytes *name,
                     struct kw_cache_found *found)
{
    struct kw_cache *cache = worker->cache;
    struct kw_entry *entry = NULL;

    for (unsigned i = 0; i < RANDOM_TRIES && entry == NULL; i++) {
        uint64_t shard = random_below(worker, cache->shards_count);
        const struct kw_index *index =
            atomic_load_explicit(&cache->shards[shard].index, memory_order_acquire);
        uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_acquire);
        if (count != 0) {
            entry = slot_of_chain(worker, index, (uint32_t)random_below(worker, count),
                                  (unsigned)random_below(worker, RANDOM_SLOTS));
        }
    }
    for (unsigned i = 0; i < cache->shards_count && entry == NULL; i++) {
        entry = shard_any(worker, &cache->shards[i]);
    }
    if (entry == NULL) {
        return false;
    }
    struct kw_entry_parts parts = kw__entry_cut(entry);
    *name = kw_bytes_of(parts.name, parts.name_len);
    kw__entry_show(worker, entry, found);
    return true;
}

void kw_cache_set_now(struct kw_cache_worker *worker, uint64_t now_ms)
{
    worker->now_ms = now_ms;
}

uint64_t kw_cache_now(const struct kw_cache_worker *worker)
{
    return worker->now_ms;
}

void kw_cache_settle(struct kw_cache_worker *worker, uint64_t now_ms)
{
    kw_cache_tick(worker, now_ms);
    kw_tray_flush(&worker->tray);
}

uint64_t kw_cache_upkeep_ms(const struct kw_cache_worker *worker)
{
    const struct kw_cache *cache = worker->cache;
    uint64_t upkeep_ms = UINT64_MAX;

    if (kw__grace_is_waited_for(worker) ||
        atomic_load_explicit(&cache->is_torn, memory_order_relaxed) != 0 ||
        atomic_load_explicit(&cache->is_requeuing, memory_order_relaxed) != 0 ||
        kw__room_is_trimming(worker)) {
        return worker->now_ms;
    }
    for (unsigned i = 0; i < cache->shards_count; i++) {
        uint32_t due = atomic_load_explicit(&cache->dues[i], memory_order_relaxed);
        int32_t ahead_ms = (int32_t)(due - (uint32_t)worker->now_ms); /* expire.c T2 */
        uint64_t due_ms = worker->now_ms + (uint64_t)(ahead_ms > 0 ? ahead_ms : 0);
        upkeep_ms = due != 0 && due_ms < upkeep_ms ? due_ms : upkeep_ms;
    }
    return upkeep_ms;
}

enum kw_status kw_cache_expire_at(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                                  uint64_t deadline_ms)
{
    struct kw_shard *shard = kw__shard_of(worker->cache, key->hash);
    struct kw_cache_found found;
    enum kw_status status = KW_OK;

    pthread_mutex_lock(&shard->lock);
    bool is_done = shard_expire_at(worker, shard, key, deadline_ms, &status);
    pthread_mutex_unlock(&shard->lock);
    if (is_done) {
        return status;
    }
    /* Its entry has no place for a deadline so far away: a longer one, then. */
    if (!kw_cache_get(worker, key, &found)) {
        return KW_E_NOT_FOUND;
    }
    struct kw_cache_value value = {.bytes = found.value,
                                   .deadline_ms = deadline_ms,
                                   .domain = found.entry->domain,
                                   .kind = (uint8_t)found.kind};
    return kw_cache_put(worker, key, &value);
}

uint64_t kw_cache_scan(struct kw_cache_worker *worker, uint64_t cursor, kw_cache_on_entry on_entry,
                       void *user)
{
    struct kw_cache *cache = worker->cache;
    uint64_t number = cursor >> 8;
    unsigned at = (unsigned)(cursor & 0xff);

    if (at >= cache->shards_count) {
        return 0; /* no cursor of ours */
    }
    struct kw_index *index = atomic_load_explicit(&cache->shards[at].index, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_acquire);
    uint32_t moves = 0;
    if (number < count) {
        /* Once more when entries moved meanwhile: one may have been where we had looked before. */
        do {
            moves = atomic_load_explicit(&index->moves, memory_order_acquire);
            chain_visit(worker, index, (uint32_t)number, on_entry, user);
        } while (atomic_load_explicit(&index->moves, memory_order_acquire) != moves);
    }
    if (number + 1 < count) {
        return (number + 1) << 8 | at;
    }
    return at + 1 < cache->shards_count ? at + 1 : 0;
}

size_t kw_cache_entry_bytes(size_t name_len, size_t value_len)
{
    struct kw_cache_key key = {.name = {NULL, name_len}};
    bool is_long = kw__entry_must_be_long(&key, value_len, 0, 0);

    return kw_arena_block_bytes(kw__entry_size(&key, value_len, is_long));
}

/* A look-up in a large cache waits for memory twice, for the bucket and for the entry: more than
 * half of what a hit costs. Who has several keys before him waits for all of them at once. What is
 * seen here may be wrong a moment later: nothing depends on it.
 */
unsigned kw_cache_prepare(const struct kw_cache_worker *worker, const struct kw_bytes *names,
                          unsigned count, bool is_put, uint64_t *hashes)
{
    const struct kw_cache *cache = worker->cache;
    const struct kw_bucket *buckets[KW_CACHE_PREPARE_MAX];
    uint64_t own_hashes[KW_CACHE_PREPARE_MAX];
    unsigned found = 0;

    hashes = hashes != NULL ? hashes : own_hashes;

    KW_ASSERT(count <= KW_CACHE_PREPARE_MAX);
    for (unsigned i = 0; i < count; i++) {
        hashes[i] = kw_hash(names[i], cache->options.seed);
        const struct kw_shard *shard = kw__shard_of(cache, hashes[i]);
        const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);
        buckets[i] = kw__index_touch(index, worker->arena, hashes[i], is_put);
        if (is_put) {
            kw_prefetch_write(&shard->lock);
        }
    }
    for (unsigned step = 0; step < CHAIN_MAX; step++) {
        for (unsigned i = 0; i < count; i++) {
            if (buckets[i] != NULL) {
                bool is_there = false;
                buckets[i] = kw__bucket_touch(buckets[i], worker->arena, hashes[i], &is_there);
                found |= (unsigned)is_there << i;
            }
        }
    }
    return found;
}

void kw_cache_figures(struct kw_cache *cache, struct kw_cache_figures *figures)
{
    struct kw_arena_figures arena = kw_arena_figures(&cache->arena);

    *figures = (struct kw_cache_figures){
        .live_bytes = live_bytes(cache),
        .resident_bytes = arena.resident_bytes + cache->fixed_bytes,
        .memory_max_bytes = atomic_load_explicit(&cache->memory_max_bytes, memory_order_relaxed),
        .memory_reserved_bytes = cache->options.memory_reserved_bytes,
        .budget_bytes = atomic_load_explicit(&cache->budget_bytes, memory_order_relaxed)};
    for (unsigned i = 0; i < cache->shards_count; i++) {
        shard_figures(&cache->shards[i], figures);
    }
    for (unsigned i = 0; i < cache->options.workers_max; i++) {
        const struct kw_cache_worker *worker = &cache->workers[i];
#define KW_SUM(field) figures->field += atomic_load_explicit(&worker->field, memory_order_relaxed)
        KW_SUM(hits_count);
        KW_SUM(misses_count);
        KW_SUM(puts_count);
        KW_SUM(refused_count);
        KW_SUM(evicted_count);
        KW_SUM(expired_count);
        KW_SUM(invalidated_count);
#undef KW_SUM
    }
    figures->live_most_bytes = atomic_load_explicit(&cache->live_most_bytes, memory_order_relaxed);
    if (figures->live_most_bytes < figures->live_bytes) {
        figures->live_most_bytes = figures->live_bytes;
    }
}

struct kw_cache_fullness kw_cache_fullness(struct kw_cache *cache)
{
    struct kw_cache_fullness fullness = {
        .live_bytes = live_bytes(cache),
        .budget_bytes = atomic_load_explicit(&cache->budget_bytes, memory_order_relaxed)};

    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        fullness.entries_count +=
            atomic_load_explicit(&shard->index, memory_order_relaxed)->entries_count;
        pthread_mutex_unlock(&shard->lock);
    }
    return fullness;
}

static uint64_t live_bytes(const struct kw_cache *cache)
{
    int64_t live = (int64_t)atomic_load_explicit(&cache->live_bytes, memory_order_relaxed);

    for (unsigned i = 0; i < cache->options.workers_max; i++) {
        live += atomic_load_explicit(&cache->workers[i].live_change, memory_order_relaxed);
    }
    return live > 0 ? (uint64_t)live : 0; /* a worker may be adding its own */
}

static uint64_t random_below(struct kw_cache_worker *worker, uint64_t count)
{
    worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
    return ((worker->random >> 32) * count) >> 32;
}

/* What is in that slot of the chain and may be found. Chains are of different lengths: whoever asks
 * for any slot that a chain may have, and tries again when it is empty, gets all alike.
 */
static struct kw_entry *slot_of_chain(const struct kw_cache_worker *worker,
                                      const struct kw_index *index, uint32_t number, unsigned slot)
{
    const struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);

    for (; bucket != NULL && slot >= KW_BUCKET_SLOTS; slot -= KW_BUCKET_SLOTS) {
        bucket = kw__bucket_next(bucket, worker->arena);
    }
    uint32_t ref =
        bucket == NULL ? 0 : atomic_load_explicit(&bucket->refs[slot], memory_order_acquire);
    struct kw_entry *entry = kw_arena_at(worker->arena, ref);
    return ref != 0 && kw__entry_is_usable(worker, entry) ? entry : NULL;
}

/* From any bucket on, the first entry; for an index that is nearly empty. */
static struct kw_entry *shard_any(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_acquire);
    uint32_t first = (uint32_t)random_below(worker, count);
    struct kw_entry *entry = NULL;

    for (uint32_t i = 0; i < count && entry == NULL; i++) {
        for (unsigned slot = 0; slot < RANDOM_SLOTS && entry == NULL; slot++) {
            entry = slot_of_chain(worker, index, (first + i) % count, slot);
        }
    }
    return entry;
}

/* Under the lock; false when the entry must be made anew. */
static bool shard_expire_at(struct kw_cache_worker *worker, struct kw_shard *shard,
                            const struct kw_cache_key *key, uint64_t deadline_ms,
                            enum kw_status *status)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    struct kw_entry *entry = kw__index_look(index, worker->arena, key, true);

    if (entry == NULL || !kw__entry_is_usable(worker, entry)) {
        *status = KW_E_NOT_FOUND;
        return true;
    }
    uint32_t was_timed = kw__entry_is_timed(entry);
    if (!kw__entry_set_deadline(entry, deadline_ms, worker->now_ms)) {
        return false;
    }
    shard->timed_count += kw__entry_is_timed(entry) - was_timed;
    if (shard->is_timed_only) {
        kw__evict_leave(worker, shard, entry);
        kw__evict_enter(worker, shard, key->hash, entry, NULL);
    }
    kw__shard_time(worker, shard, key->hash, entry);
    return true;
}

static void chain_visit(struct kw_cache_worker *worker, const struct kw_index *index,
                        uint32_t number, kw_cache_on_entry on_entry, void *user)
{
    const struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_acquire);
            if (ref != 0) {
                entry_visit(worker, kw_arena_at(worker->arena, ref), on_entry, user);
            }
        }
    }
}

static void entry_visit(struct kw_cache_worker *worker, struct kw_entry *entry,
                        kw_cache_on_entry on_entry, void *user)
{
    struct kw_entry_parts parts;

    if (!kw__entry_is_usable(worker, entry)) {
        return;
    }
    parts = kw__entry_cut(entry);
    struct kw_cache_found found;
    kw__entry_show(worker, entry, &found);
    on_entry(user, kw_bytes_of(parts.name, parts.name_len), &found);
}

static void shard_figures(struct kw_shard *shard, struct kw_cache_figures *figures)
{
    pthread_mutex_lock(&shard->lock);
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    figures->entries_count += index->entries_count;
    figures->timed_count += shard->timed_count;
    figures->index_bytes += index->bytes;
    for (index = shard->flushed; index != NULL; index = index->next) {
        figures->index_bytes += index->bytes;
    }
    pthread_mutex_unlock(&shard->lock);
}
