/* warm.h - keys that may be kept, told by a look at a filter; all others need no other look.
 *
 *   cold   no entry, no promise. A read needs no look-up and its reply no comparison; a write has
 *          nothing to remove
 *   warm   there may be something, there was lately, or other keys look the same
 *
 * A key's place is a cheap hash of its name: a word of the filter, and three bits there. A fill
 * sets its key's before it begins; they are cleared when whatever could be kept of it is over. Most
 * keys are cold, so most traffic pays for a look when it is sent; and when it is answered for a
 * look at how many places of its region have become warm, if any has since then for another one at
 * its own.
 * With 200,000 warm keys one in 230 of the others is taken for one of them, with 400,000 one in 50.
 *
 * Half a megabyte is far away, and what it pushes out of the processor's cache has to come back,
 * too: each request would wait, and most filters are nearly empty. So its words are the leaves of a
 * tree, where each node is the or of both below it, in an array as heaps are: a level is a filter
 * of half the size. A look begins at the smallest level that is not full, and goes on to the leaf
 * only if the place looks warm there, which one cold key in 23 does at most.
 *
 *     level 3                        tree[8 ... 15]                64 bytes, for 69 warm keys
 *     ...
 *     level 12                       tree[4096 ... 8191]           32 KiB, for 35,000
 *     ...
 *     level 15                       tree[32768 ... 65535]        256 KiB, for 283,000
 *     level 16, the leaves           tree[65536 ... 131071]       512 KiB
 *
 * Thread: bits are atomic; the rest is under the lock.
 * Memory: of the struct; leaves untouched until something is kept. For the files of this chapter
 *         only.
 * See also: warm.c (why no fence is needed), writes.c, read.c.
 */
#ifndef KW_PROXY_NEAR_WARM_H
#define KW_PROXY_NEAR_WARM_H

#include "base/apart.h"
#include "base/bytes.h"
#include "base/prefetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    KW_WARM_LEVEL_MIN = 3,  /* a line */
    KW_WARM_LEAVES = 16,    /* their level */
    KW_WARM_PICK_BITS = 18, /* of a place, below those that choose the leaf: which three bits */
    KW_WARM_UPS_BITS = 64 - KW_WARM_LEAVES - KW_WARM_PICK_BITS, /* of a note: below these */
    KW_WARM_UPS_MASK = (1 << KW_WARM_UPS_BITS) - 1,
    KW_WARM_REGIONS_BITS = 3,
    KW_WARM_FAR_LEVEL = 10 /* 8 KiB, and more: worth being fetched ahead */
};

_Static_assert(KW_WARM_REGIONS_BITS <= KW_WARM_LEVEL_MIN, "a note knows its region, too");
_Static_assert(KW_WARM_UPS_BITS >= 30, "no reply is under way while so many places become warm");

struct kw_near_warm {
    /* One line, of each request: how often a place has become warm, by region: thousands do in a
     * second; 63 - the level where looks begin; when the generation began. */
    _Alignas(KW_LINE_BYTES) _Atomic uint32_t ups_count[1 << KW_WARM_REGIONS_BITS];
    _Atomic unsigned shift;
    _Atomic uint64_t turned_ms;
    /* Of this generation and the one before: 2 << KW_WARM_LEAVES of them. Set once. */
    _Atomic uint64_t *tree;
    /* Under the lock: */
    _Alignas(KW_LINE_BYTES) uint64_t *fresh; /* leaves of this generation; set once */
    uint32_t ones_count[KW_WARM_LEAVES + 1]; /* bits that are set, by level */
    pthread_mutex_t lock;                    /* who changes the tree */
};

void kw__warm_init(struct kw_near_warm *warm);
void kw__warm_deinit(struct kw_near_warm *warm);

/* Something of a key at PLACE is about to be kept. From here on all look. */
void kw__warm_up(struct kw_near_warm *warm, uint64_t place);

/* It is NOW, and what is kept is AGE_MAX_MS old at most: places cool. Now and then. */
void kw__warm_cool(struct kw_near_warm *warm, uint64_t now_ms, uint64_t age_max_ms);

/* kw__warm_place() of names that are short or long. */
KW_APART uint64_t kw__warm_place_other(struct kw_bytes name);

/* How many places near PLACE, or near its note, have become warm (KW_WARM_UPS_BITS of it): to be
 * asked for before kw__warm_has(), for kw__warm_note().
 */
static inline uint32_t kw__warm_ups(const struct kw_near_warm *warm, uint64_t place)
{
    return atomic_load_explicit(&warm->ups_count[place >> (64 - KW_WARM_REGIONS_BITS)],
                                memory_order_acquire);
}

/* PLACE, which was cold, and the number of those near it that had become warm: kw__warm_ups(). */
static inline uint64_t kw__warm_note(uint64_t place, uint32_t ups_count)
{
    return (place & ~(uint64_t)KW_WARM_UPS_MASK) | ups_count;
}

