/* sweep.c - what ticks do a bounded piece of: expiry, flushes, closed domains, new policies.
 *
 * A flush leaves each shard an index full of entries that nobody finds. A tick empties some buckets
 * of some shard; an index that is empty is freed a grace period later. A closed domain is swept by
 * one walk over all shards, some buckets a tick: whoever gets the cache's lock takes the next
 * piece. Its number is free again when the walk and a grace period are over, so that no put that
 * was under way can be taken for one of the number's next owner. Another policy is the business of
 * all shards at once, under their locks; a walk of the same kind then puts every entry into the
 * list it would be in had it been put now.
 *
 * INVARIANTS
 * S1  A walk goes upwards, and growing moves entries upwards only (index.c): it misses nothing
 *     that was there when it began.
 * S2  What a walk looks for is closed before it begins.
 */
#include "base/assert.h"
#include "cache/cache_extra.h"
#include "cache/internal.h"

enum {
    SWEEP_BUCKETS = 32, /* a tick */
    REQUEUE_BUCKETS = 256,
    EXPIRE_BUCKETS = 64, /* a shard and tick */
    DOMAIN_FIRST = 1
};

static void requeue_buckets(struct kw_cache_worker *worker, struct kw_shard *shard, uint32_t first,
                            uint32_t end);
static void index_reap(struct kw_cache_worker *worker, struct kw_shard *shard);
static void domains_begin(struct kw_cache *cache);
static void domains_walk(struct kw_cache_worker *worker, struct kw_shard *shard);
static void domains_end(struct kw_cache *cache);

void kw__sweep_expired(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;
    uint32_t now = (uint32_t)worker->now_ms;

    for (unsigned i = 0; i < cache->shards_count; i++) {
        unsigned number = (worker->shard_next + i) & (cache->shards_count - 1); /* a power of 2 */
        struct kw_shard *shard = &cache->shards[number];
        uint32_t due = atomic_load_explicit(&cache->dues[number], memory_order_relaxed);
        if (due == 0 || (int32_t)(now - due) < 0 || pthread_mutex_trylock(&shard->lock) != 0) {
            continue;
        }
        kw__expire_collect(worker, shard, EXPIRE_BUCKETS);
        pthread_mutex_unlock(&shard->lock);
    }
}

void kw_cache_flush(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *shard = &cache->shards[i];
        struct kw_index *empty = kw__index_new();
        pthread_mutex_lock(&shard->lock);
        struct kw_index *old = atomic_load_explicit(&shard->index, memory_order_relaxed);
        old->next = shard->flushed;
        shard->flushed = old;
        atomic_store_explicit(&shard->index, empty, memory_order_release);
        atomic_store_explicit(&cache->dues[i], 0, memory_order_relaxed);
        kw__evict_forget(shard);
        shard->timed_count = 0;
        atomic_fetch_add_explicit(&cache->flushed_count, 1, memory_order_relaxed);
        pthread_mutex_unlock(&shard->lock);
    }
}

void kw__sweep_flushed(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    for (unsigned i = 0; i < cache->shards_count; i++) {
        worker->shard_next = (worker->shard_next + 1) % cache->shards_count;
        struct kw_shard *shard = &cache->shards[worker->shard_next];
        if (pthread_mutex_trylock(&shard->lock) != 0) {
            continue;
        }
        bool is_any = shard->flushed != NULL;
        if (is_any) {
            kw__sweep_shard(worker, shard, SWEEP_BUCKETS);
            index_reap(worker, shard);
        }
        pthread_mutex_unlock(&shard->lock);
        if (is_any) {
            return;
        }
    }
}

/* Under the lock: empty BUCKETS buckets of the index that was flushed last. */
void kw__sweep_shard(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned buckets)
{
    struct kw_index *index = shard->flushed;
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);

    for (; buckets > 0 && index->drained_to < count; buckets--, index->drained_to++) {
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, index->drained_to);
        for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
            for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
                uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
                if (ref == 0) {
                    continue;
                }
                struct kw_entry *entry = kw_arena_at(worker->arena, ref);
                atomic_store_explicit(&bucket->refs[i], 0, memory_order_release);
                index->entries_count--;
                entry->place = KW_PLACE_NONE; /* its list is forgotten already */
                kw__grace_retire(worker, entry);
            }
        }
    }
    if (index->drained_to == count && index->epoch == 0) {
        KW_ASSERT(index->entries_count == 0);
        index->epoch = kw__grace_now(worker->cache);
    }
}

void kw__sweep_domains(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    if (pthread_mutex_trylock(&cache->lock) != 0) {
        return;
    }
    if (!cache->is_sweep_begun) {
        domains_begin(cache);
    } else if (cache->sweep_shard < cache->shards_count) {
        domains_walk(worker, &cache->shards[cache->sweep_shard]);
    } else if (kw__grace_is_past(cache, cache->sweep_epoch)) {
        domains_end(cache);
    }
    pthread_mutex_unlock(&cache->lock);
}

