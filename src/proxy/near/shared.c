/* shared.c - what the process has of the near cache: tables for its life, a cache while it is on.
 *
 *   join -> opened_count++            the first one makes the cache
 *   ready -> ready_count++            the last one of all workers: the cache is used from here on
 *   unready -> ready_count--          the first one: nothing is found any more, no fill begins
 *   leave -> opened_count--           the last one frees the cache
 *
 * Workers come and go one after the other, each when it learns of the new configuration. All of
 * this is about the time between: while one of them counts no writes, nothing that it does is known
 * to the others.
 *
 * INVARIANTS
 * H1  all_writes is what is under way, and one more unless ready_count is workers_count.
 * H2  a cache of other bytes is made when everybody has left the one before.
 */
#include "proxy/near/shared.h"

#include "base/log.h"
#include "base/mem.h"
#include "cache/cache_extra.h"
#include "proxy/near/near.h"

#include <sys/random.h>

static enum kw_status cache_new(const struct kw_config *config, unsigned workers_count,
                                struct kw_cache **cache);
static void say_refused(const struct kw_config *config, enum kw_status status);

struct kw_near_shared *kw_near_shared_new(unsigned workers_count)
{
    /* Zeroed pages that nobody has touched cost nothing while the near cache is off. */
    char *memory = kw_alloc_zero(1, sizeof(struct kw_near_shared) + KW_LINE_BYTES);
    struct kw_near_shared *made = (void *)(memory + (-(uintptr_t)memory & (KW_LINE_BYTES - 1)));

    made->memory = memory;
    made->workers_count = workers_count;
    atomic_init(&made->all_writes, 1); /* H1 */
    pthread_mutex_init(&made->lock, NULL);
    kw_list_init(&made->origins);
    kw__warm_init(&made->warm);
    return made;
}

void kw_near_shared_free(struct kw_near_shared **shared)
{
    struct kw_near_shared *ending = *shared;

    if (ending != NULL) {
        KW_ASSERT(kw_list_is_empty(&ending->origins));
        KW_ASSERT(ending->opened_count == 0 && ending->cache == NULL);
        pthread_mutex_destroy(&ending->lock);
        kw__warm_deinit(&ending->warm);
        kw_free(ending->memory);
        *shared = NULL;
    }
}

enum kw_status kw_near_try(const struct kw_config *config)
{
    struct kw_cache *cache = NULL;
    enum kw_status status = cache_new(config, 1, &cache);

    if (status == KW_OK) {
        kw_cache_free(&cache);
    } else {
        say_refused(config, status);
    }
    return status == KW_OK ? KW_OK : KW_E_SYSTEM;
}

struct kw_cache_worker *kw__shared_join(struct kw_near_shared *shared,
                                        const struct kw_config *config, uint64_t now_ms,
                                        uint64_t *cache_number)
{
    struct kw_cache_worker *worker = NULL;
    enum kw_status status = KW_OK;

    pthread_mutex_lock(&shared->lock);
    if (shared->cache == NULL) {
        status = cache_new(config, shared->workers_count, &shared->cache);
        shared->cache_number += status == KW_OK ? 1 : 0;
        shared->cache_bytes = config->cache_max_memory_bytes;
        shared->cache_eviction = config->cache_eviction;
    }
    if (status == KW_OK && shared->cache_bytes == config->cache_max_memory_bytes) { /* H2 */
        worker = kw_cache_join(shared->cache, now_ms);
        KW_ASSERT(worker != NULL);
        shared->opened_count++;
        *cache_number = shared->cache_number;
    }
    pthread_mutex_unlock(&shared->lock);
    if (status != KW_OK) {
        say_refused(config, status); /* it was to be had a moment ago: kw_near_try() */
    }
    return worker;
}

void kw__shared_ready(struct kw_near_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    KW_ASSERT(shared->ready_count < shared->opened_count);
    shared->ready_count++;
    if (shared->ready_count == shared->workers_count) {
        atomic_fetch_sub(&shared->all_writes, 1); /* H1 */
    }
    pthread_mutex_unlock(&shared->lock);
}

void kw__shared_unready(struct kw_near_shared *shared, struct kw_cache_worker *worker)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->ready_count == shared->workers_count) {
        atomic_fetch_add(&shared->all_writes, 1); /* H1; first, as any write: writes.c */
        kw_cache_flush(worker);
    }
    shared->ready_count--;
    pthread_mutex_unlock(&shared->lock);
}

void kw__shared_leave(struct kw_near_shared *shared, struct kw_cache_worker **worker)
{
    pthread_mutex_lock(&shared->lock);
    kw_cache_leave(worker);
    shared->opened_count--;
    if (shared->opened_count == 0) {
        kw_cache_free(&shared->cache);
    }
    pthread_mutex_unlock(&shared->lock);
}

bool kw__shared_is_other(struct kw_near_shared *shared, const struct kw_config *config)
{
    pthread_mutex_lock(&shared->lock);
    bool is_other = shared->cache_bytes != config->cache_max_memory_bytes;
    pthread_mutex_unlock(&shared->lock);
    return is_other;
}

void kw__shared_set_eviction(struct kw_near_shared *shared, struct kw_cache_worker *worker,
                             const struct kw_config *config)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->cache_eviction != config->cache_eviction) {
        shared->cache_eviction = config->cache_eviction;
        kw_cache_set_policy(worker, (enum kw_cache_policy)config->cache_eviction, false);
    }
    pthread_mutex_unlock(&shared->lock);
}

static enum kw_status cache_new(const struct kw_config *config, unsigned workers_count,
                                struct kw_cache **cache)
{
    struct kw_cache_options options = {
        .memory_max_bytes = config->cache_max_memory_bytes,
        .policy = (enum kw_cache_policy)config->cache_eviction,
        .has_huge_pages = config->cache_huge_pages,
        .is_locked = config->cache_lock_memory,
        .workers_max = workers_count,
    };

    while (getrandom(&options.seed, sizeof options.seed, 0) != (ssize_t)sizeof options.seed) {
    }
    return kw_cache_new(&options, cache);
}

static void say_refused(const struct kw_config *config, enum kw_status status)
{
    kw_log(KW_LOG_WARNING, "no cache of %llu bytes: %s%s",
           (unsigned long long)config->cache_max_memory_bytes, kw_status_meaning(status),
           config->cache_lock_memory ? " (cache-lock-memory: ulimit -l)" : "");
}
