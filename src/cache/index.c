/* index.c - linear hashing over buckets of one cache line.
 *
 *     hash:  | shard (top) | tag (bits 32-47) | bucket (low bits) |
 *
 *     segment 0              segment 1
 *     [b0][b1][b2]...[b63]   [b64]...[b70]          b70 is the last: buckets_count = 71
 *       |                                           next to split: b7, into b7 and b71
 *       +-> overflow bucket
 *     bucket: 9 tags | 9 refs | overflow | due
 *
 * The index grows by one bucket whenever there are more than KW_INDEX_LOAD entries a bucket: bucket
 * n - 2^k parts with those entries whose hash has bit k set. So growing is never more than the
 * work on one chain. Buckets that are not yet split hold up to twice as many entries as those that
 * are; what doesn't fit 9 slots goes to overflow buckets (chain.c). Together that takes at most 10
 * bytes an entry (seen: 9.4-9.9 whatever the count; tests hold it, also when entries come and go),
 * and 1.4 lines a look-up. With 10 entries a bucket it took up to 10.3 bytes and 1.2 lines.
 *
 * Readers take no lock. They load a ref with acquire, compare the whole key, and are right when it
 * is equal. A miss is right when no entry moved meanwhile: `moves` is read before and after, and
 * whoever sees it change looks again, then under the lock.
 *
 * INVARIANTS (X3 and X4 are chain.c's)
 * X1  An entry is in the chain of the bucket that its hash names, except while `moves` is odd.
 * X2  buckets_count grows after the segment of its last bucket is in its chunk.
 *
 * Not done: shrinking. An index keeps the size of its largest day until the cache is flushed.
 */
#include "cache/index.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "cache/chain.h"
#include "cache/internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Four tags, and eight. */
typedef uint64_t __attribute__((may_alias)) word;
typedef uint64_t pair __attribute__((vector_size(16)));
typedef uint16_t eight __attribute__((vector_size(16)));
typedef int16_t eight_signed __attribute__((vector_size(16)));

enum { FIND_TRIES = 4, TOUCH_STEP_BYTES = 64 };

static struct kw_entry *index_probe(const struct kw_index *index, const struct kw_arena *arena,
                                    const struct kw_cache_key *key);
static _Atomic uint32_t *index_walk(const struct kw_index *index, const struct kw_arena *arena,
                                    const struct kw_cache_key *key, bool is_exact,
                                    struct kw_entry **found);
static unsigned bucket_match(const struct kw_bucket *bucket, uint16_t tag);
static unsigned eight_bits(eight_signed lanes);
static unsigned match_take(unsigned *match);
static bool index_grow(struct kw_index *index, struct kw_cache_worker *worker);
static bool index_open_segment(struct kw_index *index, struct kw_cache_worker *worker);
static void index_split(struct kw_index *index, struct kw_cache_worker *worker, uint32_t from,
                        uint32_t to);
static uint16_t tag_of(uint64_t hash);

_Static_assert(KW_BUCKET_SLOTS == 9 && offsetof(struct kw_bucket, tags) == 0,
               "bucket_match() sees two words and a tag");

struct kw_index *kw__index_new(void)
{
    return kw_alloc_zero(1, sizeof(struct kw_index));
}

void kw__index_free(struct kw_index **index, struct kw_cache_worker *worker)
{
    struct kw_index *old = *index;

    KW_ASSERT(old->entries_count == 0);
    while (old->pools != 0) {
        struct kw_bucket *pool = kw_arena_at(worker->arena, old->pools);
        old->pools = pool->due;
        kw__memory_put(worker, pool, KW_POOL_BUCKETS * sizeof *pool);
    }
    for (uint32_t i = 0; i < old->segments_count; i++) {
        uint32_t ref = atomic_load_explicit(&kw__index_segment(old, i)->ref, memory_order_relaxed);
        kw__memory_put(worker, kw_arena_at(worker->arena, ref),
                       KW_SEGMENT_BUCKETS * sizeof(struct kw_bucket));
    }
    for (size_t i = 0; i < KW_INDEX_CHUNKS; i++) {
        kw_free(atomic_load_explicit(&old->chunks[i], memory_order_relaxed));
    }
    atomic_fetch_sub_explicit(&worker->cache->index_bytes, old->bytes, memory_order_relaxed);
    kw_free(old);
    *index = NULL;
}

struct kw_entry *kw__index_find(const struct kw_index *index, const struct kw_arena *arena,
                                const struct kw_cache_key *key, bool *is_certain)
{
    *is_certain = true;
    for (unsigned i = 0; i < FIND_TRIES; i++) {
        uint32_t moves = atomic_load_explicit(&index->moves, memory_order_acquire);
        struct kw_entry *entry = index_probe(index, arena, key);
        if (entry != NULL) {
            return entry;
        }
        if ((moves & 1) == 0 &&
            atomic_load_explicit(&index->moves, memory_order_acquire) == moves) {
            return NULL;
        }
    }
    *is_certain = false;
    return NULL;
}

