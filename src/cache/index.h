/* index.h - finds an entry by the hash of its name; grows a bucket at a time.
 *
 * Thread: kw__index_find(), _may_have(), _number(), _bucket() and kw__bucket_touch() any, without a
 *         lock; all else under the shard's lock.
 * Memory: buckets are blocks of the cache's arena. Entries are not the index's.
 * See also: chain.h (what becomes of a bucket that is full, or empty), expire.h (keeps deadlines in
 *           the same buckets).
 */
#ifndef KW_CACHE_INDEX_H
#define KW_CACHE_INDEX_H

#include "base/arena.h"
#include "cache/entry.h"

enum {
    KW_BUCKET_SLOTS = 9,
    KW_SEGMENT_BUCKETS = 256, /* 16 KiB: smaller ones would tear the pages of entries */
    KW_POOL_BUCKETS = 64,
    KW_INDEX_CHUNKS = 20,  /* chunk k names 2^k segments */
    KW_INDEX_GROUPS = 256, /* of segments, for deadlines */
    KW_INDEX_LOAD = 13     /* entries a bucket, on average, before it grows */
};

struct kw_bucket {
    _Atomic uint16_t tags[KW_BUCKET_SLOTS];
    uint16_t unused;
    _Atomic uint32_t refs[KW_BUCKET_SLOTS]; /* 0: free */
    _Atomic uint32_t overflow;              /* the next bucket of the chain, 0: none */
    uint32_t due;                           /* expire.c; of an overflow bucket: nothing */
};

_Static_assert(sizeof(struct kw_bucket) == 64, "one line of the processor's cache");

struct kw_segment_place {
    _Atomic uint32_t ref; /* of KW_SEGMENT_BUCKETS buckets */
    uint32_t due;         /* expire.c */
};

struct kw_index {
    /* read by everybody */
    _Atomic uint32_t buckets_count;
    _Atomic uint32_t moves; /* odd while entries move; changed when they have */
    struct kw_segment_place *_Atomic chunks[KW_INDEX_CHUNKS];
    /* under the lock */
    uint32_t entries_count;
    uint32_t segments_count;
    uint32_t spare; /* overflow buckets without a chain, linked by `due` */
    uint32_t pools; /* blocks that overflow buckets come from; the first bucket links them */
    uint64_t bytes; /* of buckets */
    uint32_t groups_due[KW_INDEX_GROUPS];
    uint32_t due; /* expire.c: nothing is to be collected before */
    /* of an index that was flushed */
    struct kw_index *next;
    uint32_t drained_to; /* buckets that are empty */
    uint64_t epoch;      /* when it was drained; 0: not yet */
};

/* Where buckets come from and go to: the cache's memory, and its grace period. */
struct kw_cache_worker;

struct kw_index *kw__index_new(void);
void kw__index_free(struct kw_index **index, struct kw_cache_worker *worker);

/* Without a lock: the entry of KEY; with IS_EXACT also of its variant. May look again while
 * entries move. kw__index_may_have(): is there one whose hash looks so?
 * kw__index_look(): the same under the lock. kw__index_slot(): the exact one and where its ref is,
 * or NULL twice.
 */
struct kw_entry *kw__index_find(const struct kw_index *index, const struct kw_arena *arena,
                                const struct kw_cache_key *key, bool *is_certain);
bool kw__index_may_have(const struct kw_index *index, const struct kw_arena *arena, uint64_t hash);
struct kw_entry *kw__index_look(const struct kw_index *index, const struct kw_arena *arena,
                                const struct kw_cache_key *key, bool is_exact);
_Atomic uint32_t *kw__index_slot(const struct kw_index *index, const struct kw_arena *arena,
                                 const struct kw_cache_key *key, struct kw_entry **entry);

/* Without a lock, only to bring near what a look-up of HASH is going to touch: its bucket, which is
 * returned (NULL: none); then, from that bucket, the entry, or else the next bucket of the chain,
 * which is returned. *FOUND: there is an entry that looks so.
 */
const struct kw_bucket *kw__index_touch(const struct kw_index *index, const struct kw_arena *arena,
                                        uint64_t hash, bool is_written);
const struct kw_bucket *kw__bucket_touch(const struct kw_bucket *bucket,
                                         const struct kw_arena *arena, uint64_t hash, bool *found);

/* Publish ENTRY under HASH; false when there is no memory for a bucket. */
bool kw__index_add(struct kw_index *index, struct kw_cache_worker *worker, uint64_t hash,
                   struct kw_entry *entry);

/* Take ENTRY, which is in, out. Its slot may then have another entry of its chain: who walks and
 * takes out looks at the slot again.
 */
void kw__index_remove(struct kw_index *index, const struct kw_arena *arena, uint64_t hash,
                      const struct kw_entry *entry);

struct kw_segment_place *kw__index_segment(const struct kw_index *index, uint32_t segment);

/* The number of the bucket that HASH belongs to when there are BUCKETS_COUNT of them. */
static inline uint32_t kw__index_number_of(uint64_t hash, uint32_t buckets_count)
{
    if (buckets_count < 2) {
        return 0;
    }
    uint32_t mask = (uint32_t)((1ull << (32 - __builtin_clz(buckets_count - 1))) - 1);
    uint32_t number = (uint32_t)hash & mask;
    return number < buckets_count ? number : number & (mask >> 1);
}

/* The same now. */
static inline uint32_t kw__index_number(const struct kw_index *index, uint64_t hash)
{
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_acquire);

    return kw__index_number_of(hash, count);
}

/* The first bucket of the chain NUMBER; NULL before anything was put. */
static inline struct kw_bucket *kw__index_bucket(const struct kw_index *index,
                                                 const struct kw_arena *arena, uint32_t number)
{
    uint32_t segment = number / KW_SEGMENT_BUCKETS;
    unsigned chunk = 31 - (unsigned)__builtin_clz(segment + 1);
    struct kw_segment_place *places =
        atomic_load_explicit(&index->chunks[chunk], memory_order_acquire);

    if (places == NULL) {
        return NULL; /* nothing was ever put */
    }
    uint32_t ref =
        atomic_load_explicit(&places[segment + 1 - (1u << chunk)].ref, memory_order_acquire);
    return (struct kw_bucket *)kw_arena_at(arena, ref) + number % KW_SEGMENT_BUCKETS;
}

/* The next of the chain; NULL: BUCKET is the last. */
static inline struct kw_bucket *kw__bucket_next(const struct kw_bucket *bucket,
                                                const struct kw_arena *arena)
{
    uint32_t ref = atomic_load_explicit(&bucket->overflow, memory_order_acquire);

    return ref == 0 ? NULL : kw_arena_at(arena, ref);
}

#endif
