/* cache_extra.h - what stores need beside cache.h: deadlines, walks, memory, figures.
 *
 * Thread: as cache.h. Memory: blocks of kw_cache_block_get() count towards the same ceiling.
 */
#ifndef KW_CACHE_CACHE_EXTRA_H
#define KW_CACHE_CACHE_EXTRA_H

#include "cache/cache.h"

struct kw_cache_figures {
    uint64_t entries_count;
    uint64_t timed_count;     /* of these, those with a deadline */
    uint64_t live_bytes;      /* entries, index, blocks: as the allocator rounds them */
    uint64_t live_most_bytes; /* at a time, to some KiB */
    uint64_t index_bytes;     /* of live_bytes, the index */
    uint64_t resident_bytes;  /* pages in use, bookkeeping and fixed tables included */
    uint64_t memory_max_bytes;
    uint64_t memory_reserved_bytes;
    uint64_t budget_bytes; /* what live_bytes are held to at this moment */
    uint64_t hits_count;
    uint64_t misses_count;
    uint64_t puts_count;
    uint64_t refused_count; /* puts without room */
    uint64_t evicted_count;
    uint64_t expired_count;
    uint64_t invalidated_count;
};

/* How the entry that was found is used, as far as the policy keeps count of it. */
struct kw_cache_usage {
    bool has_idle;       /* lru, random, ttl and keep know it */
    uint64_t idle_ms;    /* since the last use, to 100 ms; goes round after 19 days */
    bool has_uses;       /* balanced, s3fifo and lfu know it */
    unsigned uses_count; /* up to 127; lfu and balanced count from the put, s3fifo to 3 */
};

/* As kw_cache_get(), but no use of the entry, and counted as neither hit nor miss. */
bool kw_cache_peek(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                   struct kw_cache_found *found);
void kw_cache_usage(const struct kw_cache_worker *worker, const struct kw_cache_found *found,
                    struct kw_cache_usage *usage);

/* The entry under KEY, if there is one, counts as used as USAGE says, as far as the policy keeps
 * count: has_idle and has_uses choose what is set.
 */
void kw_cache_set_usage(struct kw_cache_worker *worker, const struct kw_cache_key *key,
                        const struct kw_cache_usage *usage);

/* Any entry, all with the same chance; false when there is none. NAME and FOUND are borrowed until
 * the next tick. Some looks into buckets; when nearly all of them are empty, up to all.
 */
bool kw_cache_random(struct kw_cache_worker *worker, struct kw_bytes *name,
                     struct kw_cache_found *found);

/* For those who can't tick, because they hold what they found: it is NOW. And what it is. */
void kw_cache_set_now(struct kw_cache_worker *worker, uint64_t now_ms);
uint64_t kw_cache_now(const struct kw_cache_worker *worker);

/* Tick, and give the free blocks that the worker keeps to everybody: for workers that idle. */
void kw_cache_settle(struct kw_cache_worker *worker, uint64_t now_ms);

/* When the worker must tick next though it has nothing else to do: now, as something is under way;
 * at a deadline, or before it; UINT64_MAX: never. Looks at every shard.
 */
uint64_t kw_cache_upkeep_ms(const struct kw_cache_worker *worker);

/* Another MEMORY_MAX for entries, index and blocks, up to what was reserved. When it is lower, what
 * is too much is evicted by ticks and puts; pages that were in use stay the process's.
 *
 * Returns KW_OK; KW_E_INVALID when it is below KW_CACHE_MEMORY_MIN_BYTES or above what is reserved.
 */
KW_CHECK enum kw_status kw_cache_set_memory_max(struct kw_cache *cache, size_t memory_max_bytes);

/* Another POLICY. Ticks put all entries into its lists, some buckets each; who leaves meanwhile
 * is chosen among those that are there already, else by age. What the old policy knew of their uses
 * is forgotten.
 */
void kw_cache_set_policy(struct kw_cache_worker *worker, enum kw_cache_policy policy,
                         bool is_timed_only);

/* Another DEADLINE for the entry under KEY, 0 for none. Returns KW_OK; KW_E_NOT_FOUND; else as
 * kw_cache_put().
 */
KW_CHECK enum kw_status kw_cache_expire_at(struct kw_cache_worker *worker,
                                           const struct kw_cache_key *key, uint64_t deadline_ms);

/* Call ON_ENTRY with the entries at CURSOR, some at a time; the cursor to go on with, 0 at the
 * end. Begins with 0. Entries that stay throughout are seen at least once.
 */
typedef void (*kw_cache_on_entry)(void *user, struct kw_bytes name,
                                  const struct kw_cache_found *found);
uint64_t kw_cache_scan(struct kw_cache_worker *worker, uint64_t cursor, kw_cache_on_entry on_entry,
                       void *user);

/* SIZE bytes of the cache's memory for values that entries refer to; evicts others to get them.
 * NULL when there is no room now. A block is given back when nobody reads it any more: on_drop.
 */
void *kw_cache_block_get(struct kw_cache_worker *worker, size_t size_bytes);
void kw_cache_block_put(struct kw_cache_worker *worker, void *block, size_t size_bytes);

/* SIZE bytes of other memory that values refer to: they count, too; and no more. */
void kw_cache_charge(struct kw_cache_worker *worker, size_t size_bytes);
void kw_cache_discharge(struct kw_cache_worker *worker, size_t size_bytes);

bool kw_cache_has_block(const struct kw_cache_worker *worker, const void *block);

/* See that NEED bytes more have room, by evicting others; false when nothing may go. */
bool kw_cache_make_room(struct kw_cache_worker *worker, size_t need_bytes);

/* What the entry under a name and value of these lengths takes. */
size_t kw_cache_entry_bytes(size_t name_len, size_t value_len);

enum { KW_CACHE_PREPARE_MAX = 16 /* as many as the processor's first cache holds easily */ };

/* Bring near what look-ups of NAMES, at most KW_CACHE_PREPARE_MAX of them, are going to touch, or
 * puts (IS_PUT). HASHES (may be NULL) gets their hashes. Which of them may have entries: bit i is
 * that of NAMES[i].
 */
unsigned kw_cache_prepare(const struct kw_cache_worker *worker, const struct kw_bytes *names,
                          unsigned count, bool is_put, uint64_t *hashes);

/* Sums over all workers. The allocator brings its statistics up to date for it, and clears some
 * 90 KiB: not for what is asked all the time.
 */
void kw_cache_figures(struct kw_cache *cache, struct kw_cache_figures *figures);

/* What of it is cheap. */
struct kw_cache_fullness {
    uint64_t entries_count;
    uint64_t live_bytes;
    uint64_t budget_bytes;
};
struct kw_cache_fullness kw_cache_fullness(struct kw_cache *cache);

#endif
