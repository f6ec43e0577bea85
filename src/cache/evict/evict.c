/* evict.c - the policies: which list an entry is in, and who is at the end of which.
 *
 *     put --> [ new ] --no use--> out, remembered as a ghost (admit.c)
 *               |   \
 *          used |    ghosts come in here at once
 *               v      v
 *             [ old: one list for each weight ] --lowest rank--> out
 *
 * A hit only marks its entry, and when it is marked enough a hit writes nothing (mark.h). What the
 * mark means is worked out when an entry comes to the end of its list.
 *
 * `balanced` (the default) is a probation of S3-FIFO's kind before a main part that goes by uses
 * per byte, as GDSF does. New entries take a tenth of the memory; those that were used there, or
 * were evicted lately, go on to the old ones, all others leave. So a scan passes through that
 * tenth. Old entries have weight = uses / bytes and rank = age + weight, where age is the rank of
 * the last one that was evicted: the lowest rank leaves. GDSF keeps a heap for that, and moves in
 * it at every hit. Here entries of about the same weight share a list, whose oldest has the lowest
 * rank of it (queue.c): the least of 60 list ends is the victim. One that was used since it was
 * queued is queued again with its new weight.
 * `lfu` is the same without the probation and without sizes, so weight is uses alone.
 * `s3fifo` is the published one: two lists and ghosts. `lru` moves an entry to the front when it is
 * hit, at most once in a tick of 100 ms and only if the lock is free: exact to that tick. There,
 * and with `random`, `ttl` and `keep`, mark and stamp together are the tick of the last use.
 *
 * When the policy changes, entries are in places of the old one until sweep.c has come by. Whoever
 * is oldest in any of them may leave when the new policy finds nobody.
 *
 * INVARIANTS (V1 and V2 are queue.c's)
 * V3  age never falls.
 *
 * Cost: O(1) a hit; an eviction looks at the ends of the lists and touches one entry, or some more
 * that were used: each has paid for it by a hit.
 */
#include "cache/evict/evict.h"

#include "base/assert.h"
#include "cache/cache_extra.h"
#include "cache/evict/mark.h"
#include "cache/evict/queue.h"
#include "cache/internal.h"

enum {
    NEW_SHARE = 10,    /* the tenth of the memory for the new */
    S3_MOVE_COUNT = 2, /* uses that make S3-FIFO keep a new entry */
    S3_COUNT_MAX = 3,  /* uses that it counts */
    REQUEUE_MAX = 256, /* in one eviction; then whoever is next leaves */
    WEIGHT_SHIFT = 26, /* weight of one use of one byte */
    RANDOM_TRIES = 8
};

static unsigned place_of_new(struct kw_shard *shard, uint64_t hash, const struct kw_entry *entry,
                             const struct kw_entry *old);
