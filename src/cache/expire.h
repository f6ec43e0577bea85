/* expire.h - finds entries whose deadline has come, without looking at the others.
 *
 * Thread: under the shard's lock. Memory: none of its own; bounds lie in the index.
 */
#ifndef KW_CACHE_EXPIRE_H
#define KW_CACHE_EXPIRE_H

#include <stdbool.h>
#include <stdint.h>

struct kw_arena;
struct kw_cache_worker;
struct kw_entry;
struct kw_index;
struct kw_shard;

/* An entry in bucket NUMBER is to be looked for at DUE: kw__entry_due(). */
void kw__expire_lower(struct kw_index *index, const struct kw_arena *arena, uint32_t number,
                      uint32_t due);

/* Drop what is over, looking into at most BUCKETS buckets. True when there may be more. */
bool kw__expire_collect(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned buckets);

/* The entry with the nearest deadline; NULL when none has one, or none is found in a few looks. */
struct kw_entry *kw__expire_nearest(struct kw_cache_worker *worker, struct kw_shard *shard);

#endif
