/* cache_extra.c - deadlines that change, walks over all entries, figures.
 *
 * A cursor is the shard and the bucket to look at next. Growing moves entries to higher buckets
 * only, so who walks upwards may see one twice but misses none that stays (sweep.c S1).
 */
#include "cache/cache_extra.h"

#include "base/assert.h"
#include "cache/internal.h"

static bool shard_expire_at(struct kw_cache_worker *worker, struct kw_shard *shard,
                            const struct kw_cache_key *key, uint64_t deadline_ms,
                            enum kw_status *status);
static void entry_visit(struct kw_cache_worker *worker, struct kw_entry *entry,
                        kw_cache_on_entry on_entry, void *user);
static void shard_figures(struct kw_shard *shard, struct kw_cache_figures *figures);

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
    if (number < count) {
        const struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, (uint32_t)number);
        for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
            for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
                uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_acquire);
                if (ref != 0) {
                    entry_visit(worker, kw_arena_at(worker->arena, ref), on_entry, user);
                }
            }
        }
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

void kw_cache_figures(struct kw_cache *cache, struct kw_cache_figures *figures)
{
    struct kw_arena_figures arena = kw_arena_figures(&cache->arena);

    *figures = (struct kw_cache_figures){
        .live_bytes = atomic_load_explicit(&cache->live_bytes, memory_order_relaxed),
        .resident_bytes = arena.resident_bytes + cache->fixed_bytes,
        .memory_max_bytes = cache->options.memory_max_bytes,
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
    if (!kw__entry_set_deadline(entry, deadline_ms, worker->now_ms)) {
        return false;
    }
    if (worker->cache->options.is_timed_only) {
        kw__evict_leave(worker, shard, entry);
        kw__evict_enter(worker, shard, key->hash, entry, NULL);
    }
    kw__shard_time(worker, shard, key->hash, entry);
    return true;
}

static void entry_visit(struct kw_cache_worker *worker, struct kw_entry *entry,
                        kw_cache_on_entry on_entry, void *user)
{
    struct kw_entry_parts parts;

    if (!kw__entry_is_usable(worker, entry)) {
        return;
    }
    kw__entry_cut(entry, &parts);
    struct kw_cache_found found = {kw_bytes_of(parts.value, parts.value_len),
                                   kw__entry_deadline_ms(entry, worker->now_ms),
                                   entry->flags >> KW_ENTRY_KIND_SHIFT, entry};
    on_entry(user, kw_bytes_of(parts.name, parts.name_len), &found);
}

static void shard_figures(struct kw_shard *shard, struct kw_cache_figures *figures)
{
    pthread_mutex_lock(&shard->lock);
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    figures->entries_count += index->entries_count;
    figures->index_bytes += index->bytes;
    for (index = shard->flushed; index != NULL; index = index->next) {
        figures->index_bytes += index->bytes;
    }
    pthread_mutex_unlock(&shard->lock);
}
