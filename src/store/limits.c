/* limits.c - how much memory keys may take, and what happens then. */
#include "store/internal.h"

#include <unistd.h>

enum { DEFAULT_SHARE = 2 }; /* of the machine's memory: the other half is for those beside us */

static const uint64_t memory_min_bytes = KW_CACHE_MEMORY_MIN_BYTES;
static const uint64_t memory_max_bytes = UINT64_C(60) << 30; /* what references can name */

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
    uint64_t bytes = maxmemory_bytes;

    if (bytes == 0) {
        bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / DEFAULT_SHARE;
    }
    bytes = bytes < memory_min_bytes ? memory_min_bytes : bytes;
    options->memory_max_bytes = bytes > memory_max_bytes ? memory_max_bytes : bytes;
    options->policy = policies[policy].policy;
    options->is_timed_only = policies[policy].is_timed_only;
}
