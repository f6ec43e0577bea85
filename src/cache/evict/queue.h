/* queue.h - the lists that entries wait in to be evicted: one for the new, and one for each weight.
 *
 * Which list is whose, and who leaves, the policies say (evict.h).
 *
 * Thread: under the shard's lock. Memory: entries are linked through themselves, nothing is
 *         allocated. See also: queue.c (how a list knows the rank of its oldest).
 */
#ifndef KW_CACHE_EVICT_QUEUE_H
#define KW_CACHE_EVICT_QUEUE_H

#include "base/arena.h"
#include "cache/entry.h"

#include <stddef.h>
#include <stdint.h>

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

struct kw_cache_worker;
struct kw_shard;

/* ENTRY, which is in no list, becomes the newest of PLACE. */
void kw__queue_add(struct kw_cache_worker *worker, struct kw_shard *shard, struct kw_entry *entry,
                   unsigned place);

/* ENTRY, which is in no list, joins that of lru where its last use says. */
void kw__queue_add_idle(struct kw_cache_worker *worker, struct kw_shard *shard,
                        struct kw_entry *entry);

/* ENTRY, which is in a list, is in none; its `place` stays what it was. */
void kw__queue_remove(struct kw_cache_worker *worker, struct kw_shard *shard,
                      struct kw_entry *entry);

/* ENTRY, a copy of OLD, takes its place in the lists, if it has one. */
void kw__queue_replace(struct kw_cache_worker *worker, struct kw_shard *shard,
                       struct kw_entry *entry, struct kw_entry *old);

/* The oldest of PLACE; NULL when there is none. */
static inline struct kw_entry *kw__queue_oldest(const struct kw_queues *queues,
                                                const struct kw_arena *arena, unsigned place)
{
    uint32_t ref = queues->lists[place].oldest;

    return ref == 0 ? NULL : kw_arena_at(arena, ref);
}

/* The list for those of WEIGHT. Two an octave: 2^n and 1.5 x 2^n. */
static inline unsigned kw__place_of_weight(uint64_t weight)
{
    unsigned octave = 63 - (unsigned)__builtin_clzll(weight);
    unsigned half = octave == 0 ? 0 : (unsigned)(weight >> (octave - 1) & 1);
    unsigned place = KW_PLACE_OLD + 2 * octave + half;

    return place < KW_PLACES ? place : KW_PLACES - 1;
}

#endif
