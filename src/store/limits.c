/* limits.c - how much memory keys may take, and what happens then; how far objects are small. */
#include "store/internal.h"
#include "store/snapshot/snapshot.h"

#include <unistd.h>

enum { DEFAULT_SHARE = 2 }; /* of the machine's memory: the other half is for those beside us */

static const uint64_t memory_min_bytes = KW_CACHE_MEMORY_MIN_BYTES;
static const uint64_t memory_max_bytes = UINT64_C(60) << 30; /* what references can name */

static uint64_t machine_bytes(void);

void kw_store_options_fill(struct kw_store_options *options, uint64_t maxmemory_bytes,
                           enum kw_memory_policy policy)
{
    static const struct {
        enum kw_cache_policy policy;
        bool is_timed_only;
    } policies[] = {
        [KW_MEMORY_VOLATILE_LRU] = {KW_CACHE_LRU, true},
        [KW_MEMORY_VOLATILE_LFU] = {KW_CACHE_LFU, true},
        [KW_MEMORY_VOLATILE_RANDOM] = {KW_CACHE_RANDOM, true},
        [KW_MEMORY_VOLATILE_TTL] = {KW_CACHE_TTL, true},
        [KW_MEMORY_ALLKEYS_LRU] = {KW_CACHE_LRU, false},
        [KW_MEMORY_ALLKEYS_LFU] = {KW_CACHE_LFU, false},
        [KW_MEMORY_ALLKEYS_RANDOM] = {KW_CACHE_RANDOM, false},
        [KW_MEMORY_NOEVICTION] = {KW_CACHE_KEEP, false},
        [KW_MEMORY_BALANCED] = {KW_CACHE_BALANCED, false},
    };
    uint64_t machine = machine_bytes();
    uint64_t bytes = maxmemory_bytes > 0 ? maxmemory_bytes : machine / DEFAULT_SHARE;

    bytes = bytes < memory_min_bytes ? memory_min_bytes : bytes;
    bytes = bytes > memory_max_bytes ? memory_max_bytes : bytes;
    options->memory_max_bytes = bytes;
    options->memory_reserved_bytes = bytes > machine ? bytes : machine; /* addresses cost nothing */
    if (options->memory_reserved_bytes > memory_max_bytes) {
        options->memory_reserved_bytes = memory_max_bytes;
    }
    options->policy = policies[policy].policy;
    options->is_timed_only = policies[policy].is_timed_only;
}

void kw_store_reconfigure(struct kw_store_worker *worker, uint64_t maxmemory_bytes,
                          enum kw_memory_policy policy)
{
    struct kw_store *store = worker->store;
    struct kw_store_options options = {0}; /* all that is looked at here is filled in */

    kw_store_options_fill(&options, maxmemory_bytes, policy);
    if (options.memory_max_bytes > store->options.memory_reserved_bytes) {
        options.memory_max_bytes = store->options.memory_reserved_bytes;
    }
    enum kw_status status = kw_cache_set_memory_max(store->cache, options.memory_max_bytes);
    KW_ASSERT(status == KW_OK);               /* it is within its limits */
    pthread_mutex_lock(&store->workers_lock); /* each worker is told: the first one does it */
    bool is_new = options.policy != store->options.policy ||
                  options.is_timed_only != store->options.is_timed_only;
    if (is_new) {
        store->options.policy = options.policy;
        store->options.is_timed_only = options.is_timed_only;
        atomic_store(&store->is_lfu, options.policy == KW_CACHE_LFU);
        kw_cache_set_policy(worker->cache, options.policy, options.is_timed_only);
    }
    pthread_mutex_unlock(&store->workers_lock);
}

void kw_store_set_packing(struct kw_store_worker *worker, const struct kw_packing *packing)
{
    worker->packing = *packing;
}

void kw_store_figures(struct kw_store_worker *worker, struct kw_store_figures *figures)
{
    struct kw_store *store = worker->store;
    struct kw_cache_figures cache;

    kw_cache_figures(store->cache, &cache);
    uint64_t spilled = atomic_load_explicit(&store->spilled_bytes, memory_order_relaxed);
    *figures = (struct kw_store_figures){.keys_count = cache.entries_count,
                                         .timed_count = cache.timed_count,
                                         .used_bytes = cache.live_bytes,
                                         .used_most_bytes = cache.live_most_bytes,
                                         .resident_bytes = cache.resident_bytes + spilled,
                                         .spilled_bytes = spilled,
                                         .memory_max_bytes = cache.memory_max_bytes,
                                         .hits_count = cache.hits_count,
                                         .misses_count = cache.misses_count,
                                         .evicted_count = cache.evicted_count,
                                         .expired_count = cache.expired_count};
    figures->changes_count = kw__changes_count(store) -
                             atomic_load_explicit(&store->saved_changes, memory_order_relaxed);
    if (store->snapshot != NULL) {
        kw__snapshot_figures(store->snapshot, figures);
    }
}

uint64_t kw__changes_count(const struct kw_store *store)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < store->options.workers_max; i++) {
        count += atomic_load_explicit(&store->workers[i].changes_count, memory_order_relaxed);
    }
    return count;
}

static uint64_t machine_bytes(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}