bool kw__index_may_have(const struct kw_index *index, const struct kw_arena *arena, uint64_t hash)
{
    uint32_t moves = atomic_load_explicit(&index->moves, memory_order_acquire);
    uint16_t tag = tag_of(hash);
    struct kw_bucket *bucket = kw__index_bucket(index, arena, kw__index_number(index, hash));

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, arena)) {
        for (unsigned match = bucket_match(bucket, tag); match != 0;) {
            unsigned i = match_take(&match);
            if (atomic_load_explicit(&bucket->refs[i], memory_order_acquire) != 0) {
                return true;
            }
        }
    }
    return (moves & 1) != 0 || atomic_load_explicit(&index->moves, memory_order_acquire) != moves;
}

const struct kw_bucket *kw__index_touch(const struct kw_index *index, const struct kw_arena *arena,
                                        uint64_t hash, bool is_written)
{
    const struct kw_bucket *bucket = kw__index_bucket(index, arena, kw__index_number(index, hash));

    if (is_written) {
        kw_prefetch_write(bucket);
    } else {
        __builtin_prefetch(bucket);
    }
    return bucket;
}

const struct kw_bucket *kw__bucket_touch(const struct kw_bucket *bucket,
                                         const struct kw_arena *arena, uint64_t hash, bool *found)
{
    uint16_t tag = tag_of(hash);

    for (unsigned match = bucket_match(bucket, tag); match != 0;) {
        unsigned i = match_take(&match);
        uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
        if (ref != 0) {
            const char *entry = kw_arena_at(arena, ref);
            __builtin_prefetch(entry);
            __builtin_prefetch(entry + TOUCH_STEP_BYTES);
            *found = true;
            return NULL;
        }
    }
    bucket = kw__bucket_next(bucket, arena);
    __builtin_prefetch(bucket);
    return bucket;
}

struct kw_entry *kw__index_look(const struct kw_index *index, const struct kw_arena *arena,
                                const struct kw_cache_key *key, bool is_exact)
{
    struct kw_entry *entry = NULL;

    (void)index_walk(index, arena, key, is_exact, &entry);
    return entry;
}

_Atomic uint32_t *kw__index_slot(const struct kw_index *index, const struct kw_arena *arena,
                                 const struct kw_cache_key *key, struct kw_entry **entry)
{
    return index_walk(index, arena, key, true, entry);
}

bool kw__index_add(struct kw_index *index, struct kw_cache_worker *worker, uint64_t hash,
                   struct kw_entry *entry)
{
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);

    if (index->entries_count >= count * KW_INDEX_LOAD && !index_grow(index, worker) && count == 0) {
        return false; /* with a bucket it can go on, only slower */
    }
    struct kw_bucket *bucket =
        kw__index_bucket(index, worker->arena, kw__index_number(index, hash));
    uint32_t ref = kw_arena_ref(worker->arena, entry);
    if (!kw__chain_add(bucket, worker, tag_of(hash), ref, index)) {
        return false;
    }
    index->entries_count++;
    return true;
}

void kw__index_remove(struct kw_index *index, const struct kw_arena *arena, uint64_t hash,
                      const struct kw_entry *entry)
{
    struct kw_bucket *bucket = kw__index_bucket(index, arena, kw__index_number(index, hash));

    KW_ASSERT(index->entries_count > 0);
    kw__chain_remove(index, arena, bucket, kw_arena_ref(arena, entry));
    index->entries_count--;
}

struct kw_segment_place *kw__index_segment(const struct kw_index *index, uint32_t segment)
{
    unsigned chunk = 31 - (unsigned)__builtin_clz(segment + 1);

    return atomic_load_explicit(&index->chunks[chunk], memory_order_relaxed) + segment + 1 -
           (1u << chunk);
}

/* Under the lock: the entry of KEY's name, or of KEY exactly, and where its ref is. */
static _Atomic uint32_t *index_walk(const struct kw_index *index, const struct kw_arena *arena,
                                    const struct kw_cache_key *key, bool is_exact,
                                    struct kw_entry **found)
{
    uint16_t tag = tag_of(key->hash);
    struct kw_bucket *bucket = kw__index_bucket(index, arena, kw__index_number(index, key->hash));

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, arena)) {
        for (unsigned match = bucket_match(bucket, tag); match != 0;) {
            unsigned i = match_take(&match);
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            struct kw_entry *entry = kw_arena_at(arena, ref);
            if (ref != 0 &&
                (is_exact ? kw__entry_is(entry, key) : kw__entry_has_name(entry, key))) {
                *found = entry;
                return &bucket->refs[i];
            }
        }
    }
    *found = NULL;
    return NULL;
}

/* The slots of BUCKET that have TAG, two bits for each, of which the lower one counts; seen at
 * once: most looks of those who miss end with it. What is put meanwhile may be overlooked, as
 * chain.c's X3 says.
 */
