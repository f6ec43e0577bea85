/* evict.c - lists of entries, and who is at the end of which.
 *
 *     put --> [ new ] --no use--> out, remembered as a ghost (admit.c)
 *               |   \
 *          used |    ghosts come in here at once
 *               v      v
 *             [ old: one list for each weight ] --lowest rank--> out
 *
 * A hit only marks its entry: bit 7 says "used since it was queued", bits 0-6 count uses and stop
 * at 127, after which a hit writes nothing. What the mark means is worked out when an entry comes
 * to the end of its list.
 *
 * `balanced` (the default) is a probation of S3-FIFO's kind before a main part that goes by uses
 * per byte, as GDSF does. New entries take a tenth of the memory; those that were used there, or
 * were evicted lately, go on to the old ones, all others leave. So a scan passes through that
 * tenth. Old entries have weight = uses / bytes and rank = age + weight, where age is the rank of
 * the last one that was evicted: the lowest rank leaves. GDSF keeps a heap for that, and moves in
 * it at every hit. Here entries of about the same weight (two steps an octave) share a list, in
 * which the oldest has the lowest rank, since age only rises: the least of 60 list ends is the
 * victim. One that was used since it was queued is queued again with its new weight.
 * `lfu` is the same without the probation and without sizes, so weight is uses alone.
 * `s3fifo` is the published one: two lists and ghosts. `lru` moves an entry to the front when it is
 * hit, at most once in a tick of 100 ms and only if the lock is free: exact to that tick. There,
 * and with `random`, `ttl` and `keep`, mark and stamp together are the tick of the last use.
 *
 * When the policy changes, entries are in places of the old one until sweep.c has come by. Whoever
 * is oldest in any of them may leave when the new policy finds nobody.
 *
 * The stamp of an entry is the age when it was queued, in 16 bits: its unit is a thousandth of the
 * list's weight, so it can't have gone round before the entry is the victim.
 *
 * INVARIANTS
 * V1  An entry whose place is a list is in that list, and its bytes are in the list's sum.
 * V2  `rank` of a list is that of its oldest entry.
 * V3  age never falls.
 *
 * Cost: O(1) a hit; an eviction looks at the ends of the lists and touches one entry, or some more
 * that were used: each has paid for it by a hit.
 */
#include "cache/evict.h"

#include "base/assert.h"
#include "cache/cache_extra.h"
#include "cache/internal.h"

enum {
    MARK_USED = 0x80,
    MARK_COUNT = 0x7f,
    NEW_SHARE = 10,    /* the tenth of the memory for the new */
    S3_MOVE_COUNT = 2, /* uses that make S3-FIFO keep a new entry */
    S3_COUNT_MAX = 3,  /* uses that it counts */
    LRU_TICK_MS = 100,
    TICK_MASK = 0xffffff,   /* of mark and stamp */
    TICK_BEHIND = 0xff0000, /* a use that lies in the future: of a worker with a later clock */
    REQUEUE_MAX = 256,      /* in one eviction; then whoever is next leaves */
    WEIGHT_SHIFT = 26,      /* weight of one use of one byte */
    STAMP_BITS = 10,
    SINK_MAX = 32, /* entries looked at from each end for the place of a given use */
    RANDOM_TRIES = 8
};

static bool policy_is_by_time(enum kw_cache_policy policy);
static uint32_t tick_now(const struct kw_cache_worker *worker);
static uint32_t tick_of(const struct kw_entry *entry);
static void tick_set(struct kw_entry *entry, uint32_t tick);
static void mark_use(struct kw_entry *entry);
static unsigned place_of_new(struct kw_shard *shard, uint64_t hash, const struct kw_entry *entry,
                             const struct kw_entry *old);
static void queue_add(struct kw_cache_worker *worker, struct kw_shard *shard,
                      struct kw_entry *entry, unsigned place);
static void queue_add_behind(struct kw_cache_worker *worker, struct kw_shard *shard,
                             struct kw_entry *entry, unsigned place, uint32_t above);
static void queue_remove(struct kw_cache_worker *worker, struct kw_shard *shard,
                         struct kw_entry *entry);
static void queue_add_idle(struct kw_cache_worker *worker, struct kw_shard *shard,
                           struct kw_entry *entry);
static uint32_t queue_find_idle(struct kw_cache_worker *worker, const struct kw_queue *queue,
                                uint32_t ticks);
