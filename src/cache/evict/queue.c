/* queue.c - lists linked through the entries, whose ends know their ranks.
 *
 *     newest --next--> [entry] --next--> [entry] --next--> oldest       links are refs, 0: the end
 *            <--prev--         <--prev--         <--prev--
 *
 * What is in a list of a weight has the rank age + weight, where age is that of the shard when it
 * was queued. All of a list have about the same weight (two steps an octave), and age only rises:
 * so the oldest has the lowest rank of its list, and the least of 60 list ends is the lowest of
 * all. No heap is kept.
 *
 * The stamp of an entry is the age when it was queued, in 16 bits: its unit is a thousandth of the
 * list's weight, so it can't have gone round before the entry is the victim. When the policy goes
 * by the time of the last use, the stamp is a part of that instead, and there are no ranks.
 *
 * INVARIANTS
 * V1  An entry whose place is a list is in that list, and its bytes are in the list's sum.
 * V2  `rank` of a list is that of its oldest entry.
 *
 * Cost: O(1), but for a place that is looked for (SINK_MAX).
 */
#include "cache/evict/queue.h"

#include "base/assert.h"
#include "cache/evict/mark.h"
#include "cache/internal.h"

enum {
    STAMP_BITS = 10,
    SINK_MAX = 32 /* entries looked at from each end for the place of a given use */
};

static inline void queue_add_behind(struct kw_cache_worker *worker, struct kw_shard *shard,
                                    struct kw_entry *entry, unsigned place, uint32_t above);
static uint32_t queue_find_idle(struct kw_cache_worker *worker, const struct kw_queue *queue,
                                uint32_t ticks);
static struct kw_entry *entry_at(const struct kw_cache_worker *worker, uint32_t ref);
static void queue_rank(struct kw_cache_worker *worker, struct kw_shard *shard, unsigned place);
static uint64_t weight_of_place(unsigned place);
static unsigned stamp_shift(unsigned place);

void kw__queue_add(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry,
                   unsigned place)
{
    queue_add_behind(worker, shard, entry, place, 0);
}

void kw__queue_add_idle(struct kw_cache_worker *worker, struct kw_shard *shard,
                        struct kw_entry *entry)
{
    uint32_t ticks = kw__tick_since(worker->now_ms, entry);

    queue_add_behind(worker, shard, entry, KW_PLACE_NEW,
                     queue_find_idle(worker, &shard->queues.lists[KW_PLACE_NEW], ticks));
}

void kw__queue_remove(struct kw_cache_worker *worker, struct kw_shard *shard,
                      struct kw_entry *entry)
{
    struct kw_queue *queue = &shard->queues.lists[entry->place];
    size_t bytes = kw_arena_block_bytes(kw__entry_size_of(entry));

    KW_ASSERT(entry->place < KW_PLACES); /* V1 */
    KW_ASSERT(queue->bytes >= bytes);    /* V1 */
    if (entry->prev != 0) {
        entry_at(worker, entry->prev)->next = entry->next;
    } else {
        queue->newest = entry->next;
    }
    if (entry->next != 0) {
        entry_at(worker, entry->next)->prev = entry->prev;
    } else {
        queue->oldest = entry->prev;
        queue_rank(worker, shard, entry->place);
    }
    queue->bytes -= bytes;
    shard->queues.bytes -= bytes;
    atomic_store_explicit(&shard->queued_bytes, shard->queues.bytes, memory_order_relaxed);
}

void kw__queue_replace(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry, struct kw_entry *old)
{
    uint32_t ref = kw_arena_ref(worker->arena, entry);

    if (old->place == KW_PLACE_NONE) {
        return;
    }
    struct kw_queue *queue = &shard->queues.lists[old->place];
    uint32_t *newer = old->prev == 0 ? &queue->newest : &entry_at(worker, old->prev)->next;
    uint32_t *older = old->next == 0 ? &queue->oldest : &entry_at(worker, old->next)->prev;
    KW_ASSERT(*newer == kw_arena_ref(worker->arena, old)); /* V1 */
    KW_ASSERT(*older == *newer);                           /* V1 */
    *newer = ref;
    *older = ref;
    old->place = KW_PLACE_NONE;
}

/* ENTRY joins PLACE behind ABOVE, which is newer; 0: in front of all. */
static inline void queue_add_behind(struct kw_cache_worker *worker, struct kw_shard *shard,
                                    struct kw_entry *entry, unsigned place, uint32_t above)
{
    struct kw_queue *queue = &shard->queues.lists[place];
    uint32_t ref = kw_arena_ref(worker->arena, entry);
    size_t bytes = kw_arena_block_bytes(kw__entry_size_of(entry));

    entry->place = (uint8_t)place;
    if (!kw__mark_is_tick(shard->policy)) {
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

/* Behind whom one belongs whose last use was TICKS ago; 0: it is the newest. Looked for near both
 * ends only, as nobody knows how many there are; between them it is put near the old one.
 */
static uint32_t queue_find_idle(struct kw_cache_worker *worker, const struct kw_queue *queue,
                                uint32_t ticks)
{
    uint32_t newer = 0;

    for (unsigned i = 0; i < SINK_MAX; i++) {
        uint32_t ref = newer == 0 ? queue->newest : entry_at(worker, newer)->next;
        if (ref == 0 || kw__tick_since(worker->now_ms, entry_at(worker, ref)) >= ticks) {
            return newer;
        }
        newer = ref;
    }
    newer = queue->oldest;
    for (unsigned i = 0; i < SINK_MAX && newer != 0; i++) {
        if (kw__tick_since(worker->now_ms, entry_at(worker, newer)) < ticks) {
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
