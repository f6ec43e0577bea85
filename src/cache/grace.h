/* grace.h - when nobody can see a removed entry any more.
 *
 * Thread: a worker's bags are its own. Memory: frees what it is given, after a grace period.
 */
#ifndef KW_CACHE_GRACE_H
#define KW_CACHE_GRACE_H

#include <stdbool.h>
#include <stdint.h>

struct kw_cache;
struct kw_cache_worker;
struct kw_entry;

enum { KW_BAGS = 3 };

/* An entry that was removed. Its size says all that freeing it takes: it need not be near. */
struct kw_retired {
    uint32_t ref;
    uint32_t size_bytes; /* 0: look at it, there is more to do */
};

/* What was removed in one epoch. */
struct kw_bag {
    uint64_t epoch;
    struct kw_retired *items; /* owned */
    uint32_t count;
    uint32_t capacity;
};

/* ENTRY is in no index any more. */
void kw__grace_retire(struct kw_cache_worker *worker, struct kw_entry *entry);

/* The worker sees nothing it saw before. */
void kw__grace_tick(struct kw_cache_worker *worker);

/* The worker does not count until the next kw__grace_tick(). */
void kw__grace_rest(struct kw_cache_worker *worker);

/* Free what can be freed now. */
void kw__grace_reclaim(struct kw_cache_worker *worker);

/* Nobody looks any more: free all that WORKER retired. */
void kw__grace_end(struct kw_cache_worker *worker);

/* Entries in the worker's bags, emptied indexes and swept domains wait for epochs to come. */
bool kw__grace_is_waited_for(const struct kw_cache_worker *worker);

/* Has everybody ticked since EPOCH? And the present one. */
bool kw__grace_is_past(const struct kw_cache *cache, uint64_t epoch);
uint64_t kw__grace_now(const struct kw_cache *cache);

/* Give up one of an entry's holds; the last one frees it. */
void kw__entry_free(struct kw_cache_worker *worker, struct kw_entry *entry);

#endif
