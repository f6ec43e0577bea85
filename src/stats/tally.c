/* tally.c - see tally.h.
 *
 * I1. The name of a kind of error is written once, before the count of kinds says that it is there.
 */
#include "stats/tally.h"

#include "base/assert.h"
#include "base/mem.h"

struct error_kind {
    char code[KW_TALLY_CODE_MAX];
    _Atomic uint64_t count;
};

struct kw_tally {
    size_t rows_count;
    _Atomic unsigned kinds_count; /* I1 */
    struct error_kind kinds[KW_TALLY_ERRORS_MAX];
    struct kw_tally_row rows[];
};

static uint64_t figure(const _Atomic uint64_t *value);

struct kw_tally *kw_tally_new(size_t commands_count)
{
    size_t size = sizeof(struct kw_tally) + commands_count * sizeof(struct kw_tally_row);
    struct kw_tally *tally = kw_alloc_zero(1, size);

    tally->rows_count = commands_count;
    return tally;
}

void kw_tally_free(struct kw_tally **tally)
{
    kw_free(*tally);
    *tally = NULL;
}

struct kw_tally_row *kw_tally_row(struct kw_tally *tally, size_t index)
{
    KW_ASSERT(index < tally->rows_count);
    return &tally->rows[index];
}

void kw_tally_error(struct kw_tally *tally, struct kw_bytes code)
{
    unsigned count = atomic_load_explicit(&tally->kinds_count, memory_order_relaxed);
    size_t len = code.len < KW_TALLY_CODE_MAX ? code.len : KW_TALLY_CODE_MAX - 1;
    unsigned i = 0;

    while (i < count && (strncmp(tally->kinds[i].code, code.data, len) != 0 ||
                         tally->kinds[i].code[len] != '\0')) {
        i++;
    }
    if (i == KW_TALLY_ERRORS_MAX) {
        i--;
    } else if (i == count) {
        memcpy(tally->kinds[i].code, code.data, len);
        atomic_store_explicit(&tally->kinds_count, count + 1, memory_order_release); /* I1 */
    }
    KW_TALLY_ADD(&tally->kinds[i].count, 1);
}

void kw_tally_sum(const struct kw_stats_hub *hub, size_t index, struct kw_tally_sum *sum)
{
    *sum = (struct kw_tally_sum){0};
    for (unsigned i = 0; i < hub->workers_count; i++) {
        const struct kw_tally *tally = hub->tallies[i];
        if (tally == NULL) {
            continue;
        }
        const struct kw_tally_row *row = &tally->rows[index];
        sum->calls += figure(&row->calls);
        sum->failed += figure(&row->failed);
        sum->rejected += figure(&row->rejected);
        sum->timed += figure(&row->timed);
        sum->usec += figure(&row->usec);
        for (unsigned bucket = 0; bucket < KW_TALLY_BUCKETS; bucket++) {
            sum->buckets[bucket] += figure(&row->buckets[bucket]);
        }
    }
}

void kw_tally_errors(const struct kw_stats_hub *hub,
                     void (*on_code)(void *arg, const char *code, uint64_t count), void *arg)
{
    const char *codes[KW_TALLY_ERRORS_MAX];
    uint64_t counts[KW_TALLY_ERRORS_MAX];
    unsigned codes_count = 0;

    for (unsigned i = 0; i < hub->workers_count; i++) {
        const struct kw_tally *tally = hub->tallies[i];
        unsigned kinds =
            tally == NULL ? 0 : atomic_load_explicit(&tally->kinds_count, memory_order_acquire);
        for (unsigned j = 0; j < kinds; j++) {
            unsigned at = 0;
            while (at < codes_count && strcmp(codes[at], tally->kinds[j].code) != 0) {
                at++;
            }
            if (at == KW_TALLY_ERRORS_MAX) {
                continue;
            }
            if (at == codes_count) {
                codes[codes_count] = tally->kinds[j].code;
                counts[codes_count++] = 0;
            }
            counts[at] += figure(&tally->kinds[j].count);
        }
    }
    for (unsigned i = 0; i < codes_count; i++) {
        if (counts[i] > 0) {
            on_code(arg, codes[i], counts[i]);
        }
    }
}

uint64_t kw_tally_bucket_us(unsigned index)
{
    uint64_t ns = UINT64_C(1024) << index;

    return (ns + ns / 128 - 1) / 1000; /* the end of redis's bucket, which has two digits */
}

void kw_tally_reset(struct kw_stats_hub *hub)
{
    for (unsigned i = 0; i < hub->workers_count; i++) {
        struct kw_tally *tally = hub->tallies[i];
        if (tally == NULL) {
            continue;
        }
        for (unsigned j = 0; j < KW_TALLY_ERRORS_MAX; j++) {
            atomic_store_explicit(&tally->kinds[j].count, 0, memory_order_relaxed);
        }
        for (size_t j = 0; j < tally->rows_count; j++) {
            struct kw_tally_row *row = &tally->rows[j];
            atomic_store_explicit(&row->calls, 0, memory_order_relaxed);
            atomic_store_explicit(&row->failed, 0, memory_order_relaxed);
            atomic_store_explicit(&row->rejected, 0, memory_order_relaxed);
            atomic_store_explicit(&row->timed, 0, memory_order_relaxed);
            atomic_store_explicit(&row->usec, 0, memory_order_relaxed);
            for (unsigned bucket = 0; bucket < KW_TALLY_BUCKETS; bucket++) {
                atomic_store_explicit(&row->buckets[bucket], 0, memory_order_relaxed);
            }
        }
    }
}

static uint64_t figure(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}
