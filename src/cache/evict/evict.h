/* evict.h - who leaves when there is no room: the policies.
 *
 * Thread: kw__evict_touch() any, without a lock; all else under the shard's lock.
 * Memory: nothing is allocated.
 * See also: queue.h (the lists), mark.h (what counts as a use), admit.h (who is remembered).
 */
#ifndef KW_CACHE_EVICT_EVICT_H
#define KW_CACHE_EVICT_EVICT_H

#include "cache/entry.h"

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