static inline unsigned bucket_match(const struct kw_bucket *bucket, uint16_t tag)
{
    const word *words = (const word *)(const void *)bucket->tags;
    eight tags = (eight)(pair){__atomic_load_n(&words[0], __ATOMIC_RELAXED),
                               __atomic_load_n(&words[1], __ATOMIC_RELAXED)};
    uint16_t last = atomic_load_explicit(&bucket->tags[KW_BUCKET_SLOTS - 1], memory_order_relaxed);

    return (eight_bits(tags == tag) & 0x5555) | (last == tag ? 1u << 16 : 0);
}

static inline unsigned eight_bits(eight_signed lanes)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)lanes);
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < 8; i++) {
        bits |= ((unsigned)lanes[i] & 3) << 2 * i;
    }
    return bits;
#endif
}

/* One slot of MATCH, which is taken out of it. */
static inline unsigned match_take(unsigned *match)
{
    unsigned bit = (unsigned)__builtin_ctz(*match);

    *match &= *match - 1;
    return bit / 2;
}

/* One look through the chain of KEY, as it is at this moment. */
static struct kw_entry *index_probe(const struct kw_index *index, const struct kw_arena *arena,
                                    const struct kw_cache_key *key)
{
    uint16_t tag = tag_of(key->hash);
    const struct kw_bucket *bucket =
        kw__index_bucket(index, arena, kw__index_number(index, key->hash));

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, arena)) {
        for (unsigned match = bucket_match(bucket, tag); match != 0;) {
            unsigned i = match_take(&match);
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_acquire);
            struct kw_entry *entry = kw_arena_at(arena, ref);
            if (ref != 0 && kw__entry_is(entry, key)) {
                return entry;
            }
        }
    }
    return NULL;
}

static bool index_grow(struct kw_index *index, struct kw_cache_worker *worker)
{
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);

    if (count == index->segments_count * KW_SEGMENT_BUCKETS && !index_open_segment(index, worker)) {
        return false;
    }
    if (count == 0) {
        atomic_store_explicit(&index->buckets_count, 1, memory_order_release); /* X2 */
        return true;
    }
    uint32_t half = 1u << (31 - (unsigned)__builtin_clz(count));
    index_split(index, worker, count - half, count);
    return true;
}

static bool index_open_segment(struct kw_index *index, struct kw_cache_worker *worker)
{
    uint32_t segment = index->segments_count;
    unsigned chunk = 31 - (unsigned)__builtin_clz(segment + 1);

    if (chunk == KW_INDEX_CHUNKS) {
        return false;
    }
    struct kw_bucket *block = kw__buckets_get(index, worker, KW_SEGMENT_BUCKETS);
    if (block == NULL) {
        return false;
    }
    if (atomic_load_explicit(&index->chunks[chunk], memory_order_relaxed) == NULL) {
        struct kw_segment_place *places = kw_alloc_zero(1u << chunk, sizeof *places);
        atomic_store_explicit(&index->chunks[chunk], places, memory_order_release);
    }
    atomic_store_explicit(&kw__index_segment(index, segment)->ref,
                          kw_arena_ref(worker->arena, block), memory_order_release);
    index->segments_count++;
    return true;
}

/* Bucket FROM gives TO, the new last one, what belongs there. */
static void index_split(struct kw_index *index, struct kw_cache_worker *worker, uint32_t from,
                        uint32_t to)
{
    struct kw_bucket *target = kw__index_bucket(index, worker->arena, to);
    struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, from);
    struct kw_bucket *first = bucket;

    atomic_fetch_add_explicit(&index->moves, 1, memory_order_acq_rel);
    for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            if (ref == 0) {
                continue;
            }
            uint64_t hash = kw__hash_of(worker, kw_arena_at(worker->arena, ref));
            if (kw__index_number_of(hash, to + 1) != to) {
                continue;
            }
            if (!kw__chain_add(target, worker, tag_of(hash), ref, index)) {
                goto out; /* TO is not published: what is in it is in FROM, too */
            }
        }
    }
    atomic_store_explicit(&index->buckets_count, to + 1, memory_order_release);
    first->due = 0; /* what both chains are due is known now: expire.c T1 */
    for (bucket = first; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            if (ref == 0) {
                continue;
            }
            struct kw_entry *entry = kw_arena_at(worker->arena, ref);
            uint32_t number = kw__index_number_of(kw__hash_of(worker, entry), to + 1);
            if (number == to) {
                atomic_store_explicit(&bucket->refs[i], 0, memory_order_release);
            }
            kw__expire_lower(index, worker->arena, number, kw__entry_due(entry));
        }
    }
    kw__chain_pack(index, worker->arena, first);
    target = NULL;
out:
    for (; target != NULL; target = kw__bucket_next(target, worker->arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            atomic_store_explicit(&target->refs[i], 0, memory_order_release);
        }
    }
    atomic_fetch_add_explicit(&index->moves, 1, memory_order_acq_rel);
}

static uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> 32);
}