/* A look at PLACE has begun, and it looks warm there: does it so in the leaf? */
KW_APART bool kw__warm_leaf_has(const struct kw_near_warm *warm, uint64_t place);

/* Both halves of the product are mixed: all bits of it are as good. */
static inline uint64_t kw__warm_mix(uint64_t first, uint64_t middle, uint64_t last)
{
    unsigned __int128 product =
        (unsigned __int128)(last ^ (first << 29 | first >> 35) ^ 0x9E3779B97F4A7C15ULL) *
        (middle ^ 0xC2B2AE3D27D4EB4FULL);

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Both ends of the name and its middle: all of it. */
static inline uint64_t kw__warm_place(struct kw_bytes name)
{
    uint64_t part[3];

    if (__builtin_expect(name.len - sizeof part[0] > sizeof part - sizeof part[0], 0)) {
        return kw__warm_place_other(name);
    }
    memcpy(&part[0], name.data, sizeof part[0]);
    memcpy(&part[1], name.data + (name.len - sizeof part[0]) / 2, sizeof part[0]);
    memcpy(&part[2], name.data + name.len - sizeof part[0], sizeof part[0]);
    return kw__warm_mix(part[0], part[1], part[2]);
}

/* Where looks begin at this moment: for several of them. */
struct kw_near_warm_view {
    const _Atomic uint64_t *tree;
    unsigned shift;
};

/* Where PLACE is at the level 63 - SHIFT of the tree. */
static inline size_t kw__warm_node(uint64_t place, unsigned shift)
{
    return (size_t)((place >> 1 | 1ull << 63) >> shift);
}

static inline unsigned kw__warm_shift(const struct kw_near_warm *warm)
{
    return atomic_load_explicit(&warm->shift, memory_order_relaxed);
}

static inline struct kw_near_warm_view kw__warm_view(const struct kw_near_warm *warm)
{
    return (struct kw_near_warm_view){.tree = warm->tree, .shift = kw__warm_shift(warm)};
}

/* Does PLACE look warm there? */
static inline bool kw__warm_looks(struct kw_near_warm_view view, uint64_t place)
{
    uint64_t word =
        atomic_load_explicit(&view.tree[kw__warm_node(place, view.shift)], memory_order_relaxed);
    uint64_t pick = place >> KW_WARM_UPS_BITS;
    uint64_t has_two = word >> (pick & 63) & word >> (pick >> 6 & 63) & 1;

    return __builtin_expect(has_two != 0, 0) && (word >> (pick >> 12 & 63) & 1) != 0;
}

static inline bool kw__warm_has(const struct kw_near_warm *warm, uint64_t place)
{
    return __builtin_expect(kw__warm_looks(kw__warm_view(warm), place), 0) &&
           kw__warm_leaf_has(warm, place);
}

/* Is PLACE cold? Then *NOTE will tell whether it still is: kw__warm_has_since(). */
static inline bool kw__warm_is_cold(const struct kw_near_warm *warm, uint64_t place, uint64_t *note)
{
    uint32_t ups_count = kw__warm_ups(warm, place); /* warm.c M3 */

    if (kw__warm_has(warm, place)) {
        return false;
    }
    *note = kw__warm_note(place, ups_count);
    return true;
}

/* Bring near where looks at PLACE begin: worth it when that is far away. */
static inline void kw__warm_prefetch(struct kw_near_warm_view view, uint64_t place)
{
    __builtin_prefetch(&view.tree[kw__warm_node(place, view.shift)]);
}

/* The note of NAME, as if it were cold; a look at it, soon, won't have to wait. */
static inline uint64_t kw__warm_note_ahead(const struct kw_near_warm *warm, struct kw_bytes name)
{
    uint64_t place = kw__warm_place(name);

    kw__warm_prefetch(kw__warm_view(warm), place);
    return kw__warm_note(place, kw__warm_ups(warm, place));
}

static inline void kw__warm_prefetch_leaf(const struct kw_near_warm *warm, uint64_t place)
{
    __builtin_prefetch(&warm->tree[kw__warm_node(place, 63 - KW_WARM_LEAVES)]);
}

static inline bool kw__warm_is_far(const struct kw_near_warm *warm)
{
    return kw__warm_shift(warm) <= 63 - KW_WARM_FAR_LEVEL;
}

/* Has the place of NOTE become warm since? Without a look there when none has become so. */
static inline bool kw__warm_has_since(const struct kw_near_warm *warm, uint64_t note)
{
    uint32_t ups_count = (uint32_t)note & KW_WARM_UPS_MASK;

    return __builtin_expect(kw__warm_ups(warm, note) != ups_count, 0) && kw__warm_has(warm, note);
}

#endif
