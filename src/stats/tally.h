/* tally.h - what each command, and each kind of error, came to: calls, times, refusals.
 *
 * As in stats.h each worker adds to its own tally with plain, relaxed stores, and whoever asks adds
 * all workers' up. Commands are numbered by their owner; times are in a histogram whose buckets are
 * powers of two, as LATENCY HISTOGRAM shows them.
 *
 * Thread: the worker's for all that adds; sums from any thread while the workers are there.
 * Memory: kw_tally_new() returns an owned pointer.
 */
#ifndef KW_STATS_TALLY_H
#define KW_STATS_TALLY_H

#include "base/bytes.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    KW_TALLY_BUCKETS = 34,    /* bucket i: up to 1.024 us x 2^i; the last one takes all longer */
    KW_TALLY_ERRORS_MAX = 64, /* kinds of errors; more are counted as the last one */
    KW_TALLY_CODE_MAX = 24    /* bytes of a kind's name with its NUL */
};

struct kw_tally_row {
    _Atomic uint64_t calls;
    _Atomic uint64_t failed;   /* of calls: an error was the answer */
    _Atomic uint64_t rejected; /* no call: refused before */
    _Atomic uint64_t timed;    /* of calls: nodes were asked */
    _Atomic uint64_t usec;     /* of those, in all */
    _Atomic uint64_t buckets[KW_TALLY_BUCKETS];
};

struct kw_tally;

/* Sums of all workers. */
struct kw_tally_sum {
    uint64_t calls;
    uint64_t failed;
    uint64_t rejected;
    uint64_t timed;
    uint64_t usec;
    uint64_t buckets[KW_TALLY_BUCKETS];
};

struct kw_tally *kw_tally_new(size_t commands_count);
void kw_tally_free(struct kw_tally **tally);

/* The row of the command INDEX. */
struct kw_tally_row *kw_tally_row(struct kw_tally *tally, size_t index);

#define KW_TALLY_ADD(figure, n)                                                                    \
    atomic_store_explicit(figure,                                                                  \
                          atomic_load_explicit(figure, memory_order_relaxed) + (uint64_t)(n),      \
                          memory_order_relaxed)

/* A call of ROW took USEC microseconds. */
static inline void kw_tally_time(struct kw_tally_row *row, uint64_t usec)
{
    uint64_t above = usec < 2 ? 0 : (usec * 1000 - 1) / 1024; /* whole 1.024 us below it */
    unsigned bucket = above == 0 ? 0 : 64 - (unsigned)__builtin_clzll(above);

    bucket = bucket < KW_TALLY_BUCKETS ? bucket : KW_TALLY_BUCKETS - 1;
    KW_TALLY_ADD(&row->timed, 1);
    KW_TALLY_ADD(&row->usec, usec);
    KW_TALLY_ADD(&row->buckets[bucket], 1);
}

/* An error reply that begins with CODE, a word, was the answer to a client. */
void kw_tally_error(struct kw_tally *tally, struct kw_bytes code);

/* All workers' figures of the command INDEX. */
void kw_tally_sum(const struct kw_stats_hub *hub, size_t index, struct kw_tally_sum *sum);

/* Call ON_CODE(ARG, name, count) for each kind of error. */
void kw_tally_errors(const struct kw_stats_hub *hub,
                     void (*on_code)(void *arg, const char *code, uint64_t count), void *arg);

/* Largest microseconds of bucket INDEX. */
uint64_t kw_tally_bucket_us(unsigned index);

/* All figures back to 0: CONFIG RESETSTAT. Racing increments may be lost. */
void kw_tally_reset(struct kw_stats_hub *hub);

#endif
