/* expire.c - a tree of lower bounds over the buckets of the index.
 *
 *     index.due            nothing in this shard is to be collected before
 *       groups_due[g]      ... in these segments (one each until there are 256)
 *         segment.due      ... in these 64 buckets
 *           bucket.due     ... in this chain
 *             entries
 *
 * A put lowers the bounds above its bucket. What removes an entry, or gives it a later deadline,
 * leaves them: a bound may be too low, never too high. Collecting goes down where a bound has come,
 * drops what is over and sets the bounds it passed to what they should be. So a visit in vain is
 * paid for by the removal that caused it, and an entry costs no links, only a part of 4 bytes a
 * bucket. Reading checks the entry's own deadline: what is over is a miss at its millisecond,
 * collected or not. A promise counts as due long after its deadline: nearly all are kept or broken
 * at once, and each value that is fetched would be visited in vain.
 *
 * INVARIANTS
 * T1  A bound is 0 (nothing below is ever due) or not after kw__entry_due() of anything below it.
 * T2  Deadlines are within 24 days of each other (entry.c E1), so their order is the sign of the
 *     difference.
 *
 * Cost: a put lowers 4 words; a collected entry costs a visit of its bucket, about 1 us.
 */
#include "cache/expire.h"

#include "cache/internal.h"

enum { NEAREST_TRIES = 16 };

static bool is_before(uint32_t a, uint32_t b);
static bool lower(uint32_t *bound, uint32_t deadline);
static uint32_t bucket_visit(struct kw_cache_worker *worker, struct kw_shard *shard,
                             struct kw_index *index, uint32_t number, uint32_t now);
static uint32_t segment_bound(const struct kw_index *index, const struct kw_arena *arena,
                              uint32_t segment);
static uint32_t group_bound(const struct kw_index *index, uint32_t group);
static uint32_t index_bound(const struct kw_index *index);
static uint32_t group_of(uint32_t segment);
static unsigned segment_collect(struct kw_cache_worker *worker, struct kw_shard *shard,
                                struct kw_index *index, uint32_t segment, unsigned buckets);
static uint32_t nearest_number(const struct kw_index *index, const struct kw_arena *arena);
static struct kw_entry *bucket_entry_at(const struct kw_index *index, const struct kw_arena *arena,
                                        uint32_t number, uint32_t deadline);

void kw__expire_lower(struct kw_index *index, const struct kw_arena *arena, uint32_t number,
                      uint32_t due)
{
    uint32_t segment = number / KW_SEGMENT_BUCKETS;

    if (due == 0) {
        return;
    }
    lower(&kw__index_bucket(index, arena, number)->due, due);
    if (lower(&kw__index_segment(index, segment)->due, due) &&
        lower(&index->groups_due[group_of(segment)], due)) {
        lower(&index->due, due);
    }
}

bool kw__expire_collect(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned buckets)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    uint32_t now = (uint32_t)worker->now_ms;
    bool is_more = false;

    if (index->due == 0 || is_before(now, index->due)) {
        return false;
    }
    for (uint32_t group = 0; group < KW_INDEX_GROUPS && !is_more; group++) {
        if (index->groups_due[group] == 0 || is_before(now, index->groups_due[group])) {
            continue;
        }
        for (uint32_t segment = group; segment < index->segments_count;
             segment += KW_INDEX_GROUPS) {
            uint32_t due = kw__index_segment(index, segment)->due;
            if (due == 0 || is_before(now, due)) {
                continue;
            }
            buckets = segment_collect(worker, shard, index, segment, buckets);
            if (buckets == 0) {
                is_more = true;
                break;
            }
        }
        index->groups_due[group] = group_bound(index, group);
    }
    index->due = index_bound(index);
    atomic_store_explicit(kw__shard_due(worker->cache, shard), index->due, memory_order_relaxed);
    return is_more;
}

struct kw_entry *kw__expire_nearest(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);

    for (unsigned i = 0; i < NEAREST_TRIES && index->due != 0; i++) {
        uint32_t number = nearest_number(index, worker->arena);
        uint32_t segment = number / KW_SEGMENT_BUCKETS;
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);
        uint32_t promised = bucket->due;
        struct kw_entry *entry = bucket_entry_at(index, worker->arena, number, promised);
        if (promised != 0 && entry != NULL) {
            return entry;
        }
        /* Too low a bound: set it right and look again. */
        bucket->due = bucket_visit(worker, shard, index, number, (uint32_t)worker->now_ms);
        kw__index_segment(index, segment)->due = segment_bound(index, worker->arena, segment);
        index->groups_due[group_of(segment)] = group_bound(index, group_of(segment));
        index->due = index_bound(index);
    }
    return NULL;
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0; /* T2 */
}

