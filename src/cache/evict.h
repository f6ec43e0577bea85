/* evict.h - who leaves when there is no room: the policies.
 *
 * Thread: kw__evict_touch() any, without a lock; all else under the shard's lock.
 * Memory: entries are linked through themselves; nothing is allocated.
 * See also: admit.h (who is remembered).
 */
#ifndef KW_CACHE_EVICT_H
#define KW_CACHE_EVICT_H

#include "base/arena.h"
#include "cache/entry.h"

enum {
    KW_PLACE_NEW = 0, /* the list of the new; with lru, ttl and random the only one */
    KW_PLACE_OLD = 1, /* S3-FIFO's main list; the first of the ranked ones */
    KW_PLACES = 64,
    KW_PLACE_NONE = 255 /* in no list: may not be evicted */
};

struct kw_queue {
    uint32_t newest;
    uint32_t oldest;
    uint64_t bytes;
    uint64_t rank; /* of the oldest: when the age gets there, it leaves */
};

struct kw_queues {
    struct kw_queue lists[KW_PLACES];
    uint64_t bytes; /* in all lists */
    uint64_t age;   /* rises with the rank of what is evicted */
};

struct kw_cache_usage;
struct kw_cache_worker;
struct kw_index;
struct kw_shard;

/* ENTRY was found in INDEX. */
void kw__evict_touch(struct kw_cache_worker *worker, struct kw_shard *shard,
                     const struct kw_index *index, struct kw_entry *entry);

/* ENTRY of HASH has come in, perhaps instead of OLD, which is still in its place. */
void kw__evict_enter(struct kw_cache_worker *worker, struct kw_shard *shard, uint64_t hash,
                     struct kw_entry *entry, const struct kw_entry *old);

/* ENTRY goes, for whatever reason. */
void kw__evict_leave(struct kw_cache_worker *worker, struct kw_shard *shard,
                     struct kw_entry *entry);

/* ENTRY, a copy of OLD, takes its place in the lists. */
void kw__evict_move(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry,
                    struct kw_entry *old);

/* ENTRY, which is in the index, gets the place of one that has just come in. */
void kw__evict_requeue(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry);

/* How the entry that was found is used, by its marks. */
void kw__evict_usage(const struct kw_cache_worker *worker, const struct kw_entry *entry,
                     struct kw_cache_usage *usage);

/* ENTRY, which is in the index, counts as used as USAGE says, as far as the policy keeps count. */
void kw__evict_set_usage(struct kw_cache_worker *worker, struct kw_shard *shard,
                         struct kw_entry *entry, const struct kw_cache_usage *usage);

/* All entries are gone at once: empty lists. */
void kw__evict_forget(struct kw_shard *shard);

/* Drop one entry; how many bytes that makes free, 0 when none may go. */
size_t kw__evict_one(struct kw_cache_worker *worker, struct kw_shard *shard);

#endif