enum kw_status kw_cache_domain_open(struct kw_cache_worker *worker, uint16_t *domain)
{
    struct kw_cache *cache = worker->cache;
    enum kw_status status = KW_E_FULL;

    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < KW_CACHE_DOMAINS - DOMAIN_FIRST; i++) {
        cache->domain_last = (uint16_t)(cache->domain_last % (KW_CACHE_DOMAINS - 1) + 1);
        if (atomic_load_explicit(&cache->domains[cache->domain_last], memory_order_relaxed) ==
            KW_DOMAIN_FREE) {
            atomic_store_explicit(&cache->domains[cache->domain_last], KW_DOMAIN_OPEN,
                                  memory_order_release);
            *domain = cache->domain_last;
            status = KW_OK;
            break;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

void kw_cache_domain_close(struct kw_cache_worker *worker, uint16_t domain)
{
    struct kw_cache *cache = worker->cache;

    KW_ASSERT(domain != 0 && domain < KW_CACHE_DOMAINS);
    pthread_mutex_lock(&cache->lock);
    KW_ASSERT(kw__domain_is_open(cache, domain));
    atomic_store_explicit(&cache->domains[domain], KW_DOMAIN_CLOSED, memory_order_seq_cst);
    atomic_store_explicit(&cache->is_sweeping, 1, memory_order_relaxed);
    pthread_mutex_unlock(&cache->lock);
}

void kw_cache_set_policy(struct kw_cache_worker *worker, enum kw_cache_policy policy,
                         bool is_timed_only)
{
    struct kw_cache *cache = worker->cache;

    KW_ASSERT((unsigned)policy < KW_CACHE_POLICY_COUNT);
    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < cache->shards_count; i++) {
        struct kw_shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock); /* C4 of cache.c */
        shard->policy = policy;
        shard->is_timed_only = is_timed_only;
        pthread_mutex_unlock(&shard->lock);
    }
    atomic_store_explicit(&cache->policy, policy, memory_order_relaxed);
    cache->requeue_shard = 0;
    cache->requeue_bucket = 0;
    atomic_store_explicit(&cache->is_requeuing, 1, memory_order_relaxed);
    pthread_mutex_unlock(&cache->lock);
}

void kw__sweep_requeue(struct kw_cache_worker *worker)
{
    struct kw_cache *cache = worker->cache;

    if (pthread_mutex_trylock(&cache->lock) != 0) {
        return;
    }
    if (cache->requeue_shard == cache->shards_count) {
        atomic_store_explicit(&cache->is_requeuing, 0, memory_order_relaxed);
    } else {
        struct kw_shard *shard = &cache->shards[cache->requeue_shard];
        pthread_mutex_lock(&shard->lock); /* C4 of cache.c */
        const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
        uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
        uint32_t end = cache->requeue_bucket + REQUEUE_BUCKETS;
        requeue_buckets(worker, shard, cache->requeue_bucket, end < count ? end : count);
        cache->requeue_bucket = end < count ? end : 0;
        cache->requeue_shard += end < count ? 0 : 1;
        pthread_mutex_unlock(&shard->lock);
    }
    pthread_mutex_unlock(&cache->lock);
}

/* Under the lock: the entries of some buckets go to where the policy of SHARD has them (S1). */
static void requeue_buckets(struct kw_cache_worker *worker, struct kw_shard *shard, uint32_t first,
                            uint32_t end)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);

    for (uint32_t number = first; number < end; number++) {
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);
        for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
            for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
                uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
                if (ref != 0) {
                    kw__evict_requeue(worker, shard, kw_arena_at(worker->arena, ref));
                }
            }
        }
    }
}

/* Free the emptied index of SHARD when nobody can be looking into it. */
static void index_reap(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_index *index = shard->flushed;

    if (index->epoch == 0 || !kw__grace_is_past(worker->cache, index->epoch)) {
        return;
    }
    shard->flushed = index->next;
    kw__index_free(&index, worker);
    atomic_fetch_sub_explicit(&worker->cache->flushed_count, 1, memory_order_relaxed);
}

static void domains_begin(struct kw_cache *cache)
{
    bool is_any = false;

    for (unsigned i = DOMAIN_FIRST; i < KW_CACHE_DOMAINS; i++) {
        if (atomic_load_explicit(&cache->domains[i], memory_order_relaxed) == KW_DOMAIN_CLOSED) {
            atomic_store_explicit(&cache->domains[i], KW_DOMAIN_SWEPT,
                                  memory_order_relaxed); /* S2 */
            is_any = true;
        }
    }
    cache->is_sweep_begun = is_any;
    cache->sweep_shard = 0;
    cache->sweep_bucket = 0;
    if (!is_any) {
        atomic_store_explicit(&cache->is_sweeping, 0, memory_order_relaxed);
    }
}

static void domains_walk(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_cache *cache = worker->cache;

    pthread_mutex_lock(&shard->lock); /* C4 of cache.c */
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
    uint32_t end = cache->sweep_bucket + SWEEP_BUCKETS;
    for (; cache->sweep_bucket < end && cache->sweep_bucket < count; cache->sweep_bucket++) {
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, cache->sweep_bucket);
        for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
            for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
                uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
                struct kw_entry *entry = kw_arena_at(worker->arena, ref);
                if (ref != 0 && entry->domain != 0 && !kw__domain_is_open(cache, entry->domain)) {
                    kw__shard_drop(worker, shard, entry);
                    i--; /* there may be another one now */
                }
            }
        }
    }
    if (cache->sweep_bucket >= count) {
        cache->sweep_shard++;
        cache->sweep_bucket = 0;
        cache->sweep_epoch = kw__grace_now(cache);
    }
    pthread_mutex_unlock(&shard->lock);
}

static void domains_end(struct kw_cache *cache)
{
    for (unsigned i = DOMAIN_FIRST; i < KW_CACHE_DOMAINS; i++) {
        if (atomic_load_explicit(&cache->domains[i], memory_order_relaxed) == KW_DOMAIN_SWEPT) {
            atomic_store_explicit(&cache->domains[i], KW_DOMAIN_FREE, memory_order_relaxed);
        }
    }
    cache->is_sweep_begun = false;
}
