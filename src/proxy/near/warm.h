/* warm.h - keys that may be kept, told by one look at a bitmap; all others need no other look.
 *
 *   cold   no entry, no promise. A read needs no look-up and its reply no comparison; a write has
 *          nothing to remove. It is counted, so that no fill begins meanwhile
 *   warm   there may be something, there was lately, or another key has the same bucket
 *
 * Buckets are of a cheap hash of the name. A fill warms its key's before it begins; a bucket cools
 * when whatever could be kept of it is over. Most keys are cold, so most traffic pays for one bit.
 *
 * Thread: bits and counts are atomic; a worker counts in its own row; the rest is under the lock.
 * Memory: the rows are the struct's. For the files of this chapter only.
 * See also: warm.c (why no fence is needed), writes.c, read.c.
 */
#ifndef KW_PROXY_NEAR_WARM_H
#define KW_PROXY_NEAR_WARM_H

#include "base/bytes.h"
#include "proxy/near/near.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    KW_WARM_PAIRS = 32, /* buckets of a word, two bits each: this generation and the one before */
    KW_WARM_WORDS = KW_NEAR_WARM_BUCKETS / KW_WARM_PAIRS,
    KW_COLD_ROW = 16384,
    KW_COLD_WRITES_MAX = UINT8_MAX /* of one count; more are counted by key */
};

/* One worker's writes under way that began when their keys were cold, by bucket. */
struct kw_cold_writes {
    _Atomic uint8_t counts[KW_COLD_ROW];
};

struct kw_near_warm {
    _Atomic uint64_t words[KW_WARM_WORDS / 64]; /* which of these are not 0: few, often */
    _Atomic uint64_t bits[KW_WARM_WORDS];
    _Atomic uint64_t turned_ms; /* when the generation began */
    bool is_fenced;             /* the system has no barrier; set once, as the next two */
    unsigned workers_count;
    struct kw_cold_writes *writes; /* owned; one for each worker */
    pthread_mutex_t lock;          /* who changes bits */
};

void kw__warm_init(struct kw_near_warm *warm, unsigned workers_count);
void kw__warm_deinit(struct kw_near_warm *warm);

/* Something of BUCKET is about to be kept. From here on all look, and who did not is counted. */
void kw__warm_up(struct kw_near_warm *warm, uint32_t bucket);

/* It is NOW, and what is kept is AGE_MAX_MS old at most: buckets cool. Now and then. */
void kw__warm_cool(struct kw_near_warm *warm, uint64_t now_ms, uint64_t age_max_ms);

unsigned kw__warm_count(const struct kw_near_warm *warm);

/* Is a write under way that began when BUCKET was cold? For who has just warmed it. */
bool kw__warm_is_written(const struct kw_near_warm *warm, uint32_t bucket);

/* Both ends of the name, and its slot, which depends on all of it (but for a hash tag's key). */
static inline uint32_t kw__warm_bucket(struct kw_bytes name, uint16_t slot)
{
    uint64_t first = 0;
    uint64_t last = 0;

    if (name.len >= sizeof first) {
        memcpy(&first, name.data, sizeof first);
        memcpy(&last, name.data + name.len - sizeof last, sizeof last);
    } else {
        memcpy(&first, name.data, name.len);
    }
    uint64_t mixed = (last ^ (first << 29 | first >> 35)) + slot * 0xC2B2AE3D27D4EB4FULL;
    return (uint32_t)((mixed * 0x9E3779B97F4A7C15ULL) >> (64 - KW_NEAR_WARM_BITS));
}

static inline bool kw__warm_has(const struct kw_near_warm *warm, uint32_t bucket)
{
    uint32_t at = bucket / KW_WARM_PAIRS;

    if ((atomic_load_explicit(&warm->words[at / 64], memory_order_relaxed) >> at % 64 & 1) == 0) {
        return false;
    }
    uint64_t word = atomic_load_explicit(&warm->bits[at], memory_order_relaxed);
    return (word >> 2 * (bucket % KW_WARM_PAIRS) & 3) != 0;
}

/* Count a write of BUCKET by the worker whose WRITES these are; false when it is warm. */
static inline bool kw__cold_write_begin(const struct kw_near_warm *warm,
                                        struct kw_cold_writes *writes, uint32_t bucket)
{
    _Atomic uint8_t *place = &writes->counts[bucket % KW_COLD_ROW];
    uint8_t count = atomic_load_explicit(place, memory_order_relaxed);

    if (count == KW_COLD_WRITES_MAX) {
        return false;
    }
    atomic_store_explicit(place, (uint8_t)(count + 1), memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* the light barrier: warm.c M1 */
    if (__builtin_expect(warm->is_fenced, 0)) {
        atomic_fetch_add(place, 0); /* a fence that all tools understand */
    }
    if (__builtin_expect(kw__warm_has(warm, bucket), 0)) {
        atomic_store_explicit(place, count, memory_order_release);
        return false;
    }
    return true;
}

static inline void kw__cold_write_end(struct kw_cold_writes *writes, uint32_t bucket)
{
    _Atomic uint8_t *place = &writes->counts[bucket % KW_COLD_ROW];
    uint8_t count = atomic_load_explicit(place, memory_order_relaxed);

    atomic_store_explicit(place, (uint8_t)(count - 1), memory_order_release);
}

#endif
