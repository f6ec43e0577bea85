/* warm.c - warming and cooling.
 *
 *   fill                          write of a cold key         read of a cold key
 *   set the bit                   count it                    (sent without a look)
 *   barrier (heavy)               barrier (light)             its reply comes
 *   promise                       is the bit set? then it     is the bit set? then compare
 *   any write counted?            is counted by its hash
 *   send
 *
 * Fills are few and pay for the order: the heavy barrier has the system interrupt all threads of
 * the process that run (a microsecond), the light one only keeps the compiler in order. Where the
 * system can't do that both are fences, of some 20 cycles for each write.
 *
 * Why a write is not missed: either it sees the bit, or the fill sees its count (M1). Later fills
 * of the bucket need no barrier: a write that begins after the first one's sees the bit, and those
 * of before are in the counts.
 *
 * Why a reply is not missed, though it looks at the bit without any order: if the fill's value is
 * older than the reply, the fill was executed before the read was, so its command left before the
 * reply came; and the bit was set before that left.
 *
 * Cooling goes by generations, as each bucket's own time would take megabytes: each word's bits of
 * this one become those of the one before, which are forgotten. A bit lives for one to two turns.
 *
 * INVARIANTS
 * M1  bits are set under the lock, and the barrier is over when it is given up.
 * M2  a turn is longer than anything is kept, from its promise on; and SPARE_MS more: loops that
 *     lag see deadlines later.
 */
#include "proxy/near/warm.h"

#include "base/assert.h"
#include "base/mem.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PROMISE_MS = 10000, /* a fill may end so long after it began: cache/fill.c */
    SPARE_MS = 10000,
    WORDS_A_LOCK = 1024 /* some microseconds */
};

static const uint64_t PRESENT = 0x5555555555555555u; /* the lower bits of all pairs */

static void barrier_heavy(const struct kw_near_warm *warm);
static long membarrier(int command);
static void word_turn(struct kw_near_warm *warm, unsigned at);

void kw__warm_init(struct kw_near_warm *warm, unsigned workers_count)
{
    warm->is_fenced = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0;
    warm->workers_count = workers_count;
    warm->writes = kw_alloc_line(workers_count, sizeof warm->writes[0]);
    pthread_mutex_init(&warm->lock, NULL);
}

void kw__warm_deinit(struct kw_near_warm *warm)
{
    pthread_mutex_destroy(&warm->lock);
    kw_free(warm->writes);
}

void kw__warm_up(struct kw_near_warm *warm, uint32_t bucket)
{
    pthread_mutex_lock(&warm->lock);
    bool was_warm = kw__warm_has(warm, bucket);
    uint32_t at = bucket / KW_WARM_PAIRS;
    atomic_fetch_or(&warm->bits[at], 1ull << 2 * (bucket % KW_WARM_PAIRS));
    atomic_fetch_or(&warm->words[at / 64], 1ull << at % 64);
    if (!was_warm) {
        barrier_heavy(warm); /* M1 */
    }
    pthread_mutex_unlock(&warm->lock);
}

static void barrier_heavy(const struct kw_near_warm *warm)
{
    if (!warm->is_fenced) {
        long result = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        KW_ASSERT(result == 0); /* it fails for those who have not registered only */
    }
}

/* Linux 4.14 and later; the library has no function for it. */
static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
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
            word_turn(warm, i);
        }
        pthread_mutex_unlock(&warm->lock);
    }
}

/* Under the lock. */
static void word_turn(struct kw_near_warm *warm, unsigned at)
{
    uint64_t word = atomic_load_explicit(&warm->bits[at], memory_order_relaxed);

    if (word == 0) {
        return;
    }
    word = (word & PRESENT) << 1;
    atomic_store_explicit(&warm->bits[at], word, memory_order_relaxed);
    if (word == 0) {
        atomic_fetch_and_explicit(&warm->words[at / 64], ~(1ull << at % 64), memory_order_relaxed);
    }
}

unsigned kw__warm_count(const struct kw_near_warm *warm)
{
    unsigned count = 0;

    for (uint32_t bucket = 0; bucket < KW_NEAR_WARM_BUCKETS; bucket++) {
        count += kw__warm_has(warm, bucket) ? 1 : 0;
    }
    return count;
}

bool kw__warm_is_written(const struct kw_near_warm *warm, uint32_t bucket)
{
    for (unsigned i = 0; i < warm->workers_count; i++) {
        if (atomic_load_explicit(&warm->writes[i].counts[bucket % KW_COLD_ROW],
                                 memory_order_acquire) != 0) {
            return true;
        }
    }
    return false;
}
