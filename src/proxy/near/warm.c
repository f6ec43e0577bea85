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
 * M1  whenever the lock is free, leaves have all that fresh[] has, and a node has what both below
 *     it have. So at each level a warm place looks warm, and it doesn't matter where looks begin.
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
    LEAVES_COUNT = 1 << KW_WARM_LEAVES,
    TREE_BYTES = 2 * LEAVES_COUNT * (int)sizeof(uint64_t), /* 1 MiB */
    FRESH_BYTES = LEAVES_COUNT * (int)sizeof(uint64_t),
    LEAVES_A_LOCK = 1024, /* some microseconds */
    FULL_SHARE = 3 /* a level is full when one bit in so many is set: three are one time in 23 */
};

static void node_set(struct kw_near_warm *warm, size_t node, unsigned level, uint64_t word);
static void cool_some(struct kw_near_warm *warm, size_t first, size_t end);
static void level_choose(struct kw_near_warm *warm);
static uint64_t bits_of(uint64_t place);

void kw__warm_init(struct kw_near_warm *warm)
{
    char *memory = kw_alloc_huge(TREE_BYTES + FRESH_BYTES);

    warm->tree = (void *)memory;
    warm->fresh = (void *)(memory + TREE_BYTES);
    pthread_mutex_init(&warm->lock, NULL);
    atomic_init(&warm->shift, 63 - KW_WARM_LEVEL_MIN);
}

void kw__warm_deinit(struct kw_near_warm *warm)
{
    pthread_mutex_destroy(&warm->lock);
    kw_free_huge(warm->tree, TREE_BYTES + FRESH_BYTES);
}

void kw__warm_up(struct kw_near_warm *warm, uint64_t place)
{
    size_t leaf = kw__warm_node(place, 63 - KW_WARM_LEAVES);
    uint64_t wanted = bits_of(place);

    pthread_mutex_lock(&warm->lock);
    warm->fresh[leaf - LEAVES_COUNT] |= wanted;
    if ((atomic_load_explicit(&warm->tree[leaf], memory_order_relaxed) & wanted) != wanted) {
        for (unsigned level = KW_WARM_LEAVES; level >= KW_WARM_LEVEL_MIN; level--) { /* M1 */
            size_t node = kw__warm_node(place, 63 - level);
            uint64_t had = atomic_load_explicit(&warm->tree[node], memory_order_relaxed);
            node_set(warm, node, level, had | wanted);
        }
        level_choose(warm);
        _Atomic uint32_t *ups_count = &warm->ups_count[place >> (64 - KW_WARM_REGIONS_BITS)];
        uint32_t ups = atomic_load_explicit(ups_count, memory_order_relaxed) + 1;
        atomic_store_explicit(ups_count, ups & KW_WARM_UPS_MASK, memory_order_release); /* M3 */
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
    for (size_t first = 0; first < LEAVES_COUNT; first += LEAVES_A_LOCK) {
        pthread_mutex_lock(&warm->lock);
        cool_some(warm, first, first + LEAVES_A_LOCK);
        level_choose(warm);
        pthread_mutex_unlock(&warm->lock);
    }
    (void)atomic_fetch_add(&warm->turned_ms, 1); /* M4 */
}

/* The leaves from FIRST to before END, and all nodes above them. */
static void cool_some(struct kw_near_warm *warm, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        node_set(warm, LEAVES_COUNT + i, KW_WARM_LEAVES, warm->fresh[i]);
        if (warm->fresh[i] != 0) {
            warm->fresh[i] = 0;
        }
    }
    for (unsigned level = KW_WARM_LEAVES - 1; level >= KW_WARM_LEVEL_MIN; level--) {
        size_t last = (LEAVES_COUNT + end - 1) >> (KW_WARM_LEAVES - level);
        for (size_t i = (LEAVES_COUNT + first) >> (KW_WARM_LEAVES - level); i <= last; i++) {
            node_set(warm, i, level,
                     atomic_load_explicit(&warm->tree[2 * i], memory_order_relaxed) |
                         atomic_load_explicit(&warm->tree[2 * i + 1], memory_order_relaxed));
        }
    }
}

static void node_set(struct kw_near_warm *warm, size_t node, unsigned level, uint64_t word)
{
    uint64_t had = atomic_load_explicit(&warm->tree[node], memory_order_relaxed);

    if (word != had) { /* what is empty stays untouched */
        warm->ones_count[level] += (uint32_t)__builtin_popcountll(word);
        warm->ones_count[level] -= (uint32_t)__builtin_popcountll(had);
        atomic_store_explicit(&warm->tree[node], word, memory_order_release);
    }
}

/* The smallest level that is not full. */
static void level_choose(struct kw_near_warm *warm)
{
    unsigned level = KW_WARM_LEVEL_MIN;

    while (level < KW_WARM_LEAVES && warm->ones_count[level] > (64u << level) / FULL_SHARE) {
        level++;
    }
    if (63 - level != kw__warm_shift(warm)) {
        atomic_store_explicit(&warm->shift, 63 - level, memory_order_release);
    }
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

KW_APART bool kw__warm_leaf_has(const struct kw_near_warm *warm, uint64_t place)
{
    uint64_t wanted = bits_of(place);
    size_t leaf = kw__warm_node(place, 63 - KW_WARM_LEAVES);

    return (atomic_load_explicit(&warm->tree[leaf], memory_order_relaxed) & wanted) == wanted;
}

static uint64_t bits_of(uint64_t place)
{
    uint64_t pick = place >> KW_WARM_UPS_BITS;

    return 1ull << (pick & 63) | 1ull << (pick >> 6 & 63) | 1ull << (pick >> 12 & 63);
}