static bool lower(uint32_t *bound, uint32_t deadline)
{
    if (*bound != 0 && !is_before(deadline, *bound)) {
        return false;
    }
    *bound = deadline;
    return true;
}

/* Drop what is over in the chain of bucket NUMBER; the bound of what stays. */
static uint32_t bucket_visit(struct kw_cache_worker *worker, struct kw_shard *shard,
                             struct kw_index *index, uint32_t number, uint32_t now)
{
    struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);
    uint32_t due = 0;

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, worker->arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            if (ref == 0) {
                continue;
            }
            struct kw_entry *entry = kw_arena_at(worker->arena, ref);
            uint32_t deadline = atomic_load_explicit(&entry->deadline, memory_order_relaxed);
            if (deadline == 0) {
                continue;
            }
            if (kw__entry_is_over(entry, worker->now_ms)) {
                kw__shard_drop(worker, shard, entry);
                i--; /* there may be another one now */
                continue;
            }
            if (!is_before(now, deadline)) {
                /* A far one has come nearer. */
                kw__entry_set_deadline(entry, kw__entry_deadline_ms(entry, worker->now_ms),
                                       worker->now_ms);
            }
            lower(&due, kw__entry_due(entry));
        }
    }
    return due;
}

/* Collect in one segment; how many buckets may still be looked into. */
static unsigned segment_collect(struct kw_cache_worker *worker, struct kw_shard *shard,
                                struct kw_index *index, uint32_t segment, unsigned buckets)
{
    uint32_t now = (uint32_t)worker->now_ms;
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
    uint32_t first = segment * KW_SEGMENT_BUCKETS;

    for (uint32_t i = first; i < first + KW_SEGMENT_BUCKETS && i < count && buckets > 0; i++) {
        struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, i);
        if (bucket->due != 0 && !is_before(now, bucket->due)) {
            bucket->due = bucket_visit(worker, shard, index, i, now);
            buckets--;
        }
    }
    kw__index_segment(index, segment)->due = segment_bound(index, worker->arena, segment);
    return buckets;
}

static uint32_t segment_bound(const struct kw_index *index, const struct kw_arena *arena,
                              uint32_t segment)
{
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
    uint32_t first = segment * KW_SEGMENT_BUCKETS;
    uint32_t bound = 0;

    for (uint32_t i = first; i < first + KW_SEGMENT_BUCKETS && i < count; i++) {
        uint32_t due = kw__index_bucket(index, arena, i)->due;
        if (due != 0) {
            lower(&bound, due);
        }
    }
    return bound;
}

static uint32_t group_bound(const struct kw_index *index, uint32_t group)
{
    uint32_t bound = 0;

    for (uint32_t i = group; i < index->segments_count; i += KW_INDEX_GROUPS) {
        uint32_t due = kw__index_segment(index, i)->due;
        if (due != 0) {
            lower(&bound, due);
        }
    }
    return bound;
}

static uint32_t index_bound(const struct kw_index *index)
{
    uint32_t bound = 0;

    for (uint32_t group = 0; group < KW_INDEX_GROUPS; group++) {
        if (index->groups_due[group] != 0) {
            lower(&bound, index->groups_due[group]);
        }
    }
    return bound;
}

static uint32_t group_of(uint32_t segment)
{
    return segment % KW_INDEX_GROUPS;
}

/* The bucket with the lowest bound. */
static uint32_t nearest_number(const struct kw_index *index, const struct kw_arena *arena)
{
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);
    uint32_t group = 0;

    while (group + 1 < KW_INDEX_GROUPS && index->groups_due[group] != index->due) {
        group++;
    }
    uint32_t segment = group;
    while (segment + KW_INDEX_GROUPS < index->segments_count &&
           kw__index_segment(index, segment)->due != index->due) {
        segment += KW_INDEX_GROUPS;
    }
    uint32_t number = segment * KW_SEGMENT_BUCKETS;
    uint32_t last = number + KW_SEGMENT_BUCKETS - 1;
    while (number < last && number + 1 < count &&
           kw__index_bucket(index, arena, number)->due != index->due) {
        number++;
    }
    return number;
}

static struct kw_entry *bucket_entry_at(const struct kw_index *index, const struct kw_arena *arena,
                                        uint32_t number, uint32_t deadline)
{
    struct kw_bucket *bucket = kw__index_bucket(index, arena, number);

    for (; bucket != NULL; bucket = kw__bucket_next(bucket, arena)) {
        for (unsigned i = 0; i < KW_BUCKET_SLOTS; i++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[i], memory_order_relaxed);
            struct kw_entry *entry = kw_arena_at(arena, ref);
            if (ref != 0 && entry->place != KW_PLACE_NONE &&
                atomic_load_explicit(&entry->deadline, memory_order_relaxed) == deadline) {
                return entry;
            }
        }
    }
    return NULL;
}
