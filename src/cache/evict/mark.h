/* mark.h - what an entry says of its uses: 8 bits of mark and 16 of stamp.
 *
 *     by uses    mark: bit 7 says "used since it was queued", bits 0-6 count uses and stop at 127,
 *                after which a hit writes nothing. stamp: the age when it was queued (queue.c).
 *     by time    both together are the tick of 100 ms in which it was used last, in 24 bits. They
 *                go round after 19 days.
 *
 * The policy says which of them it is.
 *
 * Thread: any, without a lock. Memory: none. See also: evict.c (what is made of it).
 */
#ifndef KW_CACHE_EVICT_MARK_H
#define KW_CACHE_EVICT_MARK_H

#include "cache/cache.h"
#include "cache/entry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    KW_MARK_USED = 0x80,
    KW_MARK_COUNT = 0x7f,
    KW_TICK_MS = 100,
    KW_TICK_MASK = 0xffffff,  /* of mark and stamp */
    KW_TICK_BEHIND = 0xff0000 /* a use that lies in the future: of a worker with a later clock */
};

/* Are mark and stamp the tick of the last use? */
static inline bool kw__mark_is_tick(enum kw_cache_policy policy)
{
    return policy == KW_CACHE_LRU || policy == KW_CACHE_RANDOM || policy == KW_CACHE_TTL ||
           policy == KW_CACHE_KEEP;
}

static inline uint32_t kw__tick_at(uint64_t now_ms)
{
    return (uint32_t)(now_ms / KW_TICK_MS) & KW_TICK_MASK;
}

static inline uint32_t kw__tick_of(const struct kw_entry *entry)
{
    return (uint32_t)atomic_load_explicit(&entry->stamp, memory_order_relaxed) << 8 |
           atomic_load_explicit(&entry->mark, memory_order_relaxed);
}

/* Two workers at a time may make a tick that was never: it is right again with the next use. */
static inline void kw__tick_set(struct kw_entry *entry, uint32_t tick)
{
    atomic_store_explicit(&entry->stamp, (uint16_t)(tick >> 8), memory_order_relaxed);
    atomic_store_explicit(&entry->mark, (uint8_t)tick, memory_order_relaxed);
}

/* How many ticks ago ENTRY was used. */
static inline uint32_t kw__tick_since(uint64_t now_ms, const struct kw_entry *entry)
{
    uint32_t ticks = (kw__tick_at(now_ms) - kw__tick_of(entry)) & KW_TICK_MASK;

    return ticks >= KW_TICK_BEHIND ? 0 : ticks;
}

static inline void kw__mark_use(struct kw_entry *entry)
{
    uint8_t mark = atomic_load_explicit(&entry->mark, memory_order_relaxed);
    unsigned count = mark & KW_MARK_COUNT;

    if (mark == (KW_MARK_USED | KW_MARK_COUNT)) {
        return;
    }
    /* Two workers at a time may count one use: it is a measure, not a sum. */
    count += count < KW_MARK_COUNT ? 1 : 0;
    atomic_store_explicit(&entry->mark, (uint8_t)(KW_MARK_USED | count), memory_order_relaxed);
}

static inline unsigned kw__mark_uses(const struct kw_entry *entry)
{
    return atomic_load_explicit(&entry->mark, memory_order_relaxed) & KW_MARK_COUNT;
}

#endif