static struct kw_entry *entry_at(const struct kw_cache_worker *worker, uint32_t ref);
static uint32_t ticks_since_use(const struct kw_cache_worker *worker, const struct kw_entry *entry);
static void queue_rank(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned place);
static uint64_t entry_weight(const struct kw_shard *shard, const struct kw_entry *entry);
static unsigned place_of_weight(uint64_t weight);
static uint64_t weight_of_place(unsigned place);
static unsigned stamp_shift(unsigned place);
static struct kw_entry *victim(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_balanced(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_ranked(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_s3fifo(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *victim_random(struct kw_cache_worker *worker, struct kw_shard *shard);
static struct kw_entry *queue_oldest(struct kw_cache_worker *worker, struct kw_shard *shard,
                                     unsigned place);
static struct kw_entry *oldest_of_any(struct kw_cache_worker *worker, struct kw_shard *shard);
static unsigned uses_of(const struct kw_entry *entry);

void kw__evict_touch(struct kw_cache_worker *worker, struct kw_shard *shard,
                     const struct kw_index *index, struct kw_entry *entry)
{
    enum kw_cache_policy policy =
        atomic_load_explicit(&worker->cache->policy, memory_order_relaxed);

    if (!policy_is_by_time(policy)) {
        mark_use(entry);
        return;
    }
    uint32_t tick = tick_now(worker);
    if (tick_of(entry) == tick) {
        return;
    }
    if (policy != KW_CACHE_LRU) {
        tick_set(entry, tick);
        return;
    }
    if (pthread_mutex_trylock(&shard->lock) != 0) {
        return;
    }
    /* It may have gone since it was found, alone or with its index; or the policy. */
    if (shard->policy == KW_CACHE_LRU &&
        atomic_load_explicit(&shard->index, memory_order_relaxed) == index) {
        tick_set(entry, tick);
        if (entry->place != KW_PLACE_NONE) {
            queue_remove(worker, shard, entry);
            queue_add(worker, shard, entry, KW_PLACE_NEW);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

void kw__evict_enter(struct kw_cache_worker *worker, struct kw_shard *shard, uint64_t hash,
                     struct kw_entry *entry, const struct kw_entry *old)
{
    bool is_timed = atomic_load_explicit(&entry->deadline, memory_order_relaxed) != 0;

    entry->place = KW_PLACE_NONE;
    if (policy_is_by_time(shard->policy)) {
        tick_set(entry, tick_now(worker));
    } else if (old != NULL) {
        /* A key keeps what it earned when its value changes; a write is a use, too. */
        atomic_store_explicit(&entry->mark, atomic_load_explicit(&old->mark, memory_order_relaxed),
                              memory_order_relaxed);
        mark_use(entry);
    }
    if ((entry->flags & KW_ENTRY_FILL) == 0 && shard->policy != KW_CACHE_KEEP &&
        (is_timed || !shard->is_timed_only)) {
        queue_add(worker, shard, entry, place_of_new(shard, hash, entry, old));
    }
}

void kw__evict_move(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry,
                    struct kw_entry *old)
{
    uint32_t ref = kw_arena_ref(worker->arena, entry);

    if (old->place == KW_PLACE_NONE) {
        return;
    }
    struct kw_queue *queue = &shard->queues.lists[old->place];
    uint32_t *newer = old->prev == 0
                          ? &queue->newest
                          : &((struct kw_entry *)kw_arena_at(worker->arena, old->prev))->next;
    uint32_t *older = old->next == 0
                          ? &queue->oldest
                          : &((struct kw_entry *)kw_arena_at(worker->arena, old->next))->prev;
    KW_ASSERT(*newer == kw_arena_ref(worker->arena, old)); /* V1 */
    KW_ASSERT(*older == *newer);                           /* V1 */
    *newer = ref;
    *older = ref;
    old->place = KW_PLACE_NONE;
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
    if (!policy_is_by_time(policy)) {
        usage->has_uses = true;
        usage->uses_count = uses_of(entry);
        return;
    }
    usage->has_idle = true;
    usage->idle_ms = (uint64_t)ticks_since_use(worker, entry) * LRU_TICK_MS;
}

void kw__evict_set_usage(struct kw_cache_worker *worker, struct kw_shard *shard,
                         struct kw_entry *entry, const struct kw_cache_usage *usage)
{
    bool is_queued = entry->place != KW_PLACE_NONE;

    if (shard->policy == KW_CACHE_LFU && usage->has_uses) {
        unsigned uses = usage->uses_count < MARK_COUNT ? usage->uses_count : MARK_COUNT;
        kw__evict_leave(worker, shard, entry);
        atomic_store_explicit(&entry->mark, (uint8_t)uses, memory_order_relaxed);
        if (is_queued) {
            queue_add(worker, shard, entry, place_of_weight(entry_weight(shard, entry)));
        }
    } else if (policy_is_by_time(shard->policy) && usage->has_idle) {
        uint64_t ticks = usage->idle_ms / LRU_TICK_MS;
        ticks = ticks < TICK_BEHIND ? ticks : TICK_BEHIND - 1;
        tick_set(entry, (tick_now(worker) - (uint32_t)ticks) & TICK_MASK);
        if (is_queued && shard->policy == KW_CACHE_LRU) {
            kw__evict_leave(worker, shard, entry);
            queue_add_idle(worker, shard, entry);
        }
    }
}

void kw__evict_leave(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry)
{
    if (entry->place != KW_PLACE_NONE) {
        queue_remove(worker, shard, entry);
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

/* Are mark and stamp the tick of the last use? */
static bool policy_is_by_time(enum kw_cache_policy policy)
{
    return policy == KW_CACHE_LRU || policy == KW_CACHE_RANDOM || policy == KW_CACHE_TTL ||
           policy == KW_CACHE_KEEP;
}

static uint32_t tick_now(const struct kw_cache_worker *worker)
{
    return (uint32_t)(worker->now_ms / LRU_TICK_MS) & TICK_MASK;
}

static uint32_t tick_of(const struct kw_entry *entry)
{
    return (uint32_t)atomic_load_explicit(&entry->stamp, memory_order_relaxed) << 8 |
           atomic_load_explicit(&entry->mark, memory_order_relaxed);
}

/* Two workers at a time may make a tick that was never: it is right again with the next use. */
static void tick_set(struct kw_entry *entry, uint32_t tick)
{
    atomic_store_explicit(&entry->stamp, (uint16_t)(tick >> 8), memory_order_relaxed);
    atomic_store_explicit(&entry->mark, (uint8_t)tick, memory_order_relaxed);
}

/* The list for ENTRY, which comes in, perhaps instead of OLD. */
static unsigned place_of_new(struct kw_shard *shard, uint64_t hash, const struct kw_entry *entry,
                             const struct kw_entry *old)
{
    switch (shard->policy) {
    case KW_CACHE_BALANCED:
        if ((old != NULL && old->place != KW_PLACE_NEW && old->place != KW_PLACE_NONE) ||
            (old == NULL && kw__admit_recall(&shard->admit, hash))) {
            return place_of_weight(entry_weight(shard, entry));
        }
        return KW_PLACE_NEW;
    case KW_CACHE_S3FIFO:
        if ((old != NULL && old->place == KW_PLACE_OLD) ||
            (old == NULL && kw__admit_recall(&shard->admit, hash))) {
            return KW_PLACE_OLD;
        }
        return KW_PLACE_NEW;
    case KW_CACHE_LFU:
        return place_of_weight(entry_weight(shard, entry));
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

static void mark_use(struct kw_entry *entry)
{
    uint8_t mark = atomic_load_explicit(&entry->mark, memory_order_relaxed);
    unsigned count = mark & MARK_COUNT;

    if (mark == (MARK_USED | MARK_COUNT)) {
        return;
    }
    /* Two workers at a time may count one use: it is a measure, not a sum. */
    count += count < MARK_COUNT ? 1 : 0;
    atomic_store_explicit(&entry->mark, (uint8_t)(MARK_USED | count), memory_order_relaxed);
}

/* ENTRY, which is in no list, becomes the newest of PLACE. */
static void queue_add(struct kw_cache_worker *worker, struct kw_shard *shard,
                      struct kw_entry *entry, unsigned place)
{
    queue_add_behind(worker, shard, entry, place, 0);
}

/* The same, behind ABOVE, which is newer; 0: in front of all. */
static inline void queue_add_behind(struct kw_cache_worker *worker, struct kw_shard *shard,
                                    struct kw_entry *entry, unsigned place, uint32_t above)
{
    struct kw_queue *queue = &shard->queues.lists[place];
    uint32_t ref = kw_arena_ref(worker->arena, entry);
    size_t bytes = kw_arena_block_bytes(kw__entry_size_of(entry));

    entry->place = (uint8_t)place;
    if (!policy_is_by_time(shard->policy)) {
        uint64_t age = shard->queues.age >> stamp_shift(place);
        atomic_store_explicit(&entry->stamp, (uint16_t)age, memory_order_relaxed);
    }
    uint32_t *from_newer = above == 0 ? &queue->newest : &entry_at(worker, above)->next;
    entry->prev = above;
    entry->next = *from_newer;
    *from_newer = ref;
    queue->bytes += bytes;
    shard->queues.bytes += bytes;
    atomic_store_explicit(&shard->queued_bytes, shard->queues.bytes, memory_order_relaxed);
    if (entry->next != 0) {
        entry_at(worker, entry->next)->prev = ref;
        return;
    }
    queue->oldest = ref;
    if (above == 0) {
        queue_rank(worker, shard, place); /* it was empty */
    }
}

/* ENTRY, which is in no list, joins that of lru where its last use says. */
static void queue_add_idle(struct kw_cache_worker *worker, struct kw_shard *shard,
                           struct kw_entry *entry)
{
    uint32_t ticks = ticks_since_use(worker, entry);

    queue_add_behind(worker, shard, entry, KW_PLACE_NEW,
                     queue_find_idle(worker, &shard->queues.lists[KW_PLACE_NEW], ticks));
}

/* Behind whom one belongs whose last use was TICKS ago; 0: it is the newest. Looked for near both
 * ends only, as nobody knows how many there are; between them it is put near the old one.
 */
static uint32_t queue_find_idle(struct kw_cache_worker *worker, const struct kw_queue *queue,
                                uint32_t ticks)
{
    uint32_t newer = 0;

    for (unsigned i = 0; i < SINK_MAX; i++) {
        uint32_t ref = newer == 0 ? queue->newest : entry_at(worker, newer)->next;
        if (ref == 0 || ticks_since_use(worker, entry_at(worker, ref)) >= ticks) {
            return newer;
        }
        newer = ref;
    }
    newer = queue->oldest;
    for (unsigned i = 0; i < SINK_MAX && newer != 0; i++) {
        if (ticks_since_use(worker, entry_at(worker, newer)) < ticks) {
            break;
        }
        newer = entry_at(worker, newer)->prev;
    }
    return newer;
}

static struct kw_entry *entry_at(const struct kw_cache_worker *worker, uint32_t ref)
{
    return kw_arena_at(worker->arena, ref);
}

static uint32_t ticks_since_use(const struct kw_cache_worker *worker, const struct kw_entry *entry)
{
    uint32_t ticks = (tick_now(worker) - tick_of(entry)) & TICK_MASK;

    return ticks >= TICK_BEHIND ? 0 : ticks;
}

static void queue_remove(struct kw_cache_worker *worker, struct kw_shard *shard,
                         struct kw_entry *entry)
{
    struct kw_queue *queue = &shard->queues.lists[entry->place];
    size_t bytes = kw_arena_block_bytes(kw__entry_size_of(entry));

    KW_ASSERT(entry->place < KW_PLACES); /* V1 */
    KW_ASSERT(queue->bytes >= bytes);    /* V1 */
    if (entry->prev != 0) {
        ((struct kw_entry *)kw_arena_at(worker->arena, entry->prev))->next = entry->next;
    } else {
        queue->newest = entry->next;
    }
    if (entry->next != 0) {
        ((struct kw_entry *)kw_arena_at(worker->arena, entry->next))->prev = entry->prev;
    } else {
        queue->oldest = entry->prev;
        queue_rank(worker, shard, entry->place);
    }
    queue->bytes -= bytes;
    shard->queues.bytes -= bytes;
    atomic_store_explicit(&shard->queued_bytes, shard->queues.bytes, memory_order_relaxed);
}

/* The oldest of PLACE is another one: V2. */
static void queue_rank(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned place)
{
    struct kw_queue *queue = &shard->queues.lists[place];
    unsigned shift = stamp_shift(place);

    if (place == KW_PLACE_NEW || queue->oldest == 0) {
        return;
    }
    const struct kw_entry *entry = kw_arena_at(worker->arena, queue->oldest);
    uint64_t age = shard->queues.age >> shift;
    uint64_t since =
        (uint16_t)((uint16_t)age - atomic_load_explicit(&entry->stamp, memory_order_relaxed));
    /* What another policy has written there is any number. */
    queue->rank = ((since < age ? age - since : 0) << shift) + weight_of_place(place);
}

static uint64_t entry_weight(const struct kw_shard *shard, const struct kw_entry *entry)
{
    uint64_t uses = (uint64_t)uses_of(entry) + 1;

    if (shard->policy == KW_CACHE_LFU) {
        return uses << (WEIGHT_SHIFT - 6);
    }
    uint64_t weight = (uses << WEIGHT_SHIFT) / kw_arena_block_bytes(kw__entry_size_of(entry));
    return weight == 0 ? 1 : weight;
}

/* Two places an octave: 2^n and 1.5 x 2^n. */
static unsigned place_of_weight(uint64_t weight)
{
    unsigned octave = 63 - (unsigned)__builtin_clzll(weight);
    unsigned half = octave == 0 ? 0 : (unsigned)(weight >> (octave - 1) & 1);
    unsigned place = KW_PLACE_OLD + 2 * octave + half;

    return place < KW_PLACES ? place : KW_PLACES - 1;
}

static uint64_t weight_of_place(unsigned place)
{
    unsigned octave = (place - KW_PLACE_OLD) / 2;
    uint64_t weight = (uint64_t)1 << octave;

    return (place - KW_PLACE_OLD) % 2 == 0 ? weight : weight + weight / 2;
}

static unsigned stamp_shift(unsigned place)
{
    unsigned octave = place == KW_PLACE_NEW ? 0 : (place - KW_PLACE_OLD) / 2;

    return octave > STAMP_BITS ? octave - STAMP_BITS : 0;
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
        entry = queue_oldest(worker, shard, KW_PLACE_NEW);
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
        struct kw_entry *entry = queue_oldest(worker, shard, KW_PLACE_NEW);
        if (entry == NULL || (queues->lists[KW_PLACE_NEW].bytes <= queues->bytes / NEW_SHARE &&
                              queues->lists[KW_PLACE_NEW].bytes < queues->bytes)) {
            break;
        }
        if (uses_of(entry) == 0) {
            kw__admit_remember(&shard->admit, kw__hash_of(worker, entry));
            return entry;
        }
        queue_remove(worker, shard, entry);
        atomic_fetch_and_explicit(&entry->mark, MARK_COUNT, memory_order_relaxed);
        queue_add(worker, shard, entry, place_of_weight(entry_weight(shard, entry)));
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
        struct kw_entry *entry = queue_oldest(worker, shard, least);
        if (entry == NULL || least == KW_PLACE_NEW) {
            return entry;
        }
        if (queues->lists[least].rank > queues->age) {
            queues->age = queues->lists[least].rank; /* V3 */
        }
        if ((atomic_load_explicit(&entry->mark, memory_order_relaxed) & MARK_USED) == 0) {
            return entry;
        }
        queue_remove(worker, shard, entry);
        atomic_fetch_and_explicit(&entry->mark, MARK_COUNT, memory_order_relaxed);
        queue_add(worker, shard, entry, place_of_weight(entry_weight(shard, entry)));
    }
    return NULL;
}

static struct kw_entry *victim_s3fifo(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    struct kw_queues *queues = &shard->queues;

    for (unsigned i = 0; i < REQUEUE_MAX; i++) {
        struct kw_entry *entry = queue_oldest(worker, shard, KW_PLACE_NEW);
        bool is_new =
            entry != NULL && (queues->lists[KW_PLACE_NEW].bytes > queues->bytes / NEW_SHARE ||
                              queues->lists[KW_PLACE_OLD].oldest == 0);
        if (!is_new) {
            entry = queue_oldest(worker, shard, KW_PLACE_OLD);
        }
        if (entry == NULL) {
            return NULL;
        }
        unsigned uses = uses_of(entry) < S3_COUNT_MAX ? uses_of(entry) : S3_COUNT_MAX;
        if (is_new && uses < S3_MOVE_COUNT) {
            kw__admit_remember(&shard->admit, kw__hash_of(worker, entry));
            return entry;
        }
        if (!is_new && uses == 0) {
            return entry;
        }
        queue_remove(worker, shard, entry);
        atomic_store_explicit(&entry->mark, (uint8_t)(is_new ? 0 : uses - 1), memory_order_relaxed);
        queue_add(worker, shard, entry, KW_PLACE_OLD);
    }
    return queue_oldest(worker, shard, KW_PLACE_OLD);
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

static struct kw_entry *queue_oldest(struct kw_cache_worker *worker, struct kw_shard *shard,
                                     unsigned place)
{
    uint32_t ref = shard->queues.lists[place].oldest;

    return ref == 0 ? NULL : kw_arena_at(worker->arena, ref);
}

/* Nobody is in the lists of the policy, or all were used: the oldest of the first that is. */
static struct kw_entry *oldest_of_any(struct kw_cache_worker *worker, struct kw_shard *shard)
{
    for (unsigned place = KW_PLACE_OLD; place < KW_PLACES; place++) {
        if (shard->queues.lists[place].oldest != 0) {
            return queue_oldest(worker, shard, place);
        }
    }
    return queue_oldest(worker, shard, KW_PLACE_NEW);
}

static unsigned uses_of(const struct kw_entry *entry)
{
    return atomic_load_explicit(&entry->mark, memory_order_relaxed) & MARK_COUNT;
}
