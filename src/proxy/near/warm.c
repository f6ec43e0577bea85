/* warm.c - warming and cooling.
 *
 *   fill                          write of a cold key         read of a cold key
 *   set the bits, count it        (sent without a count)      (sent without a look-up)
 *   promise                       its reply comes             its reply comes
 *   send                          are the bits set? then      are the bits set? then
 *                                 remove, break promises      compare
 *
 * Why neither is missed, though they look at the bits without any order: if the fill's value is
 * older than the reply, the fill was executed before the write or the read was, so its command left
 * before the reply came; and the bits were set, and the promise made, before that left. If it is
 * not older, there is nothing to miss.
 *
 * Cooling goes by generations, as each key's own time would take megabytes: the bits that are
 * looked at are those of this one and of the one before. A bit lives for one to two turns.
 *
 * INVARIANTS
 * M1  bits[] has all that fresh[] has.
 * M2  a turn is longer than anything is kept, from its promise on; and SPARE_MS more: loops that
 *     lag see deadlines later.
 * M3  who has seen ups_count of a region, and then a place there that was cold, sees another
 *     ups_count when that has become warm: bits are set before it changes, and it changes before
 *     the fill leaves.
 * M4  turned_ms changes before places cool, and when they have: who sees it unchanged around a look
 *     at a place that was warm knows that it still is.
 */
#include "proxy/near/warm.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    PROMISE_MS = 10000, /* a fill may end so long after it began: cache/fill.c */
    SPARE_MS = 10000,
    WORDS_A_LOCK = 1024 /* some microseconds */
};

void kw__warm_init(struct kw_near_warm *warm)
{
    pthread_mutex_init(&warm->lock, NULL);
}

void kw__warm_deinit(struct kw_near_warm *warm)
{
    pthread_mutex_destroy(&warm->lock);
}

void kw__warm_up(struct kw_near_warm *warm, uint64_t place)
{
    uint64_t at = place >> (64 - KW_WARM_WORDS_BITS);
    uint64_t wanted = 1ull << (place & 63) | 1ull << (place >> 6 & 63) | 1ull << (place >> 12 & 63);

    pthread_mutex_lock(&warm->lock);
    atomic_store_explicit(&warm->is_used, true, memory_order_relaxed);
    warm->fresh[at] |= wanted;
    uint64_t had = atomic_fetch_or_explicit(&warm->bits[at], wanted, memory_order_release); /* M1 */
    if ((had & wanted) != wanted) {
        atomic_fetch_add_explicit(&warm->ups_count[place >> (64 - KW_WARM_REGIONS_BITS)], 1,
                                  memory_order_release); /* M3 */
    }
    pthread_mutex_unlock(&warm->lock);
}

void kw__warm_cool(struct kw_near_warm *warm, uint64_t now_ms, uint64_t age_max_ms)
{
    uint64_t turned_ms = atomic_load_explicit(&warm->turned_ms, memory_order_relaxed);

    if (now_ms < turned_ms + age_max_ms + PROMISE_MS + SPARE_MS || /* M2 */
        !atomic_compare_exchange_strong(&warm->turned_ms, &turned_ms, now_ms)) {
        return; /* too early, or another worker does it */
    }
    for (unsigned first = 0; first < KW_WARM_WORDS; first += WORDS_A_LOCK) {
        pthread_mutex_lock(&warm->lock);
        for (unsigned i = first; i < first + WORDS_A_LOCK; i++) {
            if (atomic_load_explicit(&warm->bits[i], memory_order_relaxed) != 0) {
                atomic_store_explicit(&warm->bits[i], warm->fresh[i],
                                      memory_order_relaxed); /* M1 */
                warm->fresh[i] = 0;
            }
        }
        pthread_mutex_unlock(&warm->lock);
    }
    (void)atomic_fetch_add(&warm->turned_ms, 1); /* M4 */
}

KW_APART uint64_t kw__warm_place_other(struct kw_bytes name)
{
    uint64_t first = 0;

    if (name.len > sizeof first) {
        return kw_hash(name, 0);
    }
    memcpy(&first, name.data, name.len);
    return kw__warm_mix(first, name.len, 0);
}

KW_APART bool kw__warm_has_all(uint64_t word, uint64_t place)
{
    return (word >> (place >> 12 & 63) & 1) != 0;
}