static uint64_t entry_weight(const struct kw_shard *shard, const struct kw_entry *entry);
static struct kw_entry *victim(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_balanced(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_ranked(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_s3fifo(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_random(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *oldest_of_any(struct kw_cache_worker *worker, struct kw_shard *shard);

void kw__evict_touch(struct kw_cache_worker *worker, struct kw_shard *shard,
                     const struct kw_index *index, struct kw_entry *entry)
{
    enum kw_cache_policy policy =
        atomic_load_explicit(&worker->cache->policy, memory_order_relaxed);

    if (!kw__mark_is_tick(policy)) {
        kw__mark_use(entry);
        return;
    }
    uint32_t tick = kw__tick_at(worker->now_ms);
    if (kw__tick_of(entry) == tick) {
        return;
    }
    if (policy != KW_CACHE_LRU) {
        kw__tick_set(entry, tick);
        return;
    }
    if (pthread_mutex_trylock(&shard->lock) != 0) {
        return;
    }
    /* It may have gone since it was found, alone or with its index; or the policy. */
    if (shard->policy == KW_CACHE_LRU &&
        atomic_load_explicit(&shard->index, memory_order_relaxed) == index) {
        kw__tick_set(entry, tick);
        if (entry->place != KW_PLACE_NONE) {
            kw__queue_remove(worker, shard, entry);
            kw__queue_add(worker, shard, entry, KW_PLACE_NEW);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

void kw__evict_enter(struct kw_cache_worker *worker, struct kw_shard *shard, uint64_t hash,
                     struct kw_entry *entry, const struct kw_entry *old)
{
    bool is_timed = atomic_load_explicit(&entry->deadline, memory_order_relaxed) != 0;

    entry->place = KW_PLACE_NONE;
    if (kw__mark_is_tick(shard->policy)) {
        kw__tick_set(entry, kw__tick_at(worker->now_ms));
    } else if (old != NULL) {
        /* A key keeps what it earned when its value changes; a write is a use, too. */
        atomic_store_explicit(&entry->mark, atomic_load_explicit(&old->mark, memory_order_relaxed),
                              memory_order_relaxed);
        kw__mark_use(entry);
    }
    if ((entry->flags & KW_ENTRY_FILL) == 0 && shard->policy != KW_CACHE_KEEP &&
        (is_timed || !shard->is_timed_only)) {
        kw__queue_add(worker, shard, entry, place_of_new(shard, hash, entry, old));
    }
}

void kw__evict_requeue(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry)
{
    kw__evict_leave(worker, shard, entry);
    atomic_store_explicit(&entry->mark, 0, memory_order_relaxed);
    kw__evict_enter(worker, shard, kw__hash_of(worker, entry), entry, NULL);
}

void kw__evict_usage(const struct kw_cache_worker *worker, const struct kw_entry *entry,
                     struct kw_cache_usage *usage)
{
    enum kw_cache_policy policy =
        atomic_load_explicit(&worker->cache->policy, memory_order_relaxed);

    *usage = (struct kw_cache_usage){0};
    if (!kw__mark_is_tick(policy)) {
        usage->has_uses = true;
        usage->uses_count = kw__mark_uses(entry);
        return;
    }
    usage->has_idle = true;
    usage->idle_ms = (uint64_t)kw__tick_since(worker->now_ms, entry) * KW_TICK_MS;
}

void kw__evict_set_usage(struct kw_cache_worker *worker, struct kw_shard *shard,
                         struct kw_entry *entry, const struct kw_cache_usage *usage)
{
    bool is_queued = entry->place != KW_PLACE_NONE;

    if (shard->policy == KW_CACHE_LFU && usage->has_uses) {
        unsigned uses = usage->uses_count < KW_MARK_COUNT ? usage->uses_count : KW_MARK_COUNT;
        kw__evict_leave(worker, shard, entry);
        atomic_store_explicit(&entry->mark, (uint8_t)uses, memory_order_relaxed);
        if (is_queued) {
            kw__queue_add(worker, shard, entry, kw__place_of_weight(entry_weight(shard, entry)));
        }
    } else if (kw__mark_is_tick(shard->policy) && usage->has_idle) {
        uint64_t ticks = usage->idle_ms / KW_TICK_MS;
        ticks = ticks < KW_TICK_BEHIND ? ticks : KW_TICK_BEHIND - 1;
        kw__tick_set(entry, (kw__tick_at(worker->now_ms) - (uint32_t)ticks) & KW_TICK_MASK);
        if (is_queued && shard->policy == KW_CACHE_LRU) {
            kw__evict_leave(worker, shard, entry);
            kw__queue_add_idle(worker, shard, entry);
        }
    }
}

void kw__evict_leave(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry)
{
    if (entry->place != KW_PLACE_NONE) {
        kw__queue_remove(worker, shard, entry);
        entry->place = KW_PLACE_NONE;
    }
}

void kw__evict_forget(struct kw_shard *shard)
{
    uint64_t age = shard->queues.age; /* V3 */

    shard->queues = (struct kw_queues){.age = age};
    atomic_store_explicit(&shard->queued_bytes, 0, memory_order_relaxed);
}

size_t kw__evict_one(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    for (unsigned i = 0; i < REQUEUE_MAX; i++) {
        struct kw_entry *entry = victim(worker, shard);
        if (entry == NULL) {
            return 0;
        }
        if (shard->is_timed_only &&
            atomic_load_explicit(&entry->deadline, memory_order_relaxed) == 0) {
            kw__evict_leave(worker, shard, entry); /* in a list of the policy before this */
            continue;
        }
        size_t bytes = kw_arena_block_bytes(kw__entry_size_of(entry));
        if (!kw__shard_drop(worker, shard, entry)) {
            kw__gone_note(worker, entry, KW_CACHE_EVICTED);
        }
        return bytes;
    }
    return 0;
}

/* The list for ENTRY, which comes in, perhaps instead of OLD. */
static unsigned place_of_new(struct kw_shard *shard, uint64_t hash, const struct kw_entry *entry,
                             const struct kw_entry *old)
{
    switch (shard->policy) {
    case KW_CACHE_BALANCED:
        if ((old != NULL && old->place != KW_PLACE_NEW && old->place != KW_PLACE_NONE) ||
            (old == NULL && kw__admit_recall(&shard->admit, hash))) {
            return kw__place_of_weight(entry_weight(shard, entry));
        }
        return KW_PLACE_NEW;
    case KW_CACHE_S3FIFO:
        if ((old != NULL && old->place == KW_PLACE_OLD) ||
            (old == NULL && kw__admit_recall(&shard->admit, hash))) {
            return KW_PLACE_OLD;
        }
        return KW_PLACE_NEW;
    case KW_CACHE_LFU:
        return kw__place_of_weight(entry_weight(shard, entry));
    case KW_CACHE_LRU:
    case KW_CACHE_RANDOM:
    case KW_CACHE_TTL:
        return KW_PLACE_NEW;
    case KW_CACHE_KEEP:
    case KW_CACHE_POLICY_COUNT:
    default:
        KW_UNREACHABLE();
    }
}

static uint64_t entry_weight(const struct kw_shard *shard, const struct kw_entry *entry)
{
    uint64_t uses = (uint64_t)kw__mark_uses(entry) + 1;

    if (shard->policy == KW_CACHE_LFU) {
        return uses << (WEIGHT_SHIFT - 6);
    }
    uint64_t weight = (uses << WEIGHT_SHIFT) / kw_arena_block_bytes(kw__entry_size_of(entry));
    return weight == 0 ? 1 : weight;
}

static struct kw_entry *victim(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_entry *entry = NULL;

    switch (shard->policy) {
    case KW_CACHE_BALANCED:
        entry = victim_balanced(worker, shard);
        break;
    case KW_CACHE_S3FIFO:
        entry = victim_s3fifo(worker, shard);
        break;
    case KW_CACHE_LFU:
        entry = victim_ranked(worker, shard);
        break;
    case KW_CACHE_RANDOM:
        entry = victim_random(worker, shard);
        break;
    case KW_CACHE_TTL:
        entry = kw__expire_nearest(worker, shard);
        break;
    case KW_CACHE_LRU:
        entry = kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_NEW);
        break;
    case KW_CACHE_KEEP:
        return NULL;
    case KW_CACHE_POLICY_COUNT:
    default:
        KW_UNREACHABLE();
    }
    return entry != NULL ? entry : oldest_of_any(worker, shard);
}

static struct kw_entry *victim_balanced(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_queues *queues = &shard->queues;

    for (unsigned i = 0; i < REQUEUE_MAX; i++) {
        struct kw_entry *entry = kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_NEW);
        if (entry == NULL || (queues->lists[KW_PLACE_NEW].bytes <= queues->bytes / NEW_SHARE &&
                              queues->lists[KW_PLACE_NEW].bytes < queues->bytes)) {
            break;
        }
        if (kw__mark_uses(entry) == 0) {
            kw__admit_remember(&shard->admit, kw__hash_of(worker, entry));
            return entry;
        }
        kw__queue_remove(worker, shard, entry);
        atomic_fetch_and_explicit(&entry->mark, KW_MARK_COUNT, memory_order_relaxed);
        kw__queue_add(worker, shard, entry, kw__place_of_weight(entry_weight(shard, entry)));
    }
    return victim_ranked(worker, shard);
}

/* Of the old ones, the one with the lowest rank that was not used since it got it. */
static struct kw_entry *victim_ranked(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_queues *queues = &shard->queues;

    for (unsigned i = 0; i < REQUEUE_MAX; i++) {
        unsigned least = KW_PLACE_NEW;
        for (unsigned place = KW_PLACE_OLD; place < KW_PLACES; place++) {
            if (queues->lists[place].oldest != 0 &&
                (least == KW_PLACE_NEW || queues->lists[place].rank < queues->lists[least].rank)) {
                least = place;
            }
        }
        struct kw_entry *entry = kw__queue_oldest(&shard->queues, worker->arena, least);
        if (entry == NULL || least == KW_PLACE_NEW) {
            return entry;
        }
        if (queues->lists[least].rank > queues->age) {
            queues->age = queues->lists[least].rank; /* V3 */
        }
        if ((atomic_load_explicit(&entry->mark, memory_order_relaxed) & KW_MARK_USED) == 0) {
            return entry;
        }
        kw__queue_remove(worker, shard, entry);
        atomic_fetch_and_explicit(&entry->mark, KW_MARK_COUNT, memory_order_relaxed);
        kw__queue_add(worker, shard, entry, kw__place_of_weight(entry_weight(shard, entry)));
    }
    return NULL;
}

static struct kw_entry *victim_s3fifo(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_queues *queues = &shard->queues;

    for (unsigned i = 0; i < REQUEUE_MAX; i++) {
        struct kw_entry *entry = kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_NEW);
        bool is_new =
            entry != NULL && (queues->lists[KW_PLACE_NEW].bytes > queues->bytes / NEW_SHARE ||
                              queues->lists[KW_PLACE_OLD].oldest == 0);
        if (!is_new) {
            entry = kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_OLD);
        }
        if (entry == NULL) {
            return NULL;
        }
        unsigned uses = kw__mark_uses(entry) < S3_COUNT_MAX ? kw__mark_uses(entry) : S3_COUNT_MAX;
        if (is_new && uses < S3_MOVE_COUNT) {
            kw__admit_remember(&shard->admit, kw__hash_of(worker, entry));
            return entry;
        }
        if (!is_new && uses == 0) {
            return entry;
        }
        kw__queue_remove(worker, shard, entry);
        atomic_store_explicit(&entry->mark, (uint8_t)(is_new ? 0 : uses - 1), memory_order_relaxed);
        kw__queue_add(worker, shard, entry, KW_PLACE_OLD);
    }
    return kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_OLD);
}

/* Some entry of some bucket; NULL when the first looks find none that may go. */
static struct kw_entry *victim_random(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    const struct kw_index *index = atomic_load_explicit(&shard->index, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&index->buckets_count, memory_order_relaxed);

    for (unsigned i = 0; i < RANDOM_TRIES && count != 0; i++) {
        worker->random = worker->random * 6364136223846793005u + 1442695040888963407u;
        uint32_t number = (uint32_t)(((worker->random >> 32) * count) >> 32);
        const struct kw_bucket *bucket = kw__index_bucket(index, worker->arena, number);
        unsigned first = (unsigned)(worker->random >> 28) % KW_BUCKET_SLOTS;
        for (unsigned j = 0; j < KW_BUCKET_SLOTS; j++) {
            uint32_t ref = atomic_load_explicit(&bucket->refs[(first + j) % KW_BUCKET_SLOTS],
                                                memory_order_relaxed);
            struct kw_entry *entry = kw_arena_at(worker->arena, ref);
            if (ref != 0 && entry->place != KW_PLACE_NONE) {
                return entry;
            }
        }
    }
    return NULL;
}

/* Nobody is in the lists of the policy, or all were used: the oldest of the first that is. */
static struct kw_entry *oldest_of_any(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    for (unsigned place = KW_PLACE_OLD; place < KW_PLACES; place++) {
        if (shard->queues.lists[place].oldest != 0) {
            return kw__queue_oldest(&shard->queues, worker->arena, place);
        }
    }
    return kw__queue_oldest(&shard->queues, worker->arena, KW_PLACE_NEW);
}
