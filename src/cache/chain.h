/* chain.h - a bucket of the index, and those that its entries overflow to.
 *
 * Thread: under the shard's lock; who looks for an entry walks chains meanwhile.
 * Memory: the cache's. A bucket, once it is in a chain, is freed with its index.
 * See also: index.h (which chain).
 */
#ifndef KW_CACHE_CHAIN_H
#define KW_CACHE_CHAIN_H

#include "base/arena.h"
#include "cache/index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_cache_worker;

/* Publish REF under TAG in the chain of FIRST; false when there is no memory for a bucket. */
bool kw__chain_add(struct kw_bucket *first, struct kw_cache_worker *worker, uint16_t tag,
                   uint32_t ref, struct kw_index *index);

/* Take REF, which is in, out of the chain of FIRST. Its slot may then have another entry of it. */
void kw__chain_remove(struct kw_index *index, const struct kw_arena *arena, struct kw_bucket *first,
                      uint32_t ref);

/* While entries move: fill up FIRST from its overflow, and unlink what is empty. */
void kw__chain_pack(struct kw_index *index, const struct kw_arena *arena, struct kw_bucket *first);

/* Zeroed memory for COUNT buckets of INDEX; NULL when there is none. */
struct kw_bucket *kw__buckets_get(struct kw_index *index, struct kw_cache_worker *worker,
                                  size_t count);

#endif
